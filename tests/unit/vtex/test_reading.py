"""The readers of a store, against the sandbox's VTEX in this process: in the end the last word is the shop's."""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.vtex.backfill import Backfill
from connectors.vtex.budget import Urgency
from connectors.vtex.customer import OWNER_FIELDS
from connectors.vtex.errors import Unreliable, VtexError
from connectors.vtex.follow import AddressFollower
from connectors.vtex.instants import Window
from connectors.vtex.people import People
from connectors.vtex.store import _owners, _scrolled
from connectors.vtex.windows import WindowReader
from sandbox.vtex.clock import SECOND, system_clock
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import MemoryJournal, StoppedError, customers, source_of
from tests.unit.vtex.reading import SMALL, difference, fill, grown, readers


async def _settle(follow, shop, source, journal, looks=40):
    for _ in range(looks):
        with suppress(VtexError):
            await follow.look()
        if not (differ := difference(shop, source, journal)):
            break
    return differ


def _happen(shop, ids, dice):
    """One thing happens in the shop."""
    kind = dice.random()
    if kind < 0.4:
        shop.put_customer({"id": dice.choice(ids), "firstName": f"Bia {dice.random()}"})
    elif kind < 0.6:
        ids += fill(shop, 1, first=dice.randrange(10**6))
    elif kind < 0.8:
        shop.touch("CL", dice.choice(ids))
    elif kind < 0.9 and len(ids) > 1:
        gone = dice.choice(ids)
        ids.remove(gone)
        shop.delete_customer(gone)


def _deleted(shop, journal):
    return [one for one, data in journal.latest().items() if data is not None and shop.customers.get(one) is None]


async def _history(seed):
    dice = random.Random(seed)
    hostility = Hostility(
        seed=seed, coarse=dice.choice([0, 0.2, 1]), restless_ties=True, open_between=dice.random() < 0.5,
        whole_milliseconds=dice.random() < 0.5, wrong_totals=0.05, false_empties=0.03, page_shifts=0.05,
        sort_ignored=0.05, headers_lost=0.02, tokens_change=0.3, scrolls_lost=0.01, errors=0.02, truncations=0.02,
        timeouts=0.01, storms=0.002, storm_length=0.001, retry_after=0, ghosts=0.05,
    )  # fmt: skip
    shop, journal = Shop("acme", hostility=hostility), MemoryJournal()
    ids = fill(shop, dice.randrange(1, 120))
    source, _, backfill, follow = readers(shop, journal)
    for _ in range(dice.randrange(1, 5)):  # lives of the poller, each ended by a kill
        journal.dies_at = journal.steps + dice.randrange(1, 12)
        with suppress(StoppedError, VtexError):
            for _ in range(dice.randrange(20)):
                _happen(shop, ids, dice)
            await backfill.run()
            for _ in range(dice.randrange(4)):
                _happen(shop, ids, dice)
                await follow.look()
        source, _, backfill, follow = readers(shop, journal)
    journal.dies_at = None
    for _ in range(20):
        with suppress(VtexError):
            await backfill.run()
            break
    # Deletes that no poller of today has seen are the scan's: these are left out here.
    for _ in range(20):
        with suppress(VtexError):
            await People(source).emit(_deleted(shop, journal), "scan", Urgency.SCAN)
            break
    return await _settle(follow, shop, source, journal)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_any_history_with_kills_ends_as_the_shop_has_it(seed):
    """Changes, browsing, new customers, deletes; equal times, shifts, lies, losses; the poller killed in any step."""
    assert asyncio.run(_history(seed)) == set()


class TestBackfill:
    async def test_a_killed_backfill_goes_on_where_it_stopped(self):
        """Slices that were checkpointed are not read again."""
        shop, journal = grown(200), MemoryJournal(dies_at=20)
        source, _, backfill, _ = readers(shop, journal, customers(slice=50, scroll_size=20))
        with pytest.raises(StoppedError):
            await backfill.run()
        before = len(journal.records)
        journal.dies_at = None
        source, _, backfill, _ = readers(shop, journal, customers(slice=50, scroll_size=20))
        await backfill.run()
        assert before > 0
        assert len(journal.records) < before + 200
        assert not difference(shop, source, journal)

    async def test_its_cursor_tells_how_far_it_is(self):
        """Done, total, rate and time left, for people."""
        shop, journal = Shop("acme"), MemoryJournal()
        fill(shop, 100)
        _, _, backfill, _ = readers(shop, journal, customers(scroll_size=20))
        await backfill.run()
        positions = [row for row in journal.rows if b"customers.backfill" in row[1]]
        assert len(positions) >= 5
        last = journal.positions()["customers.backfill"]
        assert (last["done"], last["total"], last["finished"], last["left_s"]) == (100, 100, True, 0)
        assert last["rate"] > 0

    async def test_documents_without_a_date_are_read(self):
        """Slices of createdIn would miss them (NOTES 2.2)."""
        shop, journal = Shop("acme"), MemoryJournal()
        fill(shop, 3)
        source, _, backfill, _ = readers(shop, journal)
        asked = []
        scroll = source.master.scroll
        source.master.scroll = lambda entity, fields, where, **more: (
            asked.append(where), scroll(entity, fields, where, **more)
        )[1]  # fmt: skip
        await backfill.run()
        assert "createdIn is null" in asked

    async def test_fields_chosen_later_are_read_of_everybody(self):
        """Also of customers who do not change; a restart alone reads nobody again."""
        shop, journal = Shop("acme"), MemoryJournal()
        ids = [shop.put_customer({"email": f"c{n}@shop.example", "loyalty": "gold"}) for n in range(30)]
        _, _, backfill, _ = readers(shop, journal, customers())
        await backfill.run()
        before = len(journal.records)
        source, _, backfill, _ = readers(shop, journal, customers())
        del source.positions["customers.backfill"]["fields"]  # as an older version left it
        await backfill.run()
        assert len(journal.records) == before
        source = source_of(shop, journal, customers(), custom_fields=("loyalty",))
        people = People(source)
        chosen = Backfill(source, "CL", people.fields, _scrolled(source, people), "customers.backfill")
        await chosen.run()
        assert {journal.latest()[one]["custom"]["loyalty"] for one in ids} == {"gold"}
        assert len(journal.records) == before + 30

    async def test_scrolls_that_others_hold_are_done_without(self):
        """Slices are read by search instead, ten times the calls, with nobody to wait for."""
        shop, journal = Shop("acme", hostility=Hostility(scrolls_taken=10)), MemoryJournal()
        fill(shop, 150)
        source, _, backfill, _ = readers(shop, journal, customers(slice=60))
        await backfill.run()
        assert not difference(shop, source, journal)

    async def test_scrolls_are_drained(self):
        """No place is left taken, also when the reader is stopped in the middle of one."""
        shop, journal = Shop("acme"), MemoryJournal(dies_at=3)
        fill(shop, 200)
        _, _, backfill, _ = readers(shop, journal, customers(scroll_size=10))
        with pytest.raises(StoppedError):
            await backfill.run()
        assert shop.scrolls.open == {}

    async def test_scrolls_are_drained_when_their_reader_is_cancelled(self):
        """A store is paused, or goes to another poller, in the middle of one."""
        shop = Shop("acme", hostility=Hostility(slow=1.0, slow_for=0.002))
        fill(shop, 200)
        _, _, backfill, _ = readers(shop, MemoryJournal(), customers(scroll_size=10))
        reading = asyncio.create_task(backfill.run())
        async with asyncio.timeout(60):
            while not shop.scrolls.open:  # noqa: ASYNC110  nobody announces it
                await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()
        assert shop.scrolls.open == {}

    async def test_addresses_follow_their_owners(self):
        """The owner is told with the address that changed last, a page of owners with a handful of calls."""
        at = [system_clock() - 3600 * SECOND]
        shop, journal = Shop("acme", clock=lambda: at[0]), MemoryJournal()
        ids = fill(shop, 40)
        for customer in ids:
            shop.put_address({"userId": customer, "addressName": "old", "city": "Recife"})
            at[0] += SECOND
            shop.put_address({"userId": customer, "addressName": "new", "city": "Natal"})
        shop.put_address({"userId": "nobody", "addressName": "x", "city": "Y"})
        source, people, backfill, _ = readers(shop, journal, customers())
        await backfill.run()
        calls = shop.budget.calls.total()
        await Backfill(source, "AD", OWNER_FIELDS, _owners(source, people), "addresses.backfill").run()
        assert {data["address"]["city"] for data in journal.latest().values() if data} == {"Natal"}
        assert shop.budget.calls.total() - calls < 15


class TestFollowing:
    async def _followed(self, shop, journal, settings=None):
        source, people, backfill, follow = readers(shop, journal, settings or customers())
        await backfill.run()
        await follow.look()
        return source, people, follow

    async def test_browsing_noise_is_no_event(self):
        """UpdatedIn moves, nothing mapped does: read once, told never (NOTES 9.9)."""
        shop, journal = Shop("acme"), MemoryJournal()
        ids = fill(shop, 5)
        _, _, follow = await self._followed(shop, journal)
        before = len(journal.records)
        for customer in ids:
            shop.touch("CL", customer)
        await follow.look()
        assert len(journal.records) == before

    async def test_what_was_read_costs_only_its_id(self):
        """The overlap is looked through again and again, contents are read once."""
        shop, journal = Shop("acme"), MemoryJournal()
        fill(shop, 30)
        source, _, backfill, follow = readers(shop, journal, customers(doubt=1e9))
        await backfill.run()
        source.client._ahead = 3600  # an hour later, so that versions are settled
        await follow.look()
        before = shop.budget.calls.total()
        await follow.look()
        await follow.look()
        assert shop.budget.calls.total() - before <= 4

    async def test_an_equal_timestamp_does_not_hide_a_change(self):
        """A document that changes again within the same tick of VTEX's clock is read again."""
        shop, journal = Shop("acme", hostility=Hostility(coarse=1)), MemoryJournal()
        [customer] = fill(shop, 1)
        _, _, follow = await self._followed(shop, journal)
        shop.put_customer({"id": customer, "firstName": "Once"})
        await follow.look()
        shop.put_customer({"id": customer, "firstName": "Twice"})
        await follow.look()
        assert journal.latest()[customer]["first_name"] == "Twice"

    async def test_an_index_that_shows_nothing_is_not_believed(self):
        """An empty answer where a document must be moves no cursor; it is told to people."""
        shop, journal = Shop("acme"), MemoryJournal()
        fill(shop, 5)
        source, _, follow = await self._followed(shop, journal)
        settled = source.position("customers")["settled"]
        shop.hostility = Hostility(false_empties=1.0)
        with pytest.raises(Unreliable, match="its cursor waits"):
            await follow.look()
        assert source.position("customers")["settled"] == settled

    async def test_a_delete_of_a_recent_customer_is_seen(self):
        """It is missing from the window that must show it; only a 404 makes it a delete."""
        shop, journal = Shop("acme"), MemoryJournal()
        ids = fill(shop, 5)
        _, _, follow = await self._followed(shop, journal)
        shop.delete_customer(ids[2])
        await follow.look()
        assert [one for one, data in journal.latest().items() if data is None] == [ids[2]]
        before = len(journal.records)
        await follow.look()
        assert len(journal.records) == before

    async def test_what_the_index_hides_is_no_delete(self):
        """A customer whom search never shows stays."""
        shop, journal = Shop("acme", hostility=Hostility(never_indexed=1.0)), MemoryJournal()
        [hidden] = fill(shop, 1)
        shop.hostility = Hostility()
        fill(shop, 3)
        _, people, follow = await self._followed(shop, journal)
        await people.emit([hidden], "hint", Urgency.HINT)
        await follow.look()
        assert journal.latest()[hidden] is not None

    async def test_a_reading_that_was_overtaken_is_left_out(self):
        """Two readers read one customer; the later state has been written; the earlier one comes too late."""
        shop, journal = Shop("acme"), MemoryJournal()
        [customer] = fill(shop, 1)
        source, people, _ = await self._followed(shop, journal)
        shop.put_customer({"id": customer, "firstName": "Old"})
        old = await people.read([customer], Urgency.HINT)
        shop.put_customer({"id": customer, "firstName": "New"})
        await people.emit([customer], "hint", Urgency.HINT)
        await source.journal.write(people.stage(old, "search"))
        assert journal.latest()[customer]["first_name"] == "New"

    async def test_a_changed_address_tells_its_owner(self):
        """AD has a cursor of its own (NOTES 2.6)."""
        shop, journal = Shop("acme"), MemoryJournal()
        [customer] = fill(shop, 1)
        source, people, _ = await self._followed(shop, journal)
        follow = AddressFollower(source, people)
        await follow.look()
        shop.put_address({"userId": customer, "addressName": "home", "city": "Natal"})
        await follow.look()
        assert journal.latest()[customer]["address"] == {"city": "Natal"}

    async def test_an_hour_of_lag_is_within_the_overlap(self):
        """A change that the index shows an hour late is read then."""
        shop, journal = Shop("acme"), MemoryJournal()
        [customer] = fill(shop, 1)
        source, _, follow = await self._followed(shop, journal, customers(overlap=5400))
        shop.put_customer({"id": customer, "firstName": "Late"})
        source.client._ahead = 3600
        await follow.look()
        assert journal.latest()[customer]["first_name"] == "Late"


class TestWindows:
    async def test_a_full_window_is_split_and_a_burst_scrolled(self):
        """Search shows 10,000 rows at most; equal times cannot be split."""
        shop = Shop("acme", hostility=Hostility(coarse=3600))
        ids = fill(shop, 130)
        source = source_of(shop, settings=SMALL)
        reader = WindowReader(source.master, "CL", ("id", "updatedIn", "createdIn"), SMALL.customers)
        now = source.client.now()
        found = await reader.read(Window(now - 7_200_000, now + 1000), Urgency.FOLLOW)
        assert found.whole
        assert found.rows.keys() == set(ids)

    async def test_a_false_total_hides_no_row(self):
        """Pages are read until a short one, never until a total (NOTES 2.1)."""
        shop = Shop("acme", hostility=Hostility(wrong_totals=1.0))
        ids = fill(shop, 50)
        source = source_of(shop, settings=SMALL)
        reader = WindowReader(source.master, "CL", ("id", "updatedIn", "createdIn"), replace(SMALL.customers, page=10))
        now = source.client.now()
        found = await reader.read(Window(now - 3_600_000, now + 1000), Urgency.FOLLOW)
        assert found.rows.keys() == set(ids)
