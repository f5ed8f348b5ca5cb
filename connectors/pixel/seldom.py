"""A trouble that goes on is told at once, then ever more seldom: a log is read by people."""

import time
from typing import Final

_FIRST_S: Final = 5.0
_LONGEST_S: Final = 300.0


class Seldom:
    """Says when a trouble that is met again and again is to be told."""

    def __init__(self) -> None:
        self._wait = _FIRST_S
        self._next = 0.0

    def due(self) -> bool:
        """Return whether to tell it now: the first time, after 5 s, 10 s, ... and then every 5 minutes."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._wait
        self._wait = min(2 * self._wait, _LONGEST_S)
        return True

    def over(self) -> bool:
        """Begin anew; returns whether the trouble had been told."""
        told = self._next > 0
        self._wait, self._next = _FIRST_S, 0.0
        return told
