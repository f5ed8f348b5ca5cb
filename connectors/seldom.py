"""What goes on and on is told at once, then ever more seldom: a log is read by people."""

import time


class Seldom:
    """Says when something that goes on is to be told: 5 s after the first time, 10 s after the second, and so on.

    Args:
        first_s: between the first time and the second; it doubles each time.
        longest_s: up to which it does.
        quiet_s: how long it goes on before it is told at all.
    """

    def __init__(self, first_s: float = 5.0, longest_s: float = 300.0, quiet_s: float = 0.0) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._quiet_s = quiet_s
        self._since: float | None = None
        self._told = False
        self._next = self._pause = 0.0

    def due(self, now: float | None = None) -> bool:
        """Return whether to tell it now; the first question is when it begins.

        Args:
            now: seconds, of the monotonic clock, which is asked by default.
        """
        now = time.monotonic() if now is None else now
        if self._since is None:
            self._since, self._next, self._pause = now, now + self._quiet_s, self._first_s
        if now < self._next:
            return False
        self._told, self._next = True, now + self._pause
        self._pause = min(2 * self._pause, self._longest_s)
        return True

    def over(self) -> bool:
        """Take note that it has ended; returns whether it had been told."""
        told, self._since, self._told = self._told, None, False
        return told

    def lasted(self, now: float) -> float:
        """Return how long it has gone on, in seconds; 0 while it does not."""
        return 0.0 if self._since is None else now - self._since
