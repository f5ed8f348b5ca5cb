"""One document that VTEX cannot show as it should stops only itself; all others are read."""

import httpx
import orjson
import pytest

from connectors.vtex.backfill import Backfill
from connectors.vtex.budget import Urgency
from connectors.vtex.customer import OWNER_FIELDS
from connectors.vtex.documents import STATUS
from connectors.vtex.errors import Unavailable
from connectors.vtex.follow import AddressFollower
from connectors.vtex.store import _owners
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import MemoryJournal, customers
from tests.unit.vtex.reading import difference, fill, grown, readers


class Odd(httpx.AsyncBaseTransport):
    """Changes what a shop answers.

    Args:
        source: whose client calls the shop.
        change: the answer for a request: path and what the shop answers.
    """

    def __init__(self, source, change):
        self._inner = source.client._http._transport
        self._change = change
        source.client._http = httpx.AsyncClient(transport=self)

    async def handle_async_request(self, request):
        """Answer as the shop does, but for the change."""
        answer = await self._inner.handle_async_request(request)
        await answer.aread()
        return self._change(request.url.path, answer)


def rows_without_id(path, answer):
    """Put rows that do not say which document they are before the others."""
    if not path.endswith(("/search", "/scroll")) or answer.status_code != 200:
        return answer
    rows = orjson.loads(answer.content)
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    return httpx.Response(200, json=[{"id": None}, None, *rows[2:]] if len(rows) > 2 else rows, headers=headers)


def broken(*ids):
    """Answer 500 for some documents, for ever."""

    def change(path, answer):
        return httpx.Response(500) if "/documents/" in path and path.rpartition("/")[2] in ids else answer

    return change


async def test_rows_without_an_id_are_passed_over():
    """Everything else of their pages is read, by backfill and by following."""
    shop, journal = grown(60), MemoryJournal()
    source, _, backfill, follow = readers(shop, journal, customers(page=7, scroll_size=10))
    Odd(source, rows_without_id)
    await backfill.run()
    fill(shop, 20)
    await follow.look()
    assert backfill.finished
    assert 40 <= len(journal.latest()) < 80


async def test_a_customer_whom_vtex_cannot_answer_does_not_stop_the_others():
    """They are written and the cursor moves; people hear of the one, who is read when VTEX can."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, people, _, follow = readers(shop, journal, customers())
    one, *others = fill(shop, 5)
    Odd(source, broken(one))
    await follow.look()
    assert journal.latest().keys() == set(others)
    assert "settled" in journal.positions()["customers"]
    assert one in source.status.position["problems"][STATUS]
    await follow.look()
    source.client._http = httpx.AsyncClient(transport=source.client._http._transport._inner)
    await people.emit([one], "hint", Urgency.HINT)
    assert not difference(shop, source, journal)
    assert source.status.position["problems"] == {}


async def test_one_alone_is_passed_over_when_another_answers():
    """The proof is a document that was read before."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, _, _, follow = readers(shop, journal, customers())
    fill(shop, 1)
    await follow.look()
    [one] = fill(shop, 1, first=1)
    Odd(source, broken(one))
    await follow.look()
    assert one in source.status.position["problems"][STATUS]


async def test_an_address_that_names_no_id_keeps_no_other_from_being_read():
    """What visitors write there must not become a part of a condition: VTEX would refuse it for ever."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, people, _, _ = readers(shop, journal, customers())
    one, two = fill(shop, 2)
    for number, owner in enumerate((one, "who (knows)", "x OR id is not null", two)):
        shop.put_address({"userId": owner, "addressName": f"a{number}", "city": f"City {number}"})
    await Backfill(source, "AD", OWNER_FIELDS, _owners(source, people), "addresses.backfill").run()
    assert {one: row["address"]["city"] for one, row in journal.latest().items()} == {one: "City 0", two: "City 3"}


async def test_an_address_of_nobody_deletes_nobody():
    """An e-mail where an id should be is no customer, and gets into no key."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, people, _, _ = readers(shop, journal, customers())
    [one] = fill(shop, 1)
    for owner in (one, "ana@shop.example"):
        shop.put_address({"userId": owner, "addressName": "home", "city": "Natal"})
    await AddressFollower(source, people).look()
    assert [event["subject"] for event in journal.said()] == [one]


async def test_no_window_begins_after_its_end():
    """VTEX's clock was hours ahead for a while: what has changed since it went back is seen at once."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, _, _, follow = readers(shop, journal, customers())
    await follow.look()
    ahead = source.client.now() + 12 * 3_600_000
    source.positions["customers"] |= {"settled": ahead, "swept": ahead}
    fill(shop, 2)
    await follow.look()
    assert not difference(shop, source, journal)


async def test_when_no_document_answers_nothing_is_passed_over():
    """The cursor stays: it is VTEX that does not answer."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, _, _, follow = readers(shop, journal, customers())
    ids = fill(shop, 3)
    await follow.look()
    before = source.position("customers")
    more = fill(shop, 3, first=3)
    Odd(source, broken(*ids, *more))
    with pytest.raises(Unavailable):
        await follow.look()
    assert source.position("customers") == before
    assert STATUS not in source.status.position["problems"]
