"""Names of processes: stable over a restart, never shared by two."""

import subprocess
import sys

from hellotext_vtex.instance import claim

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
