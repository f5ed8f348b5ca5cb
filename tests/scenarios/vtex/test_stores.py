"""Several stores on one poller: each on its own, added, paused and removed at any time; hints; one owner at a time."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.provisioning import provision
from connectors.vtex.journal import Fenced, Journal, JournalBroken, Step
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.serve import serving
from sandbox.vtex.shop import Shop
from schemas import topics
from tests.conftest import PARTITIONS
from tests.scenarios.vtex.shops import (
    FAST,
    connect,
    connected,
    cursors,
    events,
    fill,
    latest,
    polling,
    truth,
    until,
    write,
)

pytestmark = pytest.mark.broker


async def _is(kafka, shop, store):
    return await latest(kafka, store.store) == truth(shop, store)


async def test_stores_come_pause_and_go_without_a_restart(kafka):
    """A wrong key or a silent VTEX of one store delays no other; the problem is told in its cursor row."""
    shops = {name: Shop(name) for name in ("acme", "beta", "gama")}
    for shop in shops.values():
        fill(shop, 20)
    async with serving(shops) as url, polling(kafka):
        acme, beta, gama = (connected(shop, url) for shop in shops.values())
        wrong = acme.model_copy(update={"vtex": acme.vtex.model_copy(update={"app_key": "unknown"})})
        silent = gama.model_copy(update={"vtex": gama.vtex.model_copy(update={"url": "http://127.0.0.1:1"})})
        await connect(kafka, wrong, beta, silent)
        await until(lambda: _is(kafka, shops["beta"], beta))
        await until(lambda: _problem(kafka, "acme", "refuses the App Key"))
        await until(lambda: _problem(kafka, "gama", "did not answer"))
        assert await latest(kafka, "acme") == {}

        await connect(kafka, acme)  # the key is put right
        await until(lambda: _is(kafka, shops["acme"], acme))
        await until(lambda: _problem(kafka, "acme", None))

        await connect(kafka, beta.model_copy(update={"paused": True}))
        await until(lambda: _quiet(shops["beta"]))
        fill(shops["beta"], 5, first=100)
        await connect(kafka, beta)
        await until(lambda: _is(kafka, shops["beta"], beta))

        await write(kafka, topics.STORES, "beta", b"beta", None)
        await until(lambda: _quiet(shops["beta"]))


async def _problem(kafka, store, text):
    problems = (await cursors(kafka, store)).get("status", {}).get("problems", {})
    return any(text in problem for problem in problems.values()) if text else problems == {}


async def _quiet(shop):
    """Whether nobody calls the shop any more, for three looks' time."""
    before = shop.budget.calls.total()
    await asyncio.sleep(3 * FAST.interval)
    return shop.budget.calls.total() == before


async def test_a_hint_is_followed_at_once(kafka):
    """Also to a customer whom the index never shows, and to a deleted one; forged hints cost a read."""
    shop = Shop("acme")
    [gone] = fill(shop, 1)
    slow = replace(FAST, interval=3600.0, orders=replace(FAST.orders, interval=3600.0))
    async with serving({"acme": shop}) as url, polling(kafka, slow):
        store = connected(shop, url)
        await connect(kafka, store)
        await until(lambda: _is(kafka, shop, store))
        await until(lambda: _backfilled(kafka))
        [new] = fill(shop, 1, first=50)
        order = shop.place_order({"customer": new, "items": [{"sku": "1", "price": 4200, "quantity": 1}]})
        shop.delete_customer(gone)
        for resource, one in (("customer", new), ("customer", gone), ("order", order), ("customer", "forged")):
            hint = {"store": "acme", "resource": resource, "id": one, "received_at": "2026-11-26T10:00:00Z"}
            await write(kafka, topics.VTEX_HINTS, "acme", b"acme", orjson.dumps(hint))
        await write(kafka, topics.VTEX_HINTS, "acme", b"acme", b"not a hint")
        await until(lambda: _told(kafka, {(new, "hint"), (gone, "hint"), (order, "hint")}))
    assert await latest(kafka, "acme") == {**truth(shop, store), gone: None, "forged": None}


async def _backfilled(kafka):
    where = await cursors(kafka, "acme")
    return all(where.get(f"{name}.backfill", {}).get("finished") for name in ("customers", "addresses", "orders"))


async def _told(kafka, wanted):
    return wanted <= {(event["subject"], event["data"]["read_by"]) for event in await events(kafka)}


async def test_a_hint_is_served_before_routine_reads_that_wait(kafka):
    """Four hundred changed customers wait for a VTEX that takes a second a call; a hinted one does not."""
    shop = Shop("acme")
    ids = fill(shop, 400)
    async with serving({"acme": shop}) as url, polling(kafka):
        store = connected(shop, url)
        await connect(kafka, store)
        await until(lambda: _is(kafka, shop, store))
        await until(lambda: _backfilled(kafka))
        shop.hostility = Hostility(slow=1.0, slow_for=2.0)
        for one in ids:
            shop.put_customer({"id": one, "firstName": "Changed"})
        asked = shop.budget.calls["GET /api/dataentities/{acronym}/documents/{id}"]
        await until(lambda: _asked(shop, asked + 6))
        [new] = fill(shop, 1, first=1000)
        hint = {"store": "acme", "resource": "customer", "id": new, "received_at": "2026-11-26T10:00:00Z"}
        await write(kafka, topics.VTEX_HINTS, "acme", b"acme", orjson.dumps(hint))
        await until(lambda: _told(kafka, {(new, "hint")}))
        told = [(event["subject"], event["data"]["first_name"]) for event in await events(kafka)]
        before = told[: [customer for customer, _ in told].index(new)]
        assert sum(name == "Changed" for _, name in before) < 200
        shop.hostility = Hostility()


async def _asked(shop, documents):
    return shop.budget.calls["GET /api/dataentities/{acronym}/documents/{id}"] >= documents


async def test_a_zombie_is_fenced(kafka):
    """The old owner of a store can write nothing once the new one has opened its journal."""
    old, new = (Journal(kafka, "acme", PARTITIONS, 10.0) for _ in range(2))
    async with old:
        await old.write(lambda step: step.cursor("acme", "customers", {"settled": 1}))
        async with new:
            with pytest.raises(Fenced):
                await old.write(lambda step: _event(step, b"old"))
            with pytest.raises(Exception, match="another poller"):
                await old.write(lambda step: _event(step, b"again"))
            await new.write(lambda step: _event(step, b"new"))
    assert [event["subject"] for event in await events(kafka)] == ["new"]


def _event(step: Step, name: bytes) -> None:
    step.events.append((b"acme/" + name, orjson.dumps({"subject": name.decode()})))
    step.cursor("acme", "customers", {"settled": 2})


async def test_a_reader_that_is_cancelled_leaves_a_whole_step(kafka):
    """Events and cursor are there together, or neither."""
    async with Journal(kafka, "acme", PARTITIONS, 10.0) as journal:
        writing = asyncio.create_task(journal.write(lambda step: _event(step, b"one")))
        await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await journal.write(lambda step: _event(step, b"two"))
    subjects = [event["subject"] for event in await events(kafka)]
    assert subjects in (["one", "two"], ["two"])


async def test_a_journal_whose_broker_is_silent_leaves_nothing_behind():
    """Opened again and again while the broker is away, each would have left its sender and connections for ever."""
    async with EmbeddedKafka() as own:
        kafka = own.connection()
        await provision(kafka, partitions=PARTITIONS, replication=1)
        before = asyncio.all_tasks()
        [node] = own.nodes.values()
        async with Journal(kafka, "acme", PARTITIONS, 1.0) as journal:
            await journal.write(lambda step: _event(step, b"one"))
            node.freeze()
            with pytest.raises(JournalBroken):
                await journal.write(lambda step: _event(step, b"two"))
        assert asyncio.all_tasks() == before
