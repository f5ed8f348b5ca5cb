"""One broker process: started on a leash (leash.py), watched, stopped, killed, frozen and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.kafka.errors import BrokerDied
from connectors.kafka.properties import Ports, server_properties
from connectors.kafka.runtime import Runtime

LEASH: Final = Path(__file__).with_name("leash.py")
GRACE_S: Final = 10.0
"""Between SIGTERM and SIGKILL; a controlled shutdown takes 0.3 s alone, and up to 3 s while it records its classes."""
STORY_LINES: Final = 12
NO_ROOM: Final = 1 << 20


@dataclass
class Node:
    """A combined broker and controller.

    Args:
        runtime: Java and jars.
        number: its node id.
        folder: its own: settings, log, data, temporary files.
        ports: of every node of the cluster.
        heap: of the JVM.
        owner: pid of the process with which it ends.
        remove: folder to remove when the owner is gone; None keeps the data.
        settings: of the broker, above ours.
        lasting: whether it is there to stay: slower to start, faster after a minute (runtime.py).
    """

    runtime: Runtime
    number: int
    folder: Path
    ports: dict[int, Ports]
    heap: str
    owner: int
    remove: Path | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    lasting: bool = False
    pid: int | None = field(default=None, init=False)
    _leash: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    _record: Path | None = field(default=None, init=False)

    @property
    def properties(self) -> Path:
        """Its settings file."""
        return self.folder / "server.properties"

    @property
    def log(self) -> Path:
        """What it said in this run; the run before stands in `broker.log.1`."""
        return self.folder / "broker.log"

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._leash is not None and self._leash.poll() is None

    @property
    def recording(self) -> bool:
        """Whether it writes a class archive when it ends in order."""
        return self._record is not None

    def prepare(self, cluster_id: str) -> None:
        """Write its settings and format its data folder if that is new."""
        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        self.properties.write_text(
            server_properties(self.number, self.ports, self.folder / "data", self.settings), "ascii"
        )
        if not (self.folder / "data" / "bootstrap.checkpoint").exists():
            self.runtime.format(self.properties, cluster_id, self.folder / "tmp")

    def start(self) -> None:
        """Start it, without waiting until it listens."""
        self.close()
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)  # native libraries that a killed run left
        (self.folder / "tmp").mkdir()
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        self._record = self.runtime.new_record()
        order = {
            "owner": self.owner,
            "command": self.runtime.command(
                "kafka.Kafka",
                str(self.properties),
                heap=self.heap,
                temporary=self.folder / "tmp",
                record=self._record,
                lasting=self.lasting,
            ),
            "log": str(self.log),
            "grace": 0 if self.remove else GRACE_S,
            "remove": str(self.remove) if self.remove else None,
        }
        self._leash = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-I", "-S", str(LEASH), json.dumps(order)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={}, start_new_session=True,
        )  # fmt: skip
        self.pid = self._read_pid(self._leash)

    def _read_pid(self, leash: "subprocess.Popen[bytes]") -> int:
        line = leash.stdout.readline() if leash.stdout is not None else b""
        if not line.strip():
            raise BrokerDied(f"the broker's process could not be started: {self.story()}")
        return int(line)

    def terminate(self) -> None:
        """Begin a controlled shutdown."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it at once, as a power cut would, and reap it."""
        self._signal(signal.SIGKILL)
        if self._leash is not None:
            self._leash.wait()

    def freeze(self) -> None:
        """Stop it from running, without ending it."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Shut it down in order; kill it when that takes longer than `GRACE_S`. Blocks."""
        self.terminate()
        try:
            if self._leash is not None:
                self._leash.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        else:
            self.runtime.keep_record(self._record)
        self.close()

    def close(self) -> None:
        """Kill it if it runs, and let go of the process."""
        if self._leash is None:
            return
        if self.alive:
            self.kill()
        if self._leash.stdout is not None:
            self._leash.stdout.close()
        self._leash = None
        if self._record is not None:
            self._record.unlink(missing_ok=True)

    def story(self) -> str:
        """Return the last lines that it logged, for a message about its death."""
        try:
            lines = self.log.read_text("utf-8", "replace").splitlines()
        except OSError as error:
            return f"it left no log ({error})"
        told = [line for line in lines if line.strip() and not line.startswith("\tat ")]
        return "\n".join(told[-STORY_LINES:]) or "it logged nothing"

    def death(self) -> BrokerDied:
        """Return what to raise when it is found dead."""
        code = None if self._leash is None else self._leash.poll()
        return BrokerDied(
            f"the broker (node {self.number}, {self.folder}) ended with exit code {code}. "
            f"{self._room()}Its last words:\n{self.story()}"
        )

    def _room(self) -> str:
        """Return that the disk is full, if it is: then the log cannot say so."""
        with suppress(OSError):
            if shutil.disk_usage(self.folder).free < NO_ROOM:
                return "No room is left where it keeps its data: free some. "
        return ""

    def _signal(self, number: signal.Signals) -> None:
        # The leash reaps the JVM; while the leash lives, the pid is the JVM's or a zombie's, never a stranger's.
        if self.alive and self.pid is not None:
            with suppress(ProcessLookupError):  # it may have ended this moment
                os.kill(self.pid, number)
