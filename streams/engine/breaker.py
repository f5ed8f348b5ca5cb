"""A breaker for one (store, destination): after failures in a row, calls stop for a while, then one is tried."""

import asyncio
from time import monotonic


class Breaker:
    """Closed, open, or trying.

    Args:
        after: failures in a row that open it.
        first_s: how long it stays open at first.
        longest_s: up to which that doubles.
    """

    def __init__(self, after: int, first_s: float, longest_s: float) -> None:
        self._after = after
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures = 0
        self._pause_s = first_s
        self._open_until = 0.0
        self._trying = False
        self.open_since: float | None = None

    async def ready(self) -> None:
        """Return when a call may be made; while the breaker is open, one caller at a time gets to try."""
        while True:
            left = self._open_until - monotonic()
            if left > 0:
                await asyncio.sleep(left)
            elif self.open_since is not None and self._trying:
                await asyncio.sleep(0.05)
            else:
                self._trying = self.open_since is not None
                return

    def pause(self, seconds: float) -> None:
        """Make no call for so long: the destination asked for it."""
        self._open_until = max(self._open_until, monotonic() + seconds)

    def good(self) -> None:
        """The destination answered."""
        self._failures = 0
        self._pause_s = self._first_s
        self._trying = False
        self.open_since = None

    def bad(self) -> None:
        """The destination did not answer, or could not."""
        self._failures += 1
        self._trying = False
        if self._failures >= self._after:
            now = monotonic()
            self.open_since = self.open_since or now
            if now >= self._open_until:  # calls that had begun before it opened tell nothing new
                self._open_until = now + self._pause_s
                self._pause_s = min(self._longest_s, self._pause_s * 2)

    def untried(self) -> None:
        """The caller that was let through makes no call after all: another one may try."""
        self._trying = False
