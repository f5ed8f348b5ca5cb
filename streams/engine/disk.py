# ruff: noqa: FBT003  rocksdict takes its options by position
# ruff: noqa: D102  the protocol `Part` documents what its implementations do
"""Parts on disk, in RocksDB: one database per shard, for the tables that outgrow memory.

Only committed rows are written, each transaction's together with the changelog position behind them in one write
batch, so that what a crash leaves behind is always the table as it stood at some position of its changelog.
"""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from struct import Struct
from time import time

import structlog
from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
)

from streams.engine.errors import DiskFailed, Fatal
from streams.engine.parts import STAMP, STAMP_SIZE, ChangelogRecord
from streams.engine.table import Table
from streams.engine.transaction import EXIT_DISK

log = structlog.get_logger(__name__)

CACHE_BYTES = 64 << 20
"""Block cache, shared by all shards of a worker."""
WRITE_BUFFER_BYTES = 16 << 20
"""Of each shard's database, twice at most."""
STALE_MS = 12 * 3_600_000
"""Half of `delete.retention.ms` of the changelogs: a part left alone for longer may have missed a tombstone that is
compacted away, so it is rebuilt."""
REMEMBERED = 20_000
"""Of so many rows read since the last write it is remembered when they were written: what a batch asks for is what it
writes, and to find out again that a key is new costs a look into every file."""
REBUILD = "REBUILD"
"""A file in a shard's folder: what is in it was found to be damaged, and is not to be used again."""
_POSITION = Struct(">QQ")


class Disks:
    """The databases of a worker.

    Args:
        folder: of this worker alone; kept between restarts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._cache = Cache(CACHE_BYTES)
        self._open: dict[int, Rdict] = {}

    def part(self, table: Table, shard: int) -> "DiskPart":
        """Return a table's part, with whatever an earlier run has left."""
        database = self._open.get(shard)
        if database is None:
            database = self._open[shard] = self._database(shard)
        return DiskPart(database, table)

    def _database(self, shard: int) -> Rdict:
        """Open a shard's database; what is damaged is left to the changelogs.

        Raises:
            Fatal: it cannot be opened, for another reason.
        """
        folder = self._folder / f"shard-{shard}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if (folder / REBUILD).exists():
                return self._afresh(folder, "it could not be read")
            try:
                return self._opened(folder)
            except Exception as error:
                if not _is_damage(error):
                    raise
                return self._afresh(folder, str(error))
        except Exception as error:
            raise Fatal(EXIT_DISK, _trouble("opened", folder, error)) from error

    def _afresh(self, folder: Path, reason: str) -> Rdict:
        log.warning("tables on disk were damaged: rebuilt from their changelogs", folder=str(folder), reason=reason)
        shutil.rmtree(folder)
        return self._opened(folder)

    def _opened(self, folder: Path) -> Rdict:
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_bloom_filter(10, False)
        # Index and filter in pieces of a block's size. Whole, those of a file of millions of keys are megabytes, more
        # than one of the cache's 64 slices holds, and each read loads them anew: 300 us at three million keys, not 1.4.
        blocks.set_index_type(BlockBasedIndexType.two_level_index_search())
        blocks.set_partition_filters(True)
        blocks.set_metadata_block_size(4096)
        blocks.set_pin_top_level_index_and_filter(True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_size(WRITE_BUFFER_BYTES)
        options.set_max_write_buffer_number(2)
        options.set_max_open_files(256)
        options.set_compression_type(DBCompressionType.lz4())
        return Rdict(str(folder), options)

    def release(self, shard: int) -> None:
        """Close the database of a shard that has moved away; it stays on disk for a while, in case it comes back."""
        database = self._open.pop(shard, None)
        if database is not None:
            _shut(database)

    def sweep(self) -> list[int]:
        """Delete the databases that nobody here has written for so long that they would be rebuilt; return of whom.

        Rows of people who were forgotten meanwhile would stand in them for ever.
        """
        names = {path.name.removeprefix("shard-"): path for path in self._folder.glob("shard-*")}
        left = {int(name): path for name, path in names.items() if name.isdecimal()}
        stale = [number for number, path in left.items() if number not in self._open and _is_stale(path)]
        for number in stale:
            shutil.rmtree(left[number], ignore_errors=True)
        return stale

    def close(self) -> None:
        """Close every database."""
        for database in self._open.values():
            _shut(database)
        self._open.clear()


def _shut(database: Rdict) -> None:
    try:
        database.close()
    except Exception as error:  # noqa: BLE001  its write-ahead log has what was not flushed, or the changelog has
        log.warning("tables on disk could not be closed in order", error=str(error))


def _is_damage(error: Exception) -> bool:
    """Whether a database is damaged, and not merely out of reach (another process, no permission, no space)."""
    return any(sign in str(error) for sign in ("Corruption", "No such file", "parse", "Invalid argument"))


def _trouble(done: str, folder: Path, error: Exception) -> str:
    todo = (
        "They are rebuilt from their changelogs at the next start."
        if _is_damage(error)
        else "Make room or give access; or delete the folder: they are rebuilt from their changelogs."
    )
    return f"the tables on disk in {folder} cannot be {done}: {error}. Nothing is lost or doubled. {todo}"


def _is_stale(folder: Path) -> bool:
    written = max((path.stat().st_mtime for path in folder.iterdir()), default=0.0)
    return (time() - written) * 1000 >= STALE_MS


class DiskPart:
    r"""One table in one shard's database.

    Keys: `r<table>\0<key>` rows, `x<table>\0<stamp><key>` the order of expiry, `p<table>` the changelog position.
    """

    def __init__(self, database: Rdict, table: Table) -> None:
        name = table.name.encode()
        self._database = database
        self._table = table
        self._expires = bool(table.ttl_ms)
        self._rows = b"r" + name + b"\0"
        self._order = b"x" + name + b"\0"
        self._mark = b"p" + name
        self.position: int | None = None
        self._current_at = 0
        self._stamps: dict[bytes, bytes | None] = {}
        self._oldest = 0
        """No row was written before. In front of it stand the deletions of rows that have expired: to step over them
        again at each tick takes ever longer, 70 ms after a million, until RocksDB has worked them off."""
        left = self._read_or_leave(self._mark)
        if left is not None:
            position, at = _POSITION.unpack(left)
            if time() * 1000 - at < STALE_MS:
                self.position, self._current_at = position, at
            else:
                log.info("table on disk is too old to be brought up to date: rebuilt", table=table.name)
                self.clear()

    def get(self, key: str, horizon: int) -> bytes | None:
        full = self._rows + key.encode()
        row = self._read(full)
        if not self._expires:
            return row
        if len(self._stamps) < REMEMBERED:
            self._stamps[full] = row and row[:STAMP_SIZE]
        return row[STAMP_SIZE:] if row and STAMP.unpack_from(row)[0] > horizon else None

    def apply(self, writes: Mapping[str, bytes | None], at: int, position: int) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in writes.items():
            self._put(batch, key.encode(), value, at)
        self._write(batch, position, int(time() * 1000))

    def restore(self, records: Iterable[ChangelogRecord], position: int) -> None:
        # One batch per key's last record: inside a batch, an index entry of an earlier record could not be seen.
        last = {record.key: record for record in records}
        batch = WriteBatch(raw_mode=True)
        for key, record in last.items():
            self._put(batch, key, record.value, record.timestamp)
        # A restore may be broken off: what lies behind it was written since the last record, not from now on.
        self._write(batch, position, max((record.timestamp for record in last.values()), default=self._current_at))

    def caught_up(self) -> None:
        if self.position is not None:
            self._write(WriteBatch(raw_mode=True), self.position, int(time() * 1000))

    def _put(self, batch: WriteBatch, key: bytes, value: bytes | None, at: int) -> None:
        row = self._rows + key
        if self._expires:
            old = self._stamps[row] if row in self._stamps else self._read_or_leave(row)
            if old is not None:
                batch.delete(self._order + old[:STAMP_SIZE] + key)
        if value is None:
            batch.delete(row)
        elif self._expires:
            stamp = STAMP.pack(at)
            batch.put(row, stamp + value)
            batch.put(self._order + stamp + key, b"")
            self._oldest = min(self._oldest, at)  # a clock may go back
        else:
            batch.put(row, value)

    def _write(self, batch: WriteBatch, position: int, at: int) -> None:
        """Write a batch and the position behind it; all of the changelog until a moment is in front of that."""
        self._current_at = max(self._current_at, at)
        batch.put(self._mark, _POSITION.pack(position, self._current_at))
        try:
            self._database.write(batch)
        except Exception as error:
            raise Fatal(EXIT_DISK, _trouble("written", Path(self._database.path()), error)) from error
        self._stamps.clear()
        self.position = position

    def _read(self, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._database.get(key)
        except Exception as error:
            raise self._unreadable(error) from error
        return found

    def _read_or_leave(self, key: bytes) -> bytes | None:
        """Read where no agent is at work: Faust would not hand on what is no `Exception`."""
        try:
            return self._read(key)
        except DiskFailed as error:
            raise Fatal(EXIT_DISK, str(error)) from error

    def _unreadable(self, error: Exception) -> DiskFailed:
        folder = Path(self._database.path())
        if _is_damage(error):
            with suppress(OSError):
                (folder / REBUILD).touch()
        return DiskFailed(_trouble("read", folder, error))

    def expired(self, horizon: int, limit: int) -> list[str]:
        keys: list[str] = []
        start = len(self._order)
        for entry in self._scan(self._order, STAMP.pack(self._oldest)):
            at = STAMP.unpack_from(entry, start)[0]
            if not keys:
                self._oldest = at
            if len(keys) >= limit or at > horizon:
                break
            keys.append(entry[start + STAMP_SIZE :].decode())
        return keys

    def items(self, prefix: str, horizon: int) -> Iterator[tuple[str, bytes]]:
        under = self._rows + prefix.encode()
        for full in self._scan(under):
            key = full[len(self._rows) :].decode()
            value = self.get(key, horizon)
            if value is not None:
                yield key, value

    def _scan(self, prefix: bytes, first: bytes = b"") -> Iterator[bytes]:
        keys = iter(self._database.keys(from_key=prefix + first, read_opt=ReadOptions()))
        while True:
            try:
                key: bytes | None = next(keys, None)
            except Exception as error:
                raise self._unreadable(error) from error
            if key is None or not key.startswith(prefix):
                return
            yield key

    def count(self) -> int:
        return int(self._database.property_int_value("rocksdb.estimate-num-keys") or 0)

    @property
    def compacting(self) -> bool:
        """Whether RocksDB is still putting in order what was written, in threads of its own."""
        asked = ("rocksdb.num-running-compactions", "rocksdb.compaction-pending")
        return any(self._database.property_int_value(name) for name in asked)

    def clear(self) -> None:
        for prefix in (self._rows, self._order):
            self._database.delete_range(prefix, prefix[:-1] + b"\1")
        self._database.delete(self._mark)
        self._stamps.clear()
        self.position, self._current_at, self._oldest = None, 0, 0

    def close(self) -> None:
        try:
            self._database.flush()
        except Exception as error:  # noqa: BLE001  as in `_shut`
            log.warning("tables on disk could not be flushed", table=self._table.name, error=str(error))
