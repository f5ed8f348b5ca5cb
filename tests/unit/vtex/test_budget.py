"""One budget for all calls of an account: never exceeded, nearly used up, the urgent first, nobody starved."""

import asyncio
import time

import pytest

from connectors.vtex.budget import Budget, Urgency

LONG_MS = 60_000


class WatchedBudget(Budget):
    """Notes when it lets a call begin; the call itself may wake up later."""

    def __init__(self, **settings):
        super().__init__(**settings)
        self.begun = []

    def _next(self):
        turn = super()._next()
        if turn is not None:
            self.begun.append(self._at)
        return turn


async def _call(budget, urgency, log, name="", hold=0.0):
    async with budget.call(urgency):
        log.append((time.monotonic(), name))
        await asyncio.sleep(hold)


async def test_the_rate_is_kept_and_used():
    """Whatever waits, no span of time sees more calls than its share and one burst; and hardly fewer."""
    rates = []
    for _ in range(5):  # a machine that is busy with something else may be late once
        budget, began = WatchedBudget(per_minute=600 * 60, burst=20, concurrency=100), time.monotonic()
        await asyncio.gather(*(_call(budget, Urgency.FOLLOW, []) for _ in range(300)))
        rates.append(300 / (time.monotonic() - began))
        times = budget.begun
        for first in range(300):
            for last in range(first, 300):
                assert last - first <= (times[last] - times[first]) * 600 + 20
        if rates[-1] > 0.8 * 600:
            return
    raise AssertionError(f"the budget of 600 calls a second was never used up: {rates}")


async def test_a_bucket_begins_empty():
    """A poller that takes over from a killed one adds no second burst."""
    budget, log, began = Budget(per_minute=100 * 60, burst=50, concurrency=100), [], time.monotonic()
    await asyncio.gather(*(_call(budget, Urgency.FOLLOW, log) for _ in range(10)))
    assert time.monotonic() - began >= 0.09


async def test_the_urgent_go_first_and_nobody_starves():
    """Hints overtake a backfill that waits, and every fifth call is the backfill's all the same."""
    budget, log = Budget(per_minute=2000 * 60, burst=1, concurrency=1), []
    backfill = [asyncio.create_task(_call(budget, Urgency.BACKFILL, log, "backfill")) for _ in range(10)]
    hints = [asyncio.create_task(_call(budget, Urgency.HINT, log, "hint")) for _ in range(40)]
    await asyncio.gather(*backfill, *hints)
    names = [name for _, name in log]
    assert names[:15].count("hint") >= 11
    assert all("backfill" in names[at : at + 6] for at in range(0, 40, 6))


async def test_slow_routine_calls_do_not_hold_up_a_hint():
    """Two places are left to hints, however many calls wait and however long those under way take."""
    budget, log = Budget(per_minute=LONG_MS * 60, burst=100, concurrency=8), []
    routine = [asyncio.create_task(_call(budget, Urgency.FOLLOW, log, "routine", hold=60)) for _ in range(20)]
    await asyncio.sleep(0.01)
    assert [name for _, name in log] == ["routine"] * 6
    await asyncio.wait_for(asyncio.gather(*(_call(budget, Urgency.HINT, log, "hint") for _ in range(5))), 30)
    assert [name for _, name in log] == ["routine"] * 6 + ["hint"] * 5
    routine[0].cancel()
    await asyncio.sleep(0.01)
    assert [name for _, name in log].count("routine") == 7
    for task in routine:
        task.cancel()
    await asyncio.gather(*routine, return_exceptions=True)


async def test_a_single_place_serves_everybody():
    """Where one call is allowed at a time, as after failures, none is kept for hints."""
    budget, log = Budget(per_minute=LONG_MS * 60, burst=100, concurrency=1), []
    await asyncio.gather(*(_call(budget, urgency, log) for urgency in Urgency))
    budget.probing = True
    await asyncio.wait_for(_call(budget, Urgency.SCAN, log), 30)
    assert len(log) == len(Urgency) + 1


async def test_a_pause_holds_everything_back():
    """No call begins before its end, and none piles up for it."""
    budget, log, began = Budget(per_minute=100 * 60, burst=100, concurrency=100), [], time.monotonic()
    budget.pause(0.2)
    await asyncio.gather(*(_call(budget, Urgency.HINT, log) for _ in range(20)))
    times = sorted(at - began for at, _ in log)
    assert times[0] >= 0.2
    assert times[-1] >= 0.39


async def test_a_cancelled_call_gives_its_turn_back():
    """Whoever stops waiting, or stops in the middle, holds no place."""
    budget, log = Budget(per_minute=LONG_MS * 60, burst=10, concurrency=1), []
    holder = asyncio.create_task(_call(budget, Urgency.HINT, log, "holder", hold=60))
    waiter = asyncio.create_task(_call(budget, Urgency.HINT, log, "waiter"))
    await asyncio.sleep(0.01)
    waiter.cancel()
    holder.cancel()
    await asyncio.gather(holder, waiter, return_exceptions=True)
    await asyncio.wait_for(_call(budget, Urgency.HINT, log, "next"), 30)
    assert [name for _, name in log] == ["holder", "next"]


async def test_after_a_429_the_rate_is_lower_for_a_while():
    """Limits are not disclosed and move: the budget goes down at once and comes back by itself."""
    now = [1000.0]
    budget = Budget(per_minute=6000, burst=1000, concurrency=1, clock=lambda: now[0])
    budget.press()
    now[0] += 1
    budget._refill()
    pressed = budget._tokens
    now[0] += 600
    budget._refill()
    budget._tokens = 0.0
    now[0] += 1
    budget._refill()
    assert pressed == pytest.approx(70, abs=1)
    assert budget._tokens == pytest.approx(100)


async def test_concurrency_is_bounded():
    """At most so many calls are under way."""
    budget, running, most = Budget(per_minute=LONG_MS * 60, burst=100, concurrency=3), 0, 0

    async def call():
        nonlocal running, most
        async with budget.call(Urgency.FOLLOW):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.001)
            running -= 1

    await asyncio.gather(*(call() for _ in range(30)))
    assert most == 1  # two more are kept for hints
