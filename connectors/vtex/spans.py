"""What a search is asked for, and how it is divided when it holds more than a search shows (NOTES 2.1). Pure.

First by time, down to a millisecond. Documents of one millisecond (a bulk import, or those without any date) are
divided by their second date: the reference lets a condition join two fields, and the three dates are among the few
fields that every entity can be filtered by. What has both dates in common cannot be divided; wildcards on ids or
e-mails could, but VTEX blocks accounts that use them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Self

from connectors.vtex.conditions import between
from connectors.vtex.instants import Window
from schemas.clock import to_ms

EVER: Final = Window(to_ms("1990-01-01T00:00:00Z"), to_ms("2100-01-01T00:00:00Z"))


@dataclass(frozen=True, slots=True)
class Span:
    """The documents of a window, or some of them.

    Attributes:
        condition: for a window.
        window: of time; None where the condition knows such a one.
        second: name of the date that documents of one moment are divided by.
        within: the window that the second date lies in; None for any.
        undated: only those without the second date.
    """

    condition: Callable[[Any], str]
    window: Window | None
    second: str
    within: Window | None = None
    undated: bool = False

    @property
    def where(self) -> str:
        """The condition as a search takes it."""
        first = self.condition(self.window)
        if self.undated:
            return f"({first}) AND ({self.second} is null)"
        return first if self.within is None else f"({first}) AND ({between(self.second, self.within)})"

    @property
    def width(self) -> int:
        """Milliseconds of the window; 0 without one."""
        return 0 if self.window is None else self.window.end - self.window.start

    def parts(self) -> tuple[Self, ...]:
        """Return spans that together hold the same documents; none where it cannot be divided."""
        if self.window is not None and self.window.splits:
            return tuple(replace(self, window=half) for half in self.window.halves())
        if self.undated:
            return ()
        if self.within is None:
            return replace(self, undated=True), replace(self, within=EVER)
        return tuple(replace(self, within=half) for half in self.within.halves()) if self.within.splits else ()
