"""How many calls the account may make, and a record of every call above that (NOTES 5)."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

_REMEMBERED = 1000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Excess:
    """A call above the budget: when (seconds of the budget's clock), which, and how long it should have waited."""

    at: float
    call: str
    early_by: float


@dataclass(slots=True)
class Budget:
    """A leaking bucket: `rate` calls a second on the long run, `burst` at once.

    Attributes:
        rate: calls a second; None for no limit.
        burst: calls that may come together.
        clock: seconds; the machine's own by default, since clients pace themselves by it.
        calls: calls seen, by kind.
        refused: how many were above the budget, ever.
        over: the last of them.
    """

    rate: float | None = None
    burst: int = 10
    clock: Callable[[], float] = time.monotonic
    calls: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    over: deque[Excess] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _paid_until: float = 0.0

    def spend(self, call: str) -> float:
        """Count a call; return the seconds until it would have been allowed, 0 when it is."""
        self.calls[call] += 1
        if self.rate is None:
            return 0.0
        now = self.clock()
        paid_until = max(self._paid_until, now)
        early_by = paid_until - now - (self.burst - 1) / self.rate
        if early_by > _ROUNDING:
            self.refused += 1
            self.over.append(Excess(now, call, early_by))
            return early_by
        self._paid_until = paid_until + 1 / self.rate
        return 0.0
