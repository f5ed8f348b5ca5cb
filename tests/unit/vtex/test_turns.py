"""All stores of a poller share one thread: none holds it for long, so that a hint is served between two parts."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import orjson

from connectors.kafka.connection import KafkaConnection
from connectors.vtex import people as people_module
from connectors.vtex.budget import Urgency
from connectors.vtex.masterdata import MasterData
from connectors.vtex.pollers import Pollers, _Running
from connectors.vtex.serve import Group
from connectors.vtex.store import Surroundings
from connectors.vtex.turns import CALLS, PART, Turns
from sandbox.vtex.bulk import fill
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import QUICK, MemoryJournal, client_of, customers, store_of
from tests.unit.vtex.reading import readers


class Ticks:
    """Counts turns of the event loop, for the length of a block."""

    async def __aenter__(self):
        self.now = 0
        self._task = asyncio.create_task(self._count())
        return self

    async def __aexit__(self, *_):
        self._task.cancel()

    async def _count(self):
        while True:
            self.now += 1
            await asyncio.sleep(0)


async def test_one_part_of_one_store_a_turn():
    """Two stores with many things each: what is made in one turn of the loop is one part."""
    turns, made, many = Turns(), [], 2 * PART + PART // 2
    async with Ticks() as ticks:

        def make(part):
            made.append((ticks.now, len(part)))
            return sum(part)

        found = await asyncio.gather(turns.each(range(many), make), turns.each(range(PART), make), turns.each([], make))
    parts = [range(PART), range(PART, 2 * PART), range(2 * PART, many)]
    assert found == [list(map(sum, parts)), [sum(range(PART))], []]
    assert [size for _, size in made] == [PART, PART, PART // 2, PART]
    assert len({tick for tick, _ in made}) == 4


async def test_few_routine_calls_begin_in_one_turn_and_a_hint_waits_for_none():
    """Two hundred stores look at the same time: their calls follow one another; whoever gave up holds no place."""
    shops = [Shop(f"shop{number}") for number in range(12)]
    turns, begun = Turns(), []
    clients = []
    for shop in shops:
        client = client_of(shop)
        client._turns = turns
        clients.append(client)
    async with Ticks() as ticks:

        async def ask(client, urgency):
            request = client._http.request

            async def noting(*details, **more):
                begun.append((ticks.now, urgency))
                return await request(*details, **more)

            client._http.request = noting
            return await MasterData(client).count("CL", "id is not null", urgency)

        waiting = [asyncio.create_task(ask(client, Urgency.FOLLOW)) for client in clients[:-1]]
        await asyncio.sleep(0)
        waiting[0].cancel()
        began = ticks.now
        await asyncio.gather(ask(clients[-1], Urgency.HINT), *waiting[1:])
    by_tick = Counter(tick for tick, urgency in begun if urgency is Urgency.FOLLOW)
    assert sum(by_tick.values()) == 10
    assert max(by_tick.values()) <= CALLS
    assert next(tick for tick, urgency in begun if urgency is Urgency.HINT) - began <= 2


async def test_stores_that_read_their_first_customers_share_the_thread(monkeypatch):
    """However many of them: not more documents are mapped in one turn of the loop than one part."""
    mapped, turns = {}, Turns()
    read = people_module.read_customer
    backfills = []
    for number in range(6):
        shop = Shop(f"shop{number}")
        fill(shop, 600)
        source, _, backfill, _ = readers(shop, MemoryJournal(), customers())
        source.turns = turns
        backfills.append(backfill)
    async with Ticks() as ticks:

        def counted(*details):
            mapped[ticks.now] = mapped.get(ticks.now, 0) + 1
            return read(*details)

        monkeypatch.setattr(people_module, "read_customer", counted)
        await asyncio.gather(*(backfill.run() for backfill in backfills))
    assert sum(mapped.values()) == 6 * 600
    assert max(mapped.values()) == PART


async def test_a_hint_of_a_partition_that_is_being_given_away_is_left_to_its_next_owner():
    """It is not done, so its offset is not committed; one of a store that nobody reads is."""
    around = Surroundings(None, None, QUICK, 4, None, None)
    pollers = Pollers(SimpleNamespace(get=lambda _: None), around)
    group = Group(KafkaConnection("127.0.0.1:1"), QUICK, pollers)
    value = orjson.dumps({"store": "acme", "resource": "customer", "id": "c1"})
    group._hint(1, SimpleNamespace(key=b"acme", value=value, offset=7))
    assert group._offsets.due() == {1: 7}
    pollers.own([1])
    group._hint(1, SimpleNamespace(key=b"acme", value=value, offset=8))
    await group._assigned([1])
    group._hint(1, SimpleNamespace(key=b"acme", value=value, offset=8))
    assert group._offsets.due() == {1: 9}
    await group._consumer.stop()


async def test_hints_are_not_done_because_their_partition_is_given_away_while_stores_are_stopped():
    """A store is being stopped when the group is told to give up: what waits for the others is their next owner's."""
    store, pausing = store_of(Shop("acme")), store_of(Shop("beta")).model_copy(update={"paused": True})
    rows = {row.store: row for row in (store, pausing)}
    around = Surroundings(None, None, QUICK, 1, None, None)
    pollers = Pollers(SimpleNamespace(get=rows.get, all=lambda: tuple(rows.values())), around)
    pollers.own([0])
    done, ending = [], asyncio.Event()
    pollers.inbox("acme").put(("customer", "c1"), lambda: done.append("acme"))

    async def slow():
        try:
            await asyncio.Event().wait()
        finally:
            await ending.wait()

    pollers._running["beta"] = _Running(pausing, asyncio.create_task(slow()))
    pollers._running["acme"] = _Running(store, asyncio.create_task(asyncio.Event().wait()))
    pollers._gates.enter(pausing)
    await asyncio.sleep(0)
    async with pollers._turn:
        reconciling = asyncio.create_task(pollers._reconcile())
        await asyncio.sleep(0)
        giving_up = asyncio.create_task(pollers.give_up())
        await asyncio.sleep(0)
        ending.set()
        await reconciling
    await giving_up
    assert done == []
