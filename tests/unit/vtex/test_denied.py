"""What VTEX's own 403 and 404 take away, and what is read all the same; and how it is told, since when."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest

from connectors.vtex.backfill import Backfill
from connectors.vtex.budget import Urgency
from connectors.vtex.customer import OWNER_FIELDS
from connectors.vtex.errors import EntityAbsent, ResourceMissing
from connectors.vtex.follow import AddressFollower
from connectors.vtex.hints import Inbox
from connectors.vtex.patience import AGAIN_S
from connectors.vtex.status import Status, problems_of
from connectors.vtex.store import Readers, Surroundings, _owners
from connectors.vtex.supervise import supervise
from sandbox.vtex.keys import Call
from sandbox.vtex.shop import Shop
from schemas.vtex import Cursor
from tests.unit.vtex.memory import QUICK, MemoryJournal, customers, source_of
from tests.unit.vtex.reading import difference, fill, grown, readers


def _key(shop):
    return shop.keyring.keys[shop.app_key]


async def test_without_the_right_to_scroll_everything_is_read_by_search():
    """403 of VTEX: slices that search can show, every customer, and the scan as well."""
    shop, journal = grown(150), MemoryJournal()
    _key(shop).closed.add((Call.SCROLL, "CL"))
    source, _, backfill, _ = readers(shop, journal)
    await backfill.run()
    assert backfill.finished
    assert not difference(shop, source, journal)
    assert shop.budget.calls["GET /api/dataentities/{acronym}/scroll"] > 0


@pytest.mark.parametrize("way", ["closed", "absent"])
async def test_without_addresses_customers_are_followed(way):
    """AD answers 403 or 404: customers go on without; once it answers, their addresses follow."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, people, _, follow = readers(shop, journal, customers())
    addresses = AddressFollower(source, people)
    [customer] = fill(shop, 1)
    shop.put_address({"userId": customer, "addressName": "home", "city": "Natal"})
    entity = shop.entities["AD"]
    if way == "closed":
        _key(shop).closed.add((Call.READ, "AD"))
    else:
        del shop.entities["AD"]
    await follow.look()
    assert journal.latest()[customer]["first_name"] == "Ana 0"
    asked = shop.budget.calls.total()
    assert await people.addresses([customer], Urgency.FOLLOW) == {}
    assert shop.budget.calls.total() == asked
    with pytest.raises(ResourceMissing if way == "closed" else EntityAbsent):
        await addresses.look()

    shop.entities["AD"] = entity
    _key(shop).closed.clear()
    await addresses.look()
    assert journal.latest()[customer]["address"] == {"city": "Natal"}


async def test_the_first_reading_of_addresses_asks_for_them_again():
    """They could not be had an hour ago: an owner is not told without what made us read them."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, people, backfill, _ = readers(shop, journal, customers())
    [customer] = fill(shop, 1)
    shop.put_address({"userId": customer, "addressName": "home", "city": "Natal"})
    await backfill.run()
    _key(shop).closed.add((Call.READ, "AD"))
    assert await people.addresses([customer], Urgency.FOLLOW) == {}
    _key(shop).closed.clear()
    await Backfill(source, "AD", OWNER_FIELDS, _owners(source, people), "addresses.backfill").run()
    assert journal.latest()[customer]["address"] == {"city": "Natal"}


async def test_an_account_without_addresses_is_a_note_and_asked_once_an_hour():
    """No reader goes on asking, no other reader complains, and there is nothing to be done."""
    shop, journal = Shop("acme"), MemoryJournal()
    fill(shop, 3)
    del shop.entities["AD"]
    source = source_of(shop, journal)
    around = Surroundings(None, None, QUICK, 1, None, None)
    looks = Readers(source, Inbox(), around).looks()
    tasks = [asyncio.create_task(supervise(source, name, looks[name])) for name in ("customers.backfill", "addresses")]
    try:
        async with asyncio.timeout(60):
            while "addresses" not in journal.positions().get("status", {}).get("problems", {}):  # noqa: ASYNC110
                await asyncio.sleep(0)
        asked = shop.budget.calls.total()
        for _ in range(2000):
            await asyncio.sleep(0)
        assert shop.budget.calls.total() == asked
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    [problem] = problems_of(_row(journal))
    assert (problem.reader, problem.note) == ("addresses", True)
    assert "no data entity AD" in problem.reason
    assert await looks["customers.backfill"]() == AGAIN_S
    assert not difference(shop, source, journal)


async def test_a_private_field_is_told_as_what_it_is():
    """No License Manager resource would help: the field is to be left out."""
    shop, journal = Shop("acme"), MemoryJournal()
    [customer] = fill(shop, 1)
    shop.private_fields = frozenset({"isNewsletterOptIn"})
    _, people, _, _ = readers(shop, journal, customers())
    with pytest.raises(ResourceMissing, match="private field"):
        await people.read([customer], Urgency.FOLLOW)


def _row(journal):
    position = journal.positions()["status"]
    return Cursor(store="acme", resource="status", position=position, updated_at=datetime(2030, 1, 1, tzinfo=UTC))


class TestStatus:
    def test_a_problem_has_its_own_beginning(self):
        """Neither another reader's nor another reason moves it; a success ends it."""
        clock = itertools.count(1_000)
        status = Status({}, lambda: float(next(clock)))
        assert status.wrong("orders", "no answer")
        since = _since(status, "orders")
        assert status.wrong("customers", "no answer")
        assert status.wrong("orders", "wrong key")
        assert not status.wrong("orders", "wrong key")
        assert _since(status, "orders") == since < _since(status, "customers")
        status.right("orders")
        status.wrong("orders", "no answer")
        assert _since(status, "orders") > _since(status, "customers")

    def test_it_outlives_the_poller(self):
        """A row is read back; what is no reader any more is forgotten."""
        first = Status({}, lambda: 1_000.0)
        first.wrong("orders", "no answer")
        first.wrong("gone", "no answer")
        first.wrong("addresses", "no such entity", note=True)
        second = Status(first.position, lambda: 2_000.0)
        second.keep({"orders", "addresses"})
        second.wrong("orders", "wrong key")
        assert _since(second, "orders") == "1970-01-01T00:16:40+00:00"
        assert second.position["problems"] == {"orders": "wrong key", "addresses": "no such entity"}
        assert second.position["notes"] == ["addresses"]

    def test_a_row_of_an_older_version_is_read(self):
        """It told no beginnings: the row's own time stands for them."""
        at = datetime(2026, 1, 1, tzinfo=UTC)
        row = Cursor(store="acme", resource="status", position={"problems": {"orders": "no answer"}}, updated_at=at)
        [problem] = problems_of(row)
        assert (problem.reader, problem.reason, problem.since, problem.note) == ("orders", "no answer", at, False)
        assert problems_of(None) == problems_of(row.model_copy(update={"position": {}})) == ()


def _since(status, reader):
    return status.position["since"][reader]
