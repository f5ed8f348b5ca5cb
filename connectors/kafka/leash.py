"""Runs a command that ends with its owner, however that one ends. A program of its own: `python leash.py JSON`.

The broker's JVM is this program's child; this program watches the owner (by its pid, through a pidfd where the system
has one) and the JVM. Owner gone: the JVM is stopped, and a temporary data folder removed. This program killed: the
kernel kills the JVM with it (PR_SET_PDEATHSIG, Linux).

The JSON object holds: `owner` (pid), `command`, `log` (file that takes its output), `grace` (seconds between SIGTERM
and SIGKILL when the owner is gone; 0: SIGKILL at once), `remove` (a folder to remove when the owner is gone, or null).
The child's pid is printed on a line of its own. Exit code: the child's; 128 + n when signal n ended it.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

PR_SET_PDEATHSIG = 1
POLL_S = 0.2


def _die_with_me() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Watched:
    """A process that may end: by pidfd, or by asking again and again."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd: int | None = None
        if hasattr(os, "pidfd_open"):
            try:
                self.fd = os.pidfd_open(pid)
            except ProcessLookupError:
                self.pid = -1
            except OSError:
                self.fd = None  # a kernel without pidfds

    def gone(self) -> bool:
        if self.pid < 0:
            return True
        if self.fd is not None:
            return bool(select.select([self.fd], [], [], 0)[0])
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        return False


def _wait_for_either(owner: _Watched, child: "subprocess.Popen[bytes]") -> None:
    """Return when the owner or the child has ended."""
    watched = _Watched(child.pid)
    fds = [one.fd for one in (owner, watched) if one.fd is not None]
    while child.poll() is None and not owner.gone():
        select.select(fds, [], [], None if len(fds) > 1 else POLL_S)


def _end(child: "subprocess.Popen[bytes]", grace: float) -> None:
    if grace > 0:
        child.terminate()
        until = time.monotonic() + grace
        while child.poll() is None and time.monotonic() < until:
            time.sleep(POLL_S / 4)
    if child.poll() is None:
        child.kill()
        child.wait()


def main(order: dict[str, Any]) -> int:
    """Run the command of an order until it or its owner ends; return an exit code."""
    owner = _Watched(order["owner"])
    linux = sys.platform == "linux"
    with open(order["log"], "ab", buffering=0) as log:  # noqa: PTH123  pathlib costs a third of this program's start
        child = subprocess.Popen(  # noqa: S603  the order comes from our own process
            order["command"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"LANG": "C.UTF-8"},
            preexec_fn=_die_with_me if linux else None,  # noqa: PLW1509  this program has one thread
        )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    os.write(1, f"{child.pid}\n".encode())
    _wait_for_either(owner, child)
    if owner.gone():
        _end(child, order["grace"])
        if order["remove"]:
            shutil.rmtree(order["remove"], ignore_errors=True)
    code = child.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
