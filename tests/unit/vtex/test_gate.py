"""The gate of an account: circuit, silence after 429, and sharing."""

import asyncio
from dataclasses import replace

import pytest

from connectors.vtex.gate import Gate, Gates
from connectors.vtex.settings import CallSettings
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import store_of

SETTINGS = CallSettings(breaker=3, breaker_wait=10.0, breaker_limit=30.0)


def test_failures_in_a_row_open_the_circuit_and_one_success_closes_it():
    """The wait doubles up to its limit; half open, one call at a time tries."""
    gate = Gate("acme", SETTINGS, 6000)
    for _ in range(2):
        gate.failed()
    assert gate.budget.paused_for == 0
    gate.failed()
    assert 9 < gate.budget.paused_for <= 10
    assert gate.budget.probing
    gate.budget._paused_until = 0
    gate.failed()
    assert 19 < gate.budget.paused_for <= 20
    gate.budget._paused_until = 0
    gate.failed()
    assert 29 < gate.budget.paused_for <= 30
    gate.succeeded()
    assert not gate.budget.probing
    gate.failed()
    assert gate._failures == 1


@pytest.mark.parametrize(("asked", "silent"), [(7.0, 7.0), (None, 60.0)])
def test_a_429_silences_the_account(asked, silent):
    """For as long as VTEX asks, else for a minute."""
    gate = Gate("acme", SETTINGS, 6000)
    assert gate.throttled(asked) == silent
    assert silent - 1 < gate.budget.paused_for <= silent


def test_stores_of_one_account_share_its_budget():
    """Also with stores that other pollers read, whenever they come and go; the floor is left to the shop."""
    acme, other = store_of(Shop("acme")), store_of(Shop("acme")).model_copy(update={"store": "acme-outlet"})
    gates = Gates(replace(SETTINGS, per_minute=6000, floor=0.4))
    gate = gates.enter(acme)
    gates.share([acme])
    assert gate.budget.rate == 60
    gates.share([acme, other])
    assert gate.budget.rate == 30
    gates.share([acme, other.model_copy(update={"paused": True})])
    assert gate.budget.rate == 60
    assert gates.enter(other) is gate
    gates.share([acme, other])
    assert gate.budget.rate == 60
    gates.leave(other)
    gates.share([acme, other])
    assert gate.budget.rate == 30
    foreign = store_of(Shop("beta"), calls_per_minute=600)
    slow = gates.enter(foreign)
    gates.share([acme, foreign])
    assert slow.budget.rate == 6


async def test_one_scroll_at_a_time():
    """Scrolls of an account follow one another."""
    gate = Gate("acme", SETTINGS, 6000)
    async with gate.scrolling:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.scrolling.acquire(), 0.01)
