"""Which of two reads of one thing is the newer, wherever and whenever they arrive. Pure.

A read's version is `[ticks, seen, digest]`: VTEX's own time in 100 ns since 1970, for it writes seven fractional digits
and two changes may differ in the last (contracts/vtex NOTES 2.4); then when the poller read it, in ticks too, for a
refund changes an order without moving its time (NOTES 4.4); then its content. So no two different reads are equal, and
the order of arrival decides nothing.
"""

import re
from typing import Any, Final
from zlib import crc32

import orjson

from schemas.clock import to_ms

Version = list[int]

NEVER: Final[Version] = [0, 0, 0]
TICKS_IN_A_MS: Final = 10_000
_FRACTION: Final = re.compile(r"\.(\d+)")
_DIGITS: Final = 7


def ticks(text: str) -> int:
    """Return 100 ns since 1970 of an ISO 8601 instant, without losing its seventh digit; 0 where it tells none."""
    fraction = _FRACTION.search(text)
    whole = text if fraction is None else text[: fraction.start()] + text[fraction.end() :]
    try:
        seconds = to_ms(whole) * TICKS_IN_A_MS
    except ValueError:
        return 0
    return seconds + (int(fraction[1][:_DIGITS].ljust(_DIGITS, "0")) if fraction else 0)


def read_at(envelope: dict[str, Any]) -> str:
    """Return when the poller read what an event tells."""
    return str(envelope.get("receivedtime") or envelope.get("time") or "")


def version_of(source: str, received: str, data: dict[str, Any]) -> Version:
    """Return the version of a read.

    Args:
        source: VTEX's own time of the thing, as it writes it; where it tells none, the poller's stands for it.
        received: when the poller read it.
        data: what it read.
    """
    seen = ticks(received)
    return [ticks(source) or seen, seen, crc32(orjson.dumps(data, option=orjson.OPT_SORT_KEYS))]
