"""Who computes when: all stores of a poller share one thread, and none may hold it for long.

Mapping a page of a thousand documents takes some 50 ms. With sixty stores that read their first customers, each turn of
the event loop took up to a second and a half, and a hint, which needs some twenty turns from the broker to VTEX and
back, twelve seconds. So what computes on many documents does so one store at a time, a part at a time, and everything
else is served between two parts.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

PART: Final = 50
"""Documents mapped at a time: some 2 ms."""
CALLS: Final = 4
"""Routine calls that begin in one turn of the loop; sending one and reading its answer takes some 2 ms."""
Thing = TypeVar("Thing")
Made = TypeVar("Made")


class Turns:
    """The turns of one process; the stores come in the order in which they ask."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def begin(self) -> None:
        """Wait until a routine call may begin: few do in one turn of the loop, so that each of them stays short.

        On an idle machine turns follow one another within a fraction of a millisecond, and this is no wait; on a
        crowded one calls of two hundred stores would otherwise begin and end in the same turn.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._admit)
        await turn

    def _admit(self) -> None:
        admitted = 0
        while self._waiting and admitted < CALLS:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                admitted += 1
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._admit)

    async def each(
        self, things: Sequence[Thing], make: Callable[[Sequence[Thing]], Made], part: int = PART
    ) -> list[Made]:
        """Return what is made of every part of some things, when nobody else of the process computes.

        Args:
            things: all of them.
            make: works on a part; must not block.
            part: things in one.
        """
        async with self._turn:
            made = []
            for at in range(0, len(things), part):
                made.append(make(things[at : at + part]))
                await asyncio.sleep(0)
            return made
