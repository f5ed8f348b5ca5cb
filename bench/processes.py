"""What the process of a peer prints, a word and a number a line, and what it takes of the machine."""

import os
from collections.abc import Collection
from pathlib import Path


def marks(printed: bytes, words: Collection[str]) -> dict[str, float]:
    """Return the numbers that stand behind words, such as `START 1764191000.25`; other lines are left out."""
    lines = [line.split() for line in printed.decode().splitlines()]
    return {line[0]: float(line[1]) for line in lines if len(line) > 1 and line[0] in words}


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has taken, user and system, in seconds."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process in MB; 0 when it has none any more."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0
