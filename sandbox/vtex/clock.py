"""Time as VTEX keeps it: UTC in steps of 100 ns ("ticks"), written with up to seven fractional digits (NOTES 2.4)."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

Clock = Callable[[], int]
"""Returns the time in ticks since 1970."""

SECOND: Final = 10_000_000
MINUTE: Final = 60 * SECOND
DAY: Final = 86_400 * SECOND

_ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?)?")
_DIGITS: Final = 7


def system_clock() -> int:
    """Return the machine's time."""
    return time.time_ns() // 100


class ManualClock:
    """A clock that tests move by hand."""

    def __init__(self, start: str = "2026-03-02T12:00:00Z") -> None:
        self.ticks = parse(start)

    def __call__(self) -> int:
        """Return the time in ticks."""
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.ticks += round(seconds * SECOND)


def parse(text: str) -> int:
    """Return the ticks of an ISO date or timestamp; a time without zone is UTC.

    Raises:
        ValueError: when the text is neither.
    """
    found = _ISO.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"no ISO 8601 date or time: {text[:40]!r}")
    day, clock, fraction, zone = found.groups()
    moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{_zone(zone)}")
    seconds = int((moment - _EPOCH).total_seconds())
    return seconds * SECOND + int((fraction or "").ljust(_DIGITS, "0")[:_DIGITS])


def _zone(zone: str | None) -> str:
    return "+00:00" if zone in {None, "Z"} else str(zone)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_day(text: str) -> bool:
    """Whether a literal names a day without a time."""
    return len(text.strip()) == len("2026-03-02")


def iso(ticks: int, zone: str = "Z") -> str:
    """Write ticks as VTEX does: trailing zeros of the fraction are left out, and a whole second has none.

    Seen in VTEX's own samples: `2019-08-12T20:54:01.134057Z` beside `...23.7153839Z` (orders.json, feed).
    """
    seconds, fraction = divmod(ticks, SECOND)
    day, second = divmod(seconds, 86_400)
    digits = f".{fraction:07}".rstrip("0") if fraction else ""
    return f"{_day(day)}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}{digits}{zone}"


@lru_cache(maxsize=4096)
def _day(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))


def order_time(ticks: int) -> str:
    """Write a time as the order system does: an offset instead of `Z` (NOTES 4.2)."""
    return iso(ticks, "+00:00")
