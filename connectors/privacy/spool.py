"""What of a person waits in the collector's spool on this machine (connectors/pixel/spool.py).

A living collector hands its spool to Kafka within seconds, where the agents leave the forgotten out. What a dead one
left is rewritten here without them, under the lock that a collector would take.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from connectors.pixel.frames import Placed, pack, unpack
from connectors.pixel.spool import lock_of

PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.2
Holds = Callable[[bytes], bool]


async def clear(
    folder: Path, store: str, holds: Holds, *, patience_s: float = PATIENCE_S, change: bool = True
) -> int:  # fmt: skip
    """Erase a person from what dead collectors left, wait for living ones; return how many records still wait.

    Args:
        folder: of all spools on this machine.
        store: whose records.
        holds: says of bytes whether they hold anything of the person.
        patience_s: how long to wait.
        change: False only counts.
    """
    until = time.monotonic() + patience_s
    work = _clear_one if change else _count_one
    while left := await asyncio.to_thread(_each, work, folder, store, holds):
        if time.monotonic() > until:
            break
        await asyncio.sleep(LOOK_S)
    return left


def _each(work: Callable[[Path, str, Holds], int], folder: Path, store: str, holds: Holds) -> int:
    if not folder.is_dir():
        return 0
    return sum(work(one, store, holds) for one in sorted(folder.iterdir()) if one.is_dir())


def _count_one(folder: Path, store: str, holds: Holds) -> int:
    return sum(len(_rows(segment, store, holds)) for segment in sorted(folder.glob("*.spool")))


def _clear_one(folder: Path, store: str, holds: Holds) -> int:
    concerned = {segment: rows for segment in sorted(folder.glob("*.spool")) if (rows := _rows(segment, store, holds))}
    if not concerned:
        return 0
    try:
        lock = lock_of(folder)
    except OSError:  # its collector lives
        return sum(len(rows) for rows in concerned.values())
    try:
        for segment in concerned:
            _rewrite(segment, store, holds)
    finally:
        os.close(lock)
    return 0


def _rows(segment: Path, store: str, holds: Holds) -> list[Placed]:
    with suppress(FileNotFoundError):  # drained meanwhile
        return [one for one in unpack(segment.read_bytes()) if _is_theirs(one, store, holds)]
    return []


def _is_theirs(placed: Placed, store: str, holds: Holds) -> bool:
    record = placed.record
    return record.key.startswith(f"{store}/".encode()) and (holds(record.key) or holds(record.value))


def _rewrite(segment: Path, store: str, holds: Holds) -> None:
    """Put a segment without the person in the place of the old one: whole, or not at all."""
    kept = [one for one in unpack(segment.read_bytes()) if not _is_theirs(one, store, holds)]
    new = segment.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.writelines(map(pack, kept))
        file.flush()
        os.fsync(file.fileno())
    new.replace(segment)
