"""Orders by lists, where the key may not read a feed: nothing missed, little asked, and none of it twice."""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.vtex.errors import ResourceMissing, VtexError
from connectors.vtex.hints import Inbox
from connectors.vtex.store import Readers, Surroundings
from sandbox.vtex.clock import SECOND, system_clock
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.keys import CONNECTOR, Resource
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import QUICK, MemoryJournal, StoppedError, source_of

LISTS = CONNECTOR - {Resource.FEED_ADMIN, Resource.FEED_VIEW}
LIST, ORDER = "GET /api/oms/pvt/orders", "GET /api/oms/pvt/orders/{order_id}"


class Reading:
    """A store whose key has no feed, and its time, which is ours to move."""

    def __init__(self, hostility=Hostility(), resources=LISTS):  # noqa: B008  frozen
        self.at = system_clock()
        self.shop = Shop("acme", hostility=hostility, clock=lambda: self.at, resources=resources)
        self.journal = MemoryJournal()
        self.begin()

    def begin(self):
        """Open the store, as a new poller does."""
        around = Surroundings(None, None, replace(QUICK, orders=replace(QUICK.orders, watch=0.0)), 1, None, None)
        self.source = source_of(self.shop, self.journal, around.settings)
        self.source.client._now = lambda: self.at / SECOND
        self.look = Readers(self.source, Inbox(), around).looks()["orders"]

    def later(self, seconds):
        """Let time pass."""
        self.at += int(seconds * SECOND)

    def order(self):
        """Place an order."""
        return self.shop.place_order({
            "email": "ana@shop.example", "items": [{"sku": "1", "price": 4200, "quantity": 1}],
        })  # fmt: skip

    async def looks(self, times=1, every=60):
        """Look again and again; a refused feed is what is expected."""
        for _ in range(times):
            with suppress(VtexError):
                await self.look()
            self.later(every)

    def told(self):
        """Return the last status told of each order."""
        return {e["subject"]: e["data"]["status"] for e in self.journal.said() if e["type"] == "vtex.order.changed"}

    def truth(self):
        """Return the status of each order."""
        return {one: order["status"] for one, order in self.shop.book.orders.items()}

    def calls(self, kind):
        """Return the number of calls of a kind."""
        return self.shop.budget.calls[kind]


def _move(reading, orders, dice):
    kind = dice.random()
    if kind < 0.4 or not orders:
        orders.append(reading.order())
        return
    one = dice.choice(orders)
    status = reading.shop.order(one)["status"]
    if kind < 0.6 and status == "payment-pending":
        reading.shop.approve_order(one)
    elif kind < 0.8 and status not in {"canceled", "invoiced", "replaced"}:
        reading.shop.invoice_order(one)
    elif kind < 0.9 and status not in {"canceled", "invoiced", "replaced"}:
        reading.shop.change_order(one, status="replaced")
    elif status not in {"canceled", "invoiced", "replaced"}:
        reading.shop.cancel_order(one)


async def _history(seed):
    """Hours of a shop: lists lag by up to 20 minutes, a few by hours; calls fail; the poller is killed now and then."""
    dice = random.Random(seed)
    hostility = Hostility(
        seed=seed, list_lag=dice.choice([0, 240, 1150, 4 * 3600]), errors=0.03, truncations=0.03, null_status=0.03,
    )  # fmt: skip
    reading, orders = Reading(hostility), []
    for _ in range(dice.randrange(5, 60)):
        for _ in range(dice.randrange(3)):
            _move(reading, orders, dice)
        if dice.random() < 0.1:
            reading.journal.dies_at = reading.journal.steps + dice.randrange(1, 4)
        try:
            await reading.looks(every=dice.choice([1, 60, 60, 3600]))
        except StoppedError:
            reading.journal.dies_at = None
            reading.begin()
    reading.journal.dies_at = None
    reading.shop.hostility = Hostility()
    await reading.looks(20, every=900)  # lists may be hours behind
    return reading


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_any_history_is_told_by_lists(seed):
    """Placed, approved, invoiced, cancelled, replaced, whatever lists lag by, poller killed or not: difference 0."""
    reading = asyncio.run(_history(seed))
    assert reading.told() == reading.truth()


async def test_a_look_costs_three_lists_and_what_has_changed():
    """And one question whether there is a feed now; an order that has not changed is not read again."""
    reading = Reading()
    orders = [reading.order() for _ in range(30)]
    await reading.looks(2)
    lists, whole = reading.calls(LIST), reading.calls(ORDER)
    assert whole == 30
    reading.shop.approve_order(orders[0])
    total = reading.shop.budget.calls.total()
    await reading.looks(5)
    assert reading.calls(LIST) - lists == 5 * 3
    assert reading.calls(ORDER) - whole == 1
    assert reading.shop.budget.calls.total() - total == 5 * (1 + 3) + 1


async def test_what_was_cancelled_is_listed_every_quarter_of_an_hour():
    """A cancellation of an order of some weeks ago has no date that a list could be asked for."""
    reading = Reading()
    old = [reading.order() for _ in range(3)]
    await reading.looks(1)
    reading.later(20 * 86400)
    await reading.looks(1)
    reading.shop.cancel_order(old[0])
    reading.shop.change_order(old[1], status="replaced")
    await reading.looks(13)
    assert reading.told() != reading.truth()
    lists = reading.calls(LIST)
    await reading.looks(3)
    assert reading.told() == reading.truth()
    assert reading.calls(LIST) - lists == 3 * 3 + 2


async def test_a_right_taken_away_and_given_back_leaves_no_gap():
    """Lists begin where the feed ended, and a feed where lists did."""
    reading = Reading(Hostility(list_lag=300), CONNECTOR)
    await reading.looks(2, every=1300)
    orders = [reading.order()]
    await reading.looks(1, every=1)
    reading.shop.keyring.keys[reading.shop.app_key].resources = set(LISTS)
    reading.shop.feeds.clear()
    reading.later(7200)  # nobody read for two hours
    orders.append(reading.order())
    reading.later(7200)
    await reading.looks(10)
    assert reading.told().keys() == set(orders)
    orders.append(reading.order())
    lists = reading.calls(LIST)
    reading.shop.keyring.keys[reading.shop.app_key].resources = set(CONNECTOR)
    await reading.looks(1)
    assert reading.calls(LIST) - lists == 5  # of the minutes since the last look, not of four hours
    reading.later(1300)
    await reading.looks(1)
    assert reading.told().keys() == set(orders)


async def test_an_order_that_no_answer_shows_is_asked_for_again_without_a_feed():
    """A hint of an order that OMS does not know yet: after five seconds, and not for ever."""
    reading = Reading()
    await reading.looks(1)
    order = reading.order()
    hidden = reading.shop.book.orders.pop(order)
    reading.source.owed.add(order)
    await reading.looks(1, every=6)
    assert list(reading.journal.positions()["orders"]["later"]) == [order]
    reading.shop.book.orders[order] = hidden
    reading.shop.hostility = Hostility(list_lag=1e9)
    await reading.looks(1)
    assert reading.told() == {order: "payment-pending"}
    with pytest.raises(ResourceMissing, match="Feed v3 and Hook Admin"):
        await reading.look()


async def test_a_clock_that_went_back_stops_no_lists():
    """A wrong time stood in the cursor: the next window would have begun after its end, and shown nothing for hours."""
    reading = Reading()
    await reading.looks()
    reading.later(12 * 3600)
    await reading.looks()
    reading.later(-12 * 3600)
    order = reading.order()
    await reading.looks()
    assert reading.told() == {order: reading.shop.order(order)["status"]}
    assert reading.journal.positions()["orders.lists"]["wide"] <= reading.at // (SECOND // 1000)
