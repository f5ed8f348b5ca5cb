# ruff: noqa: D102  the protocol `View` documents what it does
"""What a transaction wants to write to a table, over what is committed.

Two layers: `_fresh` holds the values of the step that runs now (a savepoint), `_kept` the encoded values of the steps
that succeeded. A step that fails drops its layer; a transaction that fails drops both. The part is only read.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from streams.engine.errors import Misuse, Poison, RecordTooLarge
from streams.engine.parts import MemoryPart, Part
from streams.engine.table import Table

_ABSENT = object()


class _Over(dict[str, Any]):
    """Stands where a step's writes were, when the turn is over."""

    def get(self, key: str, default: Any = None) -> Any:
        del key, default
        raise Misuse("a view was kept from an earlier turn: ask `shard.table(...)` in each call")

    def __setitem__(self, key: str, value: Any) -> None:
        self.get(key)

    def __contains__(self, key: object) -> bool:
        return bool(self.get(""))


class StagedTable:
    """The `View` of one table in one transaction."""

    __slots__ = ("_decode", "_fresh", "_horizon", "_kept", "_part", "_read", "table")

    def __init__(self, table: Table, part: Part, now: int) -> None:
        self.table = table
        self._part = part
        # A part whose rows never expire is a dict, and its own `get` is half the cost: there is no horizon to look at.
        self._read: Callable[[str, Any], bytes | None] = part.rows.get if isinstance(part, MemoryPart) else part.get
        self._decode = table.codec.decode
        self._horizon = now - table.ttl_ms if table.ttl_ms else None
        self._kept: dict[str, bytes | None] = {}
        self._fresh: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        value = self._fresh.get(key, _ABSENT)
        if value is not _ABSENT:
            return default if value is None else value
        raw: Any = self._kept.get(key, _ABSENT)
        if raw is _ABSENT:
            raw = self._read(key, self._horizon)
        return default if raw is None else self._decode(raw)

    def __getitem__(self, key: str) -> Any:
        value = self.get(key, _ABSENT)
        if value is _ABSENT:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._fresh[key] = value

    def __delitem__(self, key: str) -> None:
        self._fresh[key] = None

    def __contains__(self, key: str) -> bool:
        if key in self._fresh:
            return self._fresh[key] is not None
        if key in self._kept:
            return self._kept[key] is not None
        return self._read(key, self._horizon) is not None

    def items(self, prefix: str = "") -> Iterator[tuple[str, Any]]:
        staged = {key for layer in (self._kept, self._fresh) for key in layer if key.startswith(prefix)}
        rows = {
            key: raw
            for key, raw in self._part.items(prefix, -1 if self._horizon is None else self._horizon)
            if key not in staged
        }
        for key in sorted(staged | rows.keys()):
            value = self._decode(rows[key]) if key in rows else self.get(key)
            if value is not None:
                yield key, value

    def encoded(self, limit: int) -> dict[str, bytes | None]:
        """Return what the step wrote, encoded, for `keep()`.

        Raises:
            RecordTooLarge: a row has more than `limit` bytes.
            Misuse: a key is no text, or the codec cannot encode a value.
            Poison: a key is text that UTF-8 does not know.
        """
        encode, fresh = self.table.codec.encode, self._fresh
        length = self._length_of_keys()
        try:
            encoded = {key: None if value is None else encode(value) for key, value in fresh.items()}
        except (TypeError, ValueError, AttributeError) as error:
            raise Misuse(f"table {self.table.name}: a value is no {self.table.codec.name}") from error
        # All rows together seldom reach the limit of one, and that is known without looking at each.
        if length + sum(map(len, filter(None, encoded.values()))) > limit:
            self._refuse_large(encoded, limit)
        return encoded

    def _length_of_keys(self) -> int:
        """Return the length of all keys; what is no text would be found out only when the transaction is sent."""
        try:
            keys = "".join(self._fresh)
            if not keys.isascii():
                keys.encode()
        except TypeError as error:
            raise Misuse(f"table {self.table.name}: a key is no text") from error
        except UnicodeEncodeError as error:
            raise Poison(f"table {self.table.name}: a key holds half a character (a lone surrogate)") from error
        return len(keys)

    def _refuse_large(self, encoded: Mapping[str, bytes | None], limit: int) -> None:
        for key, raw in encoded.items():
            if raw is not None and len(raw) + len(key) > limit:
                raise RecordTooLarge(f"table {self.table.name}: a row of {len(raw)} bytes, more than {limit}")

    def keep(self, encoded: dict[str, bytes | None]) -> None:
        """Keep what the step wrote."""
        self._kept.update(encoded)
        self._fresh.clear()

    def drop(self) -> None:
        """Drop what the step wrote."""
        self._fresh.clear()

    def end(self) -> None:
        """Refuse to be used from now on: the turn is over, and what would be staged now would be lost."""
        self._fresh = _Over()

    @property
    def touched(self) -> bool:
        """Whether the step that runs now has written anything."""
        return bool(self._fresh)

    @property
    def writes(self) -> dict[str, bytes | None]:
        """What the transaction writes: encoded values, None for a tombstone."""
        return self._kept

    def expire(self, limit: int) -> int:
        """Stage tombstones for keys whose time to live is over; return how many."""
        if self._horizon is None:
            return 0
        keys = [key for key in self._part.expired(self._horizon, limit) if key not in self._kept]
        self._kept.update(dict.fromkeys(keys))
        return len(keys)

    def apply(self, at: int, position: int) -> None:
        """Hand the committed writes to the part."""
        self._part.apply(self._kept, at, position)
