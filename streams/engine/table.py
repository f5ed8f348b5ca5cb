"""What a table is: a name, a codec, a time to live, and where it is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson

SHORTEST_TTL = timedelta(milliseconds=1)
"""Stamps are milliseconds."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value becomes bytes and back. Decoding what was encoded gives an equal value."""

    name: str
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


def _encode_json(value: Any) -> bytes:
    # orjson writes into a buffer of a kilobyte and shrinks it where it stands: rows kept so would take that kilobyte.
    return bytes(memoryview(orjson.dumps(value)))


def _encode_raw(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(memoryview(value))  # `bytes(5)` would be five zeros


JSON = Codec("json", _encode_json, orjson.loads)
TEXT = Codec("text", str.encode, lambda raw: raw.decode())
RAW = Codec("raw", _encode_raw, lambda raw: raw)


@dataclass(frozen=True, slots=True)
class Table:
    """Keyed state of an agent, one part in each shard, rebuilt from the changelog `streams.<name>-changelog`.

    Attributes:
        name: unique among all agents.
        codec: of the values; keys are text.
        ttl: a key not written for so long is gone; None keeps it. Constant for the table, so that keys expire in the
            order in which they were written and none has to be searched for.
        disk: keep it in RocksDB instead of memory: for state that outgrows memory. The same in all else.
    """

    name: str
    codec: Codec = JSON
    ttl: timedelta | None = None
    disk: bool = False

    def __post_init__(self) -> None:
        """Refuse a time to live that is none: rows that shall live for no time would be kept for ever.

        Raises:
            TypeError: `ttl` is less than a millisecond, or no timedelta.
        """
        ttl: Any = self.ttl
        if ttl is not None and not (isinstance(ttl, timedelta) and ttl >= SHORTEST_TTL):
            raise TypeError(f"table {self.name}: `ttl` is a timedelta of a millisecond or more, not {ttl!r}")

    @property
    def ttl_ms(self) -> int:
        """The time to live in milliseconds; 0 is for ever."""
        return 0 if self.ttl is None else int(self.ttl.total_seconds() * 1000)
