"""Asked to end before it is ready: every process gives up what it waits for, at once and in order."""

import signal
import time
from pathlib import Path

import pytest

from tests.scenarios.front_door.commands import CommandLine
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
NOBODY = "127.0.0.1:9"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", ["worker", "poller", "console"])
def test_a_process_that_waits_for_its_broker_ends(tmp_path, command, number):
    """With exit code 0, as one that was at work: nothing went wrong."""
    process = CommandLine(tmp_path, {"KAFKA_BOOTSTRAP_SERVERS": NOBODY}).start(command)
    _wait_for(process, "waiting for the broker")

    process.send_signal(number)
    asked = time.monotonic()
    _, told = process.communicate()

    assert process.returncode == 0, told
    assert time.monotonic() - asked < 10  # it would have waited for 20 s in all
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("arguments", "code"), [(("up",), 0), (("broker", "--data", "kept"), 0), (("demo", "--once"), 130)]
)
async def test_what_is_just_starting_its_broker_takes_it_along(tmp_path, arguments, code):
    """No process stays, no temporary folder, and nothing says that it became ready; a demo has not proved anything."""
    ports = {"COLLECTOR_PORT": "0", "CONSOLE_PORT": "0", "SANDBOX_PORT": "0", "TMPDIR": str(tmp_path / "tmp")}
    (tmp_path / "tmp").mkdir()
    process = CommandLine(tmp_path, ports).start(*arguments)
    await until("Java formats, or runs already", lambda: _descendants(process.pid))

    process.terminate()
    out, told = process.communicate()

    assert (process.returncode, out) == (code, ""), told
    assert "Traceback" not in told
    assert list((tmp_path / "tmp").iterdir()) == []
    await until("nothing is left", lambda: not _at_work(tmp_path))
    assert not (tmp_path / ".state" / "running.json").exists()
    kept = [folder for folder in (tmp_path / ".state", tmp_path / "kept") if folder.exists()]
    assert [folder.stat().st_mode & 0o077 for folder in kept] == [0]  # what people have told is nobody else's to read


def _wait_for(process, text):
    """Read standard error up to a line."""
    seen = []
    while text not in (line := process.stderr.readline()):
        seen.append(line)
        assert line, f"it ended without saying {text!r}: {''.join(seen)}"


def _descendants(pid):
    """Return whether a process has children."""
    return any(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def _at_work(folder):
    """Return the processes that run with a folder's files."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if bytes(folder) in file.read_bytes():
                found.append(int(file.parent.name))
        except OSError:
            continue
    return found
