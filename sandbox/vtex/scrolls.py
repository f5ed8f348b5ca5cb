"""Open scrolls of an account: ten at once, twenty minutes without use, a snapshot each (NOTES 2.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from sandbox.vtex.clock import MINUTE
from sandbox.vtex.index import Hit

AT_ONCE: Final = 10
LIFETIME: Final = 20 * MINUTE


class TooMany(Exception):  # noqa: N818  what VTEX answers 400 to
    """Ten scrolls are open."""


@dataclass(slots=True)
class Scroll:
    """One snapshot being read, page after page. A page is handed out once: whoever loses it must begin again.

    Attributes:
        token: what the next call must show.
        hits: all that was found when it began.
        fields: what each document is reduced to.
        size: documents a page.
        used: ticks of the last use.
        at: where the next page begins.
    """

    token: str
    entity: str
    hits: Sequence[Hit]
    fields: tuple[str, ...]
    size: int
    used: int
    at: int = 0

    def page(self) -> Sequence[Hit]:
        """Return the next page and move on."""
        page = self.hits[self.at : self.at + self.size]
        self.at += len(page)
        return page


@dataclass(slots=True)
class Scrolls:
    """The scrolls of one account; all integrations share the ten places."""

    numbers: Random
    open: dict[str, Scroll] = field(default_factory=dict)
    most: int = 0

    def begin(
        self, entity: str, hits: Sequence[Hit], fields: tuple[str, ...], *, size: int, now: int, taken: int = 0
    ) -> Scroll:
        """Open a scroll.

        Raises:
            TooMany: when ten are open, `taken` of them by others.
        """
        self._expire(now)
        if len(self.open) + taken >= AT_ONCE:
            raise TooMany
        scroll = Scroll(self._token(), entity, hits, fields, size, now)
        self.open[scroll.token] = scroll
        self.most = max(self.most, len(self.open))
        return scroll

    def find(self, token: str, now: int) -> Scroll | None:
        """Return the scroll of a token and renew it; None when it is dead."""
        self._expire(now)
        scroll = self.open.get(token)
        if scroll is not None:
            scroll.used = now
        return scroll

    def rename(self, scroll: Scroll) -> None:
        """Give a scroll another token; the former one is dead."""
        del self.open[scroll.token]
        scroll.token = self._token()
        self.open[scroll.token] = scroll

    def end(self, scroll: Scroll) -> None:
        """Free the place."""
        self.open.pop(scroll.token, None)

    def _expire(self, now: int) -> None:
        for scroll in [scroll for scroll in self.open.values() if now - scroll.used > LIFETIME]:
            self.end(scroll)

    def _token(self) -> str:
        return f"DXF1ZXJ5QW5kRmV0Y2gBAAAA{self.numbers.getrandbits(160):040x}"
