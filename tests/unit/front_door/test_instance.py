"""Names of processes: stable over a restart, never shared by two."""

import subprocess
import sys

import pytest

from hellotext_vtex.instance import claim, named
from hellotext_vtex.settings import SettingsError

ASK = """
import sys, pathlib
from hellotext_vtex.instance import claim
print(claim("worker", pathlib.Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def ask(folder):
    """Start a process that claims a name and holds it until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", ASK, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def test_a_killed_process_gets_its_name_back(tmp_path):
    """The kernel frees what a killed process held; another that lives keeps its own."""
    first, name = ask(tmp_path)
    second, other = ask(tmp_path)
    first.kill()
    first.communicate()

    third, again = ask(tmp_path)

    assert (again, other != name) == (name, True)
    for process in (second, third):
        process.kill()
        process.communicate()


def test_kinds_do_not_meet(tmp_path):
    """A worker and a poller may both be the first."""
    assert claim("worker", tmp_path).endswith("-0")
    assert claim("poller", tmp_path).endswith("-0")


def test_a_name_that_is_given_is_held_by_one_process(tmp_path):
    """A second one of that name is refused; a poller may have it, and so may whoever comes when it has gone."""
    ask_named = ASK.replace('claim("worker", ', 'named("worker", "w1", ').replace("import claim", "import named")
    first = subprocess.Popen(
        [sys.executable, "-c", ask_named, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "w1\n"

    with pytest.raises(SettingsError, match=r"a worker named w1 runs here already.*WORKER_INSTANCE"):
        named("worker", "w1", tmp_path)
    assert named("poller", "w1", tmp_path) == "w1"
    first.kill()
    first.communicate()
    assert named("worker", "w1", tmp_path) == "w1"
