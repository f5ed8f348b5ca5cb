"""A customer deleted in VTEX and made again, under another id with the same e-mail: from the shop to Hellotext.

The shop is the sandbox's, the poller's readers and the agents are the product's; Kafka is memory.
"""

import random

import pytest

from connectors.vtex.budget import Urgency
from connectors.vtex.hints import HintReader, Inbox
from connectors.vtex.purchases import Purchases
from sandbox.vtex.clock import SECOND, system_clock
from sandbox.vtex.shop import Shop
from schemas import topics
from schemas.vtex import Customer
from streams.customers import CustomersAgent
from streams.engine.testing import MemoryShard
from streams.profiles import ProfilesAgent
from streams.stores import Stores
from tests.destinations import Calls, StandInHellotext
from tests.stores import GivenDirectory, a_store
from tests.unit.vtex.memory import MemoryJournal, customers
from tests.unit.vtex.reading import difference, readers

EMAIL = "ana@shop.example"


class World:
    """Shop, poller, agents and Hellotext."""

    def __init__(self, *, erase=False, seed=None):
        self.at = system_clock()
        self.shop = Shop("acme", clock=lambda: self.at)
        self.journal = MemoryJournal()
        self.source, self.people, self.backfill, self.follow = readers(self.shop, self.journal, customers())
        self.source.client._now = lambda: self.at / SECOND
        self.hellotext = StandInHellotext()
        stores = Stores(GivenDirectory(a_store(erase_deleted=erase)), lambda sealed: sealed)
        self.shard = MemoryShard([CustomersAgent(stores), ProfilesAgent(stores)])
        self.calls = Calls(self.shard, stores, self.hellotext.client())
        if seed is not None:
            heads = self.calls._heads
            self.calls._heads = lambda: random.Random(seed).sample(found := heads(), len(found))
        self._fed = 0

    def put(self, name):
        """Put a customer in; returns the id."""
        self.at += 10 * SECOND
        return self.shop.put_customer({"email": EMAIL, "firstName": name, "homePhone": "+5511987654321"})

    def delete(self, customer):
        """Delete a customer."""
        self.at += 10 * SECOND
        self.shop.delete_customer(customer)

    async def hint(self, *ids):
        """Have triggers name documents."""
        inbox = Inbox()
        for one in ids:
            inbox.put(("customer", one), lambda: None)
        await HintReader(self.source, self.people, Purchases(self.source, self.people), inbox).look()

    async def agree(self, *, calls=True):
        """Feed what the poller wrote to the agents, and make their calls."""
        records, self._fed = self.journal.records[self._fed :], len(self.journal.records)
        if records:
            await self.shard.feed(topics.VTEX_CHANGES, *records)
        await self.shard.settle()
        if calls:
            await self.calls.settle()
            await self.shard.settle()

    def rows(self):
        """Return the last row of each customer."""
        rows = [Customer.model_validate_json(value) for _, value in self.shard.outputs(topics.VTEX_CUSTOMERS)]
        return {row.customer: row for row in rows}

    def told(self, *ids):
        """Return what stands of these customers, the profiles' names, and who is not as the shop has it."""
        rows = self.rows()
        people = [(rows[one].deleted, rows[one].email, rows[one].first_name) for one in ids]
        names = [profile["first_name"] for profile in self.hellotext.profiles.values()]
        return people, names, difference(self.shop, self.source, self.journal)


# The old one is deleted, the new one stands, and so does one profile: the new one's.
RIGHT = [(True, None, None), (False, EMAIL, "Bia")], ["Bia"], set()


@pytest.mark.parametrize("erase", [False, True])
@pytest.mark.parametrize("how", ["follow", "hint of both", "hint of the new one", "new one made first"])
async def test_whoever_is_made_again_keeps_the_profile(how, erase):
    """Whichever the poller sees first, and whether or not the store has deleted customers erased."""
    world = World(erase=erase)
    old = world.put("Ana")
    await world.backfill.run()
    await world.follow.look()
    await world.agree()
    if how == "new one made first":
        new = world.put("Bia")
        await world.follow.look()
        await world.agree()
    world.delete(old)
    if how != "new one made first":
        new = world.put("Bia")
    if how == "hint of both":
        await world.hint(old, new)
    elif how == "hint of the new one":
        await world.hint(new)
        await world.agree()
    await world.follow.look()
    await world.agree()
    assert world.told(old, new) == RIGHT


@pytest.mark.parametrize("erase", [False, True])
async def test_what_only_a_scan_finds_is_right_too(erase):
    """A deletion of long ago, found after the new one was told: by a 404 of the document, and no earlier."""
    world = World(erase=erase)
    old = world.put("Ana")
    await world.backfill.run()
    await world.follow.look()
    await world.agree()
    world.at += 86_400 * SECOND
    await world.follow.look()
    world.delete(old)
    new = world.put("Bia")
    await world.follow.look()
    await world.agree()
    assert not world.rows()[old].deleted
    assert [profile["first_name"] for profile in world.hellotext.profiles.values()] == ["Bia"]
    await world.people.emit([old], "scan", Urgency.SCAN)
    await world.agree()
    assert world.told(old, new) == RIGHT


@pytest.mark.parametrize("seed", range(8))
async def test_calls_in_any_order_leave_the_profile(seed):
    """The new one's create and the old one's erasure are under way together."""
    world = World(erase=True, seed=seed)
    old = world.put("Ana")
    await world.backfill.run()
    await world.follow.look()
    await world.agree()
    new = world.put("Bia")
    await world.hint(new)
    await world.agree(calls=False)
    world.delete(old)
    await world.hint(old)
    await world.agree(calls=False)
    await world.agree()
    assert world.told(old, new) == RIGHT
