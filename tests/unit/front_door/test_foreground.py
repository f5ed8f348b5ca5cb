"""How processes end: with the code of their work, whatever is left behind."""

import errno
import subprocess
import sys
import time

import pytest

from hellotext_vtex.foreground import told

STUBBORN = """
import asyncio, threading
from hellotext_vtex import foreground

foreground.LEAVE_S = 0.1

async def deaf():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass

async def main(stop):
    left.append(asyncio.create_task(deaf()))
    threading.Thread(target=threading.Event().wait).start()
    await asyncio.sleep(0)
    ENDING

left = []
foreground.serve(main)
"""


@pytest.mark.parametrize(
    ("ending", "code", "message"),
    [
        ("return 70", 70, ""),
        ("return 0", 0, ""),
        ("raise OSError(5, 'the disk is gone')", 1, "error: the disk is gone\n"),
    ],
)
def test_nothing_that_is_left_holds_up_the_end(ending, code, message):
    """A worker whose broker had gone was still there after minutes: a task of a client was deaf to being cancelled."""
    program = STUBBORN.replace("ENDING", ending)
    began = time.monotonic()

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (code, message)
    assert time.monotonic() - began < 30


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do():
    """Not as a number and an exception's text alone."""
    message = told(OSError(errno.EROFS, "Read-only file system", ".state"))

    assert message == ".state: Read-only file system: free room there, or run it where it may write (STATE_FOLDER)"


def test_a_process_may_open_as_many_files_as_it_is_allowed():
    """The soft limit that a shell hands on is for programs of another kind."""
    program = (
        "import resource as r; from hellotext_vtex import foreground\n"
        "_, most = r.getrlimit(r.RLIMIT_NOFILE); r.setrlimit(r.RLIMIT_NOFILE, (256, most))\n"
        "async def main(stop): print(r.getrlimit(r.RLIMIT_NOFILE) == (most, most))\n"
        "foreground.serve(main)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
