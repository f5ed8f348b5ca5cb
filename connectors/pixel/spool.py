"""The fsynced spool: where accepted events wait while Kafka is away (DESIGN section 3.1).

Frames (frames.py) in segment files, mode 0600. `append` returns after fsync, and one fsync serves everything that came
meanwhile. A torn last frame was never answered, so it is left out in silence; a segment that could not be written is
written no further, so nothing that was answered stands behind a torn frame.
Each process owns a folder under a lock that dies with it; another adopts what a dead one left.
"""

import asyncio
import contextlib
import fcntl
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connectors.pixel.frames import Placed, pack
from connectors.pixel.room import PROBE, PROBE_FILE, Room, unwritable

_SUFFIX: Final = ".spool"
_LOCK: Final = "lock"


class SpoolFullError(RuntimeError):
    """The spool's bound or the disk is reached: nothing was kept."""


@dataclass(slots=True)
class _Waiting:
    frames: list[bytes] = field(default_factory=list)
    done: asyncio.Future[None] | None = None


class Spool:
    """One process's spool: appended to by requests, drained oldest first by `drain.Drainer`."""

    def __init__(self, folder: Path, *, limit: int, segment_size: int) -> None:
        """Take a folder of its own inside `folder`, and adopt what dead processes left there."""
        self._root = folder
        self._limit = limit
        self._segment_size = segment_size
        self._waiting = _Waiting()
        self._writing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # of the active segment: a writer without end lets the drainer in, as it is fair
        self._file: int | None = None
        self._written = 0
        self._last_name = 0
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A dead process's first: on a full disk there is no room for another, and what waits in it must be sent on.
        self._folder, self._lock = _inherited(folder) or _new(folder)
        self._sizes = {segment: segment.stat().st_size for segment in self._folder.glob(f"*{_SUFFIX}")}
        _sync_folder(folder)
        self.room = Room(self._folder)
        self.adopt()

    @property
    def size(self) -> int:
        """Bytes that wait for Kafka."""
        return sum(self._sizes.values())

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._sizes

    async def append(self, records: list[Placed]) -> None:
        """Keep records; returns once they are on the disk.

        Raises:
            SpoolFullError: when they would pass the bound, or the disk is full; nothing of them is kept then.
        """
        waiting = self._waiting
        waiting.frames.extend(map(pack, records))
        if waiting.done is None:
            waiting.done = asyncio.get_running_loop().create_future()
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        # Shielded: others wait for the same fsync.
        await asyncio.shield(waiting.done)

    async def probe(self) -> None:
        """After a trouble, look whether there is room again."""
        if self.size + PROBE <= self._limit:
            await self.room.probe()

    async def _write_all(self) -> None:
        try:
            while self._waiting.done is not None:
                group, self._waiting = self._waiting, _Waiting()
                assert group.done is not None  # noqa: S101  for the type checker: set with its first frame
                await self._write_group(b"".join(group.frames), group.done)
        finally:
            self._writing = None

    async def _write_group(self, data: bytes, done: asyncio.Future[None]) -> None:
        async with self._turn:
            why = await self._try_to_write(data)
            if why is None:
                self._sizes[self._active()] = self._written
        if why is None:
            self.room.found()
            done.set_result(None)
        else:
            self.room.refused(why)
            done.set_exception(SpoolFullError(why))
        # Nobody may be waiting any more.
        done.exception()

    async def _try_to_write(self, data: bytes) -> str | None:
        """Write, or return why nothing was written."""
        if self.size + len(data) > self._limit:
            return f"the spool is full: it holds {self.size} of {self._limit} bytes"
        try:
            await asyncio.to_thread(self._write, data)
        except OSError as error:
            return unwritable(error)
        except RuntimeError as error:
            return f"the spool cannot be written: {error}"  # no thread is to be had
        return None

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._open()
        assert self._file is not None  # noqa: S101  for the type checker
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError:
            self._give_up_segment()
            raise
        self._written += len(data)
        if self._written >= self._segment_size:
            self._close_segment()

    def _give_up_segment(self) -> None:
        """Cut off what was not kept, and write no more behind it: the cut may fail as well, and leave half a frame."""
        assert self._file is not None  # noqa: S101  for the type checker
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self._written)
        with contextlib.suppress(OSError):
            self._close_segment()
        if not self._written:
            with contextlib.suppress(OSError):
                self._active().unlink()

    def _open(self) -> None:
        self._last_name = max(self._last_name + 1, time.time_ns())
        path = self._active()
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._written = 0
        try:
            _sync_folder(self._folder)
        except OSError:
            self._give_up_segment()
            raise

    def _active(self) -> Path:
        return self._folder / f"{self._last_name:020d}{_SUFFIX}"

    def _close_segment(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    async def oldest(self) -> Path | None:
        """Return the oldest segment, closed for writing, or None when nothing waits."""
        if not self._sizes:
            return None
        path = min(self._sizes, key=lambda segment: segment.name)
        if path == self._active():
            async with self._turn:  # between two groups: a write in the thread must not lose its file
                self._close_segment()
        return path

    def remove(self, segment: Path) -> None:
        """Forget a segment whose records Kafka has acknowledged.

        Raises:
            OSError: its file stays, and the next process will send it once more.
        """
        self._sizes.pop(segment, None)
        segment.unlink(missing_ok=True)

    def leave(self, segment: Path) -> None:
        """Look at a segment no more, and let its file stand: the next process will try it."""
        self._sizes.pop(segment, None)

    def adopt(self) -> int:
        """Take over the segments of processes that are gone; returns how many."""
        adopted = 0
        for folder in _folders(self._root):
            if folder == self._folder:
                continue
            try:
                lock = _lock(folder / _LOCK)
            except OSError:
                continue  # its process lives, or somebody else was faster
            with contextlib.suppress(OSError):
                adopted += self._take_from(folder)
            os.close(lock)
        return adopted

    def _take_from(self, folder: Path) -> int:
        taken = 0
        for segment in sorted(folder.glob(f"*{_SUFFIX}")):
            target = self._folder / segment.name
            while target.exists():  # of the same nanosecond: both stay
                target = target.with_name(f"{target.stem}-{_SUFFIX}")
            size = segment.stat().st_size
            segment.rename(target)
            self._sizes[target] = size
            taken += 1
        for left in (PROBE_FILE, _LOCK):
            (folder / left).unlink(missing_ok=True)
        folder.rmdir()
        return taken

    def close(self) -> None:
        """Close the files; what still waits stays for the next process."""
        self._close_segment()
        if not self._sizes:
            with contextlib.suppress(OSError):
                (self._folder / _LOCK).unlink(missing_ok=True)
                self._folder.rmdir()
        os.close(self._lock)


def _folders(root: Path) -> list[Path]:
    return sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))


def _inherited(root: Path) -> tuple[Path, int] | None:
    """Return a dead process's folder and its lock, if there is one."""
    for folder in _folders(root):
        with contextlib.suppress(OSError):
            lock = _lock(folder / _LOCK)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(lock), (folder / _LOCK).stat()):
                    (folder / PROBE_FILE).unlink(missing_ok=True)
                    return folder, lock
            os.close(lock)  # somebody else has just adopted and removed it
    return None


def _new(root: Path) -> tuple[Path, int]:
    """Make a folder; it is locked before it gets its name, since one without a lock is a dead process's."""
    name = f"{time.time_ns():020d}-{os.getpid()}"
    unborn = root / f".{name}"
    unborn.mkdir(mode=0o700)
    lock = _lock(unborn / _LOCK)
    return unborn.rename(root / name), lock


def lock_of(folder: Path) -> int:
    """Take the lock of a process's folder; return the file that holds it.

    Raises:
        OSError: its process lives.
    """
    return _lock(folder / _LOCK)


def _lock(path: Path) -> int:
    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _sync_folder(folder: Path) -> None:
    """A new file survives a power cut only once its folder's entry does."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
