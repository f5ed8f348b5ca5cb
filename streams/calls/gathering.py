"""Calls that arrive one by one and leave together: Infobip takes 1000 persons a request, and five requests a second."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiolimiter import AsyncLimiter

from schemas.fates import EffectOutcome
from streams.engine.effect import Effect

SPACING_S: Final = 0.22
"""Between two requests of an account (contracts/infobip CONTRACT 2); spaced evenly, and a little more than a fifth of a
second, so that no jitter of a network makes a sixth in one."""
_Waiting = tuple[Effect, "asyncio.Future[EffectOutcome]"]
Together = Callable[[str, Sequence[Effect]], Awaitable[Sequence[EffectOutcome] | None]]
"""Makes the calls of one store at once; one outcome for each, in order. None: the request was refused as a whole, maybe
for the sake of one of them."""


class Pacer:
    """Lets five calls a second through for each account, whoever makes them."""

    def __init__(self, spacing_s: float = SPACING_S) -> None:
        self._spacing_s = spacing_s
        self._limiters: dict[str, AsyncLimiter] = {}

    async def turn(self, account: str) -> None:
        """Return when the account takes the next call."""
        limiter = self._limiters.setdefault(account, AsyncLimiter(1, self._spacing_s))
        await limiter.acquire()


class Gathering:
    """Collects effects of a store until its account takes a request, then makes them together.

    Args:
        together: makes them.
        turn: waits until the store's account takes a request; meanwhile more arrive.
        most: of one request.
        names: of what two effects of one request must not share (contracts/infobip NOTES 4: races inside a request are
            undocumented); who shares a name goes with the next.
    """

    def __init__(
        self, together: Together, turn: Callable[[str], Awaitable[None]], most: int,
        names: Callable[[Effect], frozenset[str]],
    ) -> None:  # fmt: skip
        self._together = together
        self._turn = turn
        self._most = most
        self._names = names
        self._waiting: dict[str, list[_Waiting]] = {}
        self._sending: set[asyncio.Task[None]] = set()

    async def call(self, effect: Effect) -> EffectOutcome:
        """Return the outcome of an effect, made together with others."""
        future: asyncio.Future[EffectOutcome] = asyncio.get_running_loop().create_future()
        queue = self._waiting.get(effect.store)
        if queue is None:
            queue = self._waiting[effect.store] = []
            task = asyncio.create_task(self._run(effect.store), name=f"gathering for {effect.store}")
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        queue.append((effect, future))
        return await future

    async def _run(self, store: str) -> None:
        while self._waiting[store]:
            await self._turn(store)
            batch = self._take(store)
            if batch:
                task = asyncio.create_task(self._make(store, batch), name=f"a request for {store}")
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
        del self._waiting[store]

    def _take(self, store: str) -> list[_Waiting]:
        taken: list[_Waiting] = []
        left: list[_Waiting] = []
        names: set[str] = set()
        for one in self._waiting[store]:
            if one[1].done():  # whoever waited for it has been cancelled
                continue
            own = self._names(one[0])
            if len(taken) < self._most and names.isdisjoint(own):
                taken.append(one)
                names |= own
            else:
                left.append(one)
        self._waiting[store] = left
        return taken

    async def _make(self, store: str, batch: list[_Waiting]) -> None:
        try:
            outcomes = await self._together(store, [effect for effect, _ in batch])
        except Exception as error:  # noqa: BLE001  a bug: the engine tells each of its effects so
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        if outcomes is None:
            await self._part(store, batch)
            return
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)

    async def _part(self, store: str, batch: list[_Waiting]) -> None:
        """Make the two halves of a batch apart: whom it was refused for must not take the others along."""
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            await self._turn(store)
            waiting = [one for one in half if not one[1].done()]
            if waiting:
                await self._make(store, waiting)
