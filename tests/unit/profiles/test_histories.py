"""Random histories: changes, deletions, lost answers, crashes, in any mixture; the end is always the same."""

import asyncio

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.destinations import StandInHellotext
from tests.unit.profiles.conftest import World, a_customer

CUSTOMERS = ("c1", "c2", "c3", "c4")
EMAILS = {"c1": "a@shop.example", "c2": "a@shop.example", "c3": "b@shop.example", "c4": "c@shop.example"}

steps = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(CUSTOMERS), st.sampled_from("xyz")),
    st.tuples(st.just("delete"), st.sampled_from(CUSTOMERS)),
    st.tuples(st.just("part"), st.sampled_from(("c1", "c2"))),
    st.tuples(st.just("again"), st.sampled_from(CUSTOMERS)),
    st.tuples(st.just("call")),
    st.tuples(st.just("lose"), st.sampled_from([0.0, 0.5, 1.0])),
    st.tuples(st.just("restart")),
    st.tuples(st.just("tick")),
)


class Shop:
    """What VTEX would show, beside the world under test."""

    def __init__(self, seed):
        self.world = World(StandInHellotext(seed=seed))
        self.now = {}
        self.days = 0
        self.emails = dict(EMAILS)

    async def do(self, step):
        """Take one step."""
        name, *rest = step
        await getattr(self, f"_{name}")(*rest)

    async def _put(self, customer, **changes):
        self.days += 1
        version = self.now[customer].version + 1 if customer in self.now else 1
        values = {"email": self.emails[customer], **changes}
        self.now[customer] = a_customer(
            customer, version, source_version=f"2026-01-01T00:00:00.{self.days:07d}Z", **values
        )
        await self.world.feed(self.now[customer])

    async def _change(self, customer, name):
        await self._put(customer, first_name=f"{customer} {name}")

    async def _part(self, customer):
        self.emails[customer] = f"{customer}@shop.example"
        await self._put(customer)

    async def _delete(self, customer):
        if customer in self.now:
            await self._put(customer, deleted=True)

    async def _again(self, customer):
        if customer in self.now:
            await self.world.feed(self.now[customer])

    async def _call(self):
        await self.world.calls.once()

    async def _lose(self, share):
        self.world.hellotext.lost = share

    async def _restart(self):
        self.world.shard.restart()

    async def _tick(self):
        await self.world.shard.tick(5_000)

    def wanted(self):
        """Return the name in each e-mail's profile: that of the customer who changed last and is not deleted."""
        alive = [one for one in self.now.values() if not one.deleted]
        latest = sorted(alive, key=lambda one: one.source_version)
        return {one.email: one.first_name for one in latest}


SHARED = [("change", "c1", "x"), ("call",), ("change", "c2", "y"), ("call",)]


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=60), st.integers(0, 3))
@example([*SHARED, ("part", "c2")], 0)
@example([*SHARED, ("part", "c1"), ("lose", 1.0), ("call",), ("restart",), ("change", "c2", "z")], 1)
@example([*SHARED, ("part", "c1"), ("call",), ("part", "c2"), ("delete", "c1")], 2)
def test_the_end_is_that_of_the_shop(history, seed):
    """One profile for each e-mail at most, and in it the newest state of the customer who changed last."""

    async def play():
        shop = Shop(seed)
        for step in history:
            await shop.do(step)
        shop.world.hellotext.heals()
        await shop.world.settle()
        found = [fields["email[primary]"] for fields in shop.world.hellotext.profiles.values()]
        assert sorted(found) == sorted(set(found))
        names = {one["email[primary]"]: one["first_name"] for one in shop.world.hellotext.profiles.values()}
        assert {email: names[email] for email in shop.wanted()} == shop.wanted()
        for customer, row in shop.now.items():
            assert shop.world.at(customer).state == ("deleted" if row.deleted else "synced")
        assert shop.world.shard.dead_letters() == []

    asyncio.run(play())
