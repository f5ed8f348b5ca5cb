"""Watching processes and ports come and go."""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 30.0


def ended(pid: int) -> bool:
    """Return whether a process has ended; one that nobody has reaped yet has."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"


def listens(address: str) -> bool:
    """Return whether somebody accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 0.5).close()
    except OSError:
        return False
    return True


async def until(what: str, holds: Callable[[], bool], seconds: float = DEADLINE_S) -> None:
    """Wait until something holds, or fail saying what."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.02)
