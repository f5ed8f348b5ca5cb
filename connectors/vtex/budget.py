"""How often an account may be called: one token bucket for all its calls, the most urgent first (NOTES 5).

    async with budget.call(Urgency.FOLLOW): ...        # waits for its turn, and holds a place while the call runs

Over any span of s seconds at most `rate * s + burst` calls begin. A bucket starts empty, so that a poller that takes a
store over from a killed one does not add a second burst to the first.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

FAIRNESS: Final = 5
"""Every fifth call is the least urgent one's, so that a flood of changes cannot stop a backfill for ever."""
KEPT: Final = 2
"""Places that only hints may take: slow answers to routine calls must not hold up what should be read at once."""
BACK: Final = 0.7
RECOVERY_S: Final = 60.0
"""After a 429 the rate is this share of itself; within so much time it doubles again."""
SLOWEST: Final = 0.05
"""Share of the rate below which repeated 429s do not press it."""


class Urgency(IntEnum):
    """Who goes first."""

    HINT = 0
    FOLLOW = 1
    REPAIR = 2
    BACKFILL = 3
    SCAN = 4


class Budget:
    """A token bucket with a queue for each urgency.

    Args:
        per_minute: calls that may begin in a minute.
        burst: tokens kept for calls that come together.
        concurrency: calls under way at once.
        clock: seconds, monotonic; the event loop's timers must agree with it.
    """

    def __init__(
        self, per_minute: float, burst: int, concurrency: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate = per_minute / 60
        self._burst = max(1.0, float(burst))
        self._concurrency = concurrency
        self._clock = clock
        self._tokens = 0.0
        self._at = clock()
        self._paused_until = self._at
        self._pressure = 1.0
        self._running = 0
        self._granted = 0
        self._queues: dict[Urgency, deque[asyncio.Future[None]]] = {urgency: deque() for urgency in Urgency}
        self._timer: asyncio.TimerHandle | None = None
        self.probing = False

    @asynccontextmanager
    async def call(self, urgency: Urgency) -> AsyncIterator[None]:
        """Wait for a turn and hold a place for the length of the block."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues[urgency].append(turn)
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._finish()
            raise
        try:
            yield
        finally:
            self._finish()

    def pause(self, seconds: float) -> None:
        """Begin no call for so long."""
        self._refill()
        self._tokens = 0.0
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def press(self) -> None:
        """Go more slowly, and find back: the limits are not disclosed and move (NOTES 5)."""
        self._refill()
        self._pressure = max(SLOWEST, self._pressure * BACK)

    def limit(self, per_minute: float) -> None:
        """Change the rate."""
        self._refill()
        self.rate = per_minute / 60
        self._serve()

    @property
    def paused_for(self) -> float:
        """Seconds until calls may begin again; 0 when they may."""
        return max(0.0, self._paused_until - self._clock())

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(not turn.done() for queue in self._queues.values() for turn in queue)

    def _finish(self) -> None:
        self._running -= 1
        self._serve()

    def _refill(self) -> None:
        now = self._clock()
        span = max(0.0, now - max(self._at, min(now, self._paused_until)))
        self._tokens = min(self._burst, self._tokens + span * self.rate * self._pressure)
        self._pressure = min(1.0, self._pressure * 2 ** (span / RECOVERY_S))
        self._at = now

    def _serve(self) -> None:
        self._refill()
        while self._tokens >= 1 and not self.paused_for:
            turn = self._next()
            if turn is None:
                return
            self._tokens -= 1
            self._running += 1
            self._granted += 1
            turn.set_result(None)
        if any(not turn.done() for urgency in self._admitted() for turn in self._queues[urgency]):
            self._arm()

    def _next(self) -> asyncio.Future[None] | None:
        least_first = self._granted % FAIRNESS == FAIRNESS - 1
        for urgency in sorted(self._admitted(), reverse=least_first):
            queue = self._queues[urgency]
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    return turn
        return None

    def _admitted(self) -> Iterable[Urgency]:
        """Return who may begin a call with the places that are free."""
        places = 1 if self.probing else self._concurrency
        kept = min(KEPT, places - 1)
        if self._running >= places:
            return ()
        return self._queues if self._running < places - kept else (Urgency.HINT,)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        missing = max(0.0, 1 - self._tokens) / (self.rate * self._pressure)
        self._timer = asyncio.get_running_loop().call_later(self.paused_for + missing, self._serve)
