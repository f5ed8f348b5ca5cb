"""VTEX's timestamps and our windows over them (contracts/vtex NOTES 2.4). Pure.

A document's time has seven fractional digits (100 ns), and `updatedIn` is null until the first update. Windows are
integers of milliseconds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from schemas.clock import to_ms, to_text

_FIRST_MS: Final = to_ms("0001-01-01T00:00:00Z")
_LAST_MS: Final = to_ms("9999-12-31T23:59:59Z")
_FRACTION: Final = re.compile(r"\.(\d+)")
_DIGITS: Final = 7
_IN_UTC: Final = ("Z", "+00:00")
UNKNOWN: Final = ""
"""Version of a document that tells no time at all."""


@dataclass(frozen=True, slots=True)
class Window:
    """A span of Unix milliseconds, both ends included."""

    start: int
    end: int

    def halves(self) -> tuple[Self, Self]:
        """Return two windows that together are this one."""
        middle = (self.start + self.end) // 2
        return type(self)(self.start, middle), type(self)(middle, self.end)

    @property
    def splits(self) -> bool:
        """Whether halves would be shorter."""
        return self.end - self.start > 1

    def holds(self, ms: int) -> bool:
        """Whether an instant lies in it."""
        return self.start <= ms <= self.end


def exact(text: str) -> str:
    """Return an instant in UTC with every digit that VTEX gave: two changes may differ in the seventh (NOTES 4.2).

    Raises:
        ValueError, OverflowError: it is none.
    """
    whole, fraction = to_text(to_ms(text)), _FRACTION.search(text)
    return whole if fraction is None else f"{whole[: -len('.000Z')]}.{fraction[1][:_DIGITS]}Z"


def version_of(document: Mapping[str, Any]) -> str:
    """Return coalesce(updatedIn, createdIn), as VTEX writes it; what is no date is none, or it would be the newest.

    Versions are compared as texts, so one of another zone is written in UTC.
    """
    for name in ("updatedIn", "createdIn"):
        found = document.get(name)
        if isinstance(found, str) and found[4:5] == "-" and found[:1].isdigit():
            return found if found.endswith(_IN_UTC) else _in_utc(found)
    return UNKNOWN


def _in_utc(version: str) -> str:
    try:
        return exact(version)
    except (ValueError, OverflowError):
        return version


def version_ms(version: str) -> int | None:
    """Return a version's Unix milliseconds, rounded down; None when it tells no time."""
    try:
        found = to_ms(version)
    except (ValueError, OverflowError):
        return None
    return found if _FIRST_MS <= found <= _LAST_MS else None
