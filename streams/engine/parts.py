# ruff: noqa: D102  the protocol `Part` documents what its implementations do
"""A part is one table in one shard: committed rows only, and how far the changelog has been applied.

Rows are kept encoded: nothing an agent holds can reach them, a part equals its changelog byte for byte, and millions
of rows cost the garbage collector nothing. Rows of a table with a time to live carry the time of their write, which
is also the timestamp of their changelog record, so that the order of expiry survives a restart.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from struct import Struct
from typing import Protocol, cast

from streams.engine.table import Table

STAMP = Struct(">Q")
STAMP_SIZE = STAMP.size
BUCKETS = 64
"""A time to live is cut into so many buckets: rows leave at most 1/64 of it late, reads are exact."""


class ChangelogRecord(Protocol):
    """What a part needs of a changelog record; aiokafka's own records do."""

    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...


class Part(Protocol):
    """One table in one shard."""

    position: int | None
    """The changelog offset up to which (exclusive) the rows are the changelog's; None when nothing is known."""

    def get(self, key: str, horizon: int) -> bytes | None:
        """Return the row's value, or None when it is absent or was written at or before the horizon (Unix ms)."""

    def apply(self, writes: Mapping[str, bytes | None], at: int, position: int) -> None:
        """Apply what a committed transaction wrote, together with the changelog position behind it, or neither."""

    def restore(self, records: Iterable[ChangelogRecord], position: int) -> None:
        """Apply changelog records, together with the position behind them."""

    def caught_up(self) -> None:
        """Take note that the changelog has been read to its end."""

    def expired(self, horizon: int, limit: int) -> list[str]:
        """Return at most `limit` keys that were last written at or before the horizon, the oldest ones first."""

    def items(self, prefix: str, horizon: int) -> Iterator[tuple[str, bytes]]:
        """Yield the rows under a prefix, in the order of their keys."""

    def count(self) -> int:
        """Return the number of rows: exact in memory, an estimate on disk."""

    def clear(self) -> None:
        """Forget everything: the changelog starts again."""

    def close(self) -> None:
        """Let go of the part; what is on disk stays there for the next owner of this folder."""


class MemoryPart:
    """A part in memory, without a time to live."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.position: int | None = None

    def get(self, key: str, horizon: int) -> bytes | None:  # noqa: ARG002  rows of this part never expire
        return self.rows.get(key)

    def apply(self, writes: Mapping[str, bytes | None], at: int, position: int) -> None:  # noqa: ARG002  as above
        rows = self.rows
        if None in writes.values():
            for key, value in writes.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
        else:
            rows.update(cast("Mapping[str, bytes]", writes))
        self.position = position

    def restore(self, records: Iterable[ChangelogRecord], position: int) -> None:
        rows = self.rows
        for record in records:
            value = record.value
            if value is None:
                rows.pop(record.key.decode(), None)
            else:
                rows[record.key.decode()] = value
        self.position = position

    def caught_up(self) -> None:
        """Do nothing: what is in memory is read anew after a restart."""

    def expired(self, horizon: int, limit: int) -> list[str]:  # noqa: ARG002  as above
        return []

    def items(self, prefix: str, horizon: int) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002  as above
        for key in sorted(key for key in self.rows if key.startswith(prefix)):
            yield key, self.rows[key]

    def count(self) -> int:
        return len(self.rows)

    def clear(self) -> None:
        self.rows.clear()
        self.position = None

    def close(self) -> None:
        self.clear()


class ExpiringMemoryPart:
    """A part in memory whose rows expire.

    Keys are noted in buckets by the time of their write; a bucket whose whole span has passed the horizon is worked
    off. A key that was rewritten since stands in a later bucket too, and is skipped in the older one.

    A bucket holds tuples, one for each transaction: Python's garbage collector walks through a list of a million keys
    again and again, and leaves tuples of texts alone once it has seen them.
    """

    def __init__(self, ttl_ms: int) -> None:
        self.position: int | None = None
        self._rows: dict[str, bytes] = {}
        self._width = max(1, ttl_ms // BUCKETS)
        self._buckets: dict[int, list[tuple[str, ...]]] = {}
        self._offered: list[str] = []

    def get(self, key: str, horizon: int) -> bytes | None:
        row = self._rows.get(key)
        if row is None or STAMP.unpack_from(row)[0] <= horizon:
            return None
        return row[STAMP_SIZE:]

    def _written_in(self, key: str) -> int | None:
        row = self._rows.get(key)
        return None if row is None else STAMP.unpack_from(row)[0] // self._width

    def apply(self, writes: Mapping[str, bytes | None], at: int, position: int) -> None:
        rows, stamp, bucket = self._rows, STAMP.pack(at), at // self._width
        noted = []
        for key, value in writes.items():
            if value is None:
                rows.pop(key, None)
                continue
            if key not in rows or self._written_in(key) != bucket:
                noted.append(key)
            rows[key] = stamp + value
        if noted:
            self._buckets.setdefault(bucket, []).append(tuple(noted))
        self.position = position

    def restore(self, records: Iterable[ChangelogRecord], position: int) -> None:
        rows, noted = self._rows, defaultdict[int, list[str]](list)
        for record in records:
            key, value = record.key.decode(), record.value
            if value is None:
                rows.pop(key, None)
                continue
            bucket = record.timestamp // self._width
            if key not in rows or self._written_in(key) != bucket:
                noted[bucket].append(key)
            rows[key] = STAMP.pack(record.timestamp) + value
        if noted.keys() - self._buckets.keys():
            self._forget_before(max(noted) - BUCKETS)
        for bucket, keys in noted.items():
            self._buckets.setdefault(bucket, []).append(tuple(keys))
        self.position = position

    def _forget_before(self, bucket: int) -> None:
        """Forget, of buckets whose time is over, the keys that have left: nobody asks a standby what has expired."""
        while self._buckets and (oldest := min(self._buckets)) < bucket:
            left = tuple(key for keys in self._buckets[oldest] for key in keys if self._written_in(key) == oldest)
            if left:
                self._buckets[oldest] = [left]
                return
            del self._buckets[oldest]

    def caught_up(self) -> None:
        """Do nothing, as above."""

    def expired(self, horizon: int, limit: int) -> list[str]:
        # What was offered stays offered until a commit has removed it: an aborted transaction loses nothing.
        self._offered = [key for key in self._offered if self._is_old(key, horizon)]
        while len(self._offered) < limit and self._buckets:
            oldest = min(self._buckets)
            if (oldest + 1) * self._width > horizon:
                break
            noted = self._buckets[oldest]
            self._offered += [key for key in noted.pop() if self._is_old(key, horizon)]
            if not noted:
                del self._buckets[oldest]
        return self._offered[:limit]

    def _is_old(self, key: str, horizon: int) -> bool:
        row = self._rows.get(key)
        return row is not None and STAMP.unpack_from(row)[0] <= horizon

    def items(self, prefix: str, horizon: int) -> Iterator[tuple[str, bytes]]:
        for key in sorted(key for key in self._rows if key.startswith(prefix)):
            row = self._rows[key]
            if STAMP.unpack_from(row)[0] > horizon:
                yield key, row[STAMP_SIZE:]

    def count(self) -> int:
        return len(self._rows)

    def clear(self) -> None:
        self._rows.clear()
        self._buckets.clear()
        self._offered.clear()
        self.position = None

    def close(self) -> None:
        self.clear()


def memory_part(table: Table) -> Part:
    """Return an empty part in memory."""
    return ExpiringMemoryPart(table.ttl_ms) if table.ttl_ms else MemoryPart()
