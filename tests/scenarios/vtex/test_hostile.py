"""VTEX at its worst: what is in `vtex.changes` ends as the shop has it all the same."""

import asyncio
import random
from dataclasses import replace

import pytest

from sandbox.vtex.budget import Budget
from sandbox.vtex.hostility import GENTLE, harsh
from sandbox.vtex.keys import CONNECTOR, Resource
from sandbox.vtex.serve import serving
from sandbox.vtex.shop import Shop
from tests.scenarios.vtex.agreed import last_is_the_shops, rows_of, written_once
from tests.scenarios.vtex.shops import FAST, connect, connected, cursors, events, fill, latest, polling, truth, until
from tests.scenarios.vtex.test_kills import Life

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

PATIENT = replace(
    FAST,
    calls=replace(FAST.calls, attempts=6),
    customers=replace(FAST.customers, scan_first=0.5, scan_every=1.0, slice=300, scroll_size=100),
    orders=replace(FAST.orders, watch=1.0, visibility=2.0, refunds_every=1.0),
)


LONG = pytest.mark.long
LISTS = CONNECTOR - {Resource.FEED_ADMIN, Resource.FEED_VIEW}


def _mixed(seed):
    """Return some of what can go wrong, at other rates each time, and the rest not at all."""
    dice, worst = random.Random(seed), harsh(seed, lag=1.5, wipes=0.0, scrolls_taken=10, never_indexed=0.0)
    kept = {"seed", "after_effect", "wildcards_allowed", "storm_length", "retry_after", "slow_for"}
    return worst.with_(**{
        name: getattr(GENTLE, name) if dice.random() < 0.5 else _scaled(getattr(worst, name), dice)
        for name in worst.__dataclass_fields__ if name not in kept
    })  # fmt: skip


def _scaled(value, dice):
    return value * dice.uniform(0.3, 2.0) if isinstance(value, float) else value


HOSTILE = [
    harsh(1, lag=1.5, wipes=0.0),
    *(pytest.param(harsh(seed, lag=1.5, wipes=0.0), marks=LONG) for seed in range(2, 6)),
    *(pytest.param(_mixed(seed), marks=LONG) for seed in range(6, 11)),
]


@pytest.mark.parametrize("hostility", HOSTILE, ids=lambda hostility: f"seed{hostility.seed}")
async def test_a_hostile_vtex_is_read_truly(kafka, hostility):
    """Lag, ghosts, equal times, shifts, lies, storms, cuts, lost scrolls and feeds: difference 0 all the same.

    Deletes and refunds included; every feed event committed; the budget kept; and no change is written twice.
    """
    shop = Shop("acme", hostility=hostility, budget=Budget(rate=2000, burst=60))
    await _read_truly(kafka, shop, PATIENT)
    assert [feed.told(shop.clock())["quantity"] for feed in shop.feeds.values()] == [0]


async def test_a_hostile_vtex_without_a_feed_is_read_truly(kafka):
    """The key may not read one: lists that are behind, and as full of faults, come to the same."""
    hostility = harsh(21, lag=1.5, wipes=0.0, list_lag=0.7)
    shop = Shop("acme", hostility=hostility, budget=Budget(rate=2000, burst=60), resources=LISTS)
    often = replace(PATIENT, rest=0.3, orders=replace(PATIENT.orders, lists_wide_every=1.0))
    await _read_truly(kafka, shop, often)
    assert shop.feeds == {}


async def _read_truly(kafka, shop, settings):
    seed = shop.hostility.seed
    fill(shop, 300)
    life, dice = Life(shop, seed), random.Random(seed)
    async with serving({"acme": shop}) as url:
        store = connected(shop, url)
        await connect(kafka, store)
        async with polling(kafka, settings):
            living = asyncio.create_task(life.go_on())
            placed = []
            for _ in range(25):
                placed.append(shop.place_order({
                    "customer": dice.choice(life.ids), "items": [{"sku": "1", "price": 4200, "quantity": 1}],
                }))  # fmt: skip
                _move(shop, dice.choice(placed), dice)
                await asyncio.sleep(0.05)
            living.cancel()
            shop.hostility = replace(shop.hostility, lag=0.5)
            await until(lambda: _agreed(kafka, shop, store, placed), 240)
            shop.hostility = GENTLE
            await until(lambda: _drained(shop))
            await until(lambda: _scanned(kafka))
    assert shop.budget.refused == 0
    customers, orders = await rows_of(kafka, "acme")
    last_is_the_shops(customers, orders, shop)
    written_once(customers)
    written_once(orders)


def _move(shop, order_id, dice):
    kind, status = dice.random(), shop.order(order_id)["status"]
    if kind < 0.3 and status == "payment-pending":
        shop.approve_order(order_id)
    elif kind < 0.6 and status not in {"canceled", "invoiced"}:
        shop.invoice_order(order_id)
    elif kind < 0.8 and status == "invoiced":
        shop.return_order(order_id, 1200)
    elif status not in {"canceled", "invoiced"}:
        shop.cancel_order(order_id)


async def _agreed(kafka, shop, store, placed):
    there = {one: state for one, state in (await latest(kafka, "acme")).items() if state is not None}
    if there != truth(shop, store):
        return False
    orders = {}
    for event in await events(kafka):
        if event["type"] == "vtex.order.changed":
            orders[event["subject"]] = event["data"]
    return all(_same(orders.get(one), shop.order(one)) for one in placed)


def _same(read, order):
    if read is None or read["status"] != order["status"]:
        return False
    returned = {
        package["invoiceNumber"]
        for package in (order.get("packageAttachment") or {}).get("packages") or []
        if package["type"] == "Input"
    }
    return {each["invoice_number"] for each in read["returns"]} == returned


async def _scanned(kafka):
    return "known" in (await cursors(kafka, "acme")).get("customers.scan", {})


async def _drained(shop):
    return all(not feed.told(shop.clock())["quantity"] for feed in shop.feeds.values())
