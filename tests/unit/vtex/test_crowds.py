"""More documents of one moment than a search shows, where scrolls are refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vtex.budget import Urgency
from connectors.vtex.conditions import changed_in, created_in
from connectors.vtex.errors import Crowded, ScrollBusy
from connectors.vtex.instants import Window
from connectors.vtex.spans import EVER, Span
from connectors.vtex.windows import WindowReader
from sandbox.vtex.clock import SECOND, iso, system_clock
from sandbox.vtex.entity import kept
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.keys import Call
from sandbox.vtex.shop import Shop
from sandbox.vtex.where import Rounding, parse_where
from schemas.clock import to_ms, to_text
from tests.unit.vtex.memory import MemoryJournal, source_of
from tests.unit.vtex.reading import SMALL, difference, fill, readers

NOW = to_ms("2026-11-26T10:00:00Z")
DATES = ("createdIn", "updatedIn")
times = st.integers(NOW - 4000, NOW + 4000)


def _imported(count, *, updated):
    """Return a shop whose customers were all created in one moment; so many have changed since, a second apart."""
    now = system_clock()
    shop = Shop("acme", clock=lambda: now)
    moment = iso(now - 1800 * SECOND)
    for number in range(count):
        changed = {"updatedIn": iso(now - (900 - number) * SECOND)} if number < updated else {}
        shop.put_customer({"email": f"c{number}@shop.example", "createdIn": moment, **changed})
    shop.keyring.keys[shop.app_key].closed.add((Call.SCROLL, "CL"))
    return shop


@given(times, st.none() | times, st.lists(st.integers(0, 1), max_size=60), st.sampled_from([created_in, changed_in]))
def test_parts_hold_what_the_whole_holds(created, updated, way, condition):
    """Wherever a span is divided, a document in it is in one of its parts: whatever VTEX rounds and leaves out."""
    row = kept({"id": "c1", "createdIn": to_text(created), "updatedIn": None if updated is None else to_text(updated)})
    second = "updatedIn" if condition is created_in else "createdIn"

    def holds(span):
        return parse_where(
            span.where, filters=DATES, dates=DATES, rounding=Rounding(open_between=True, whole_milliseconds=True)
        ).test(row)

    span = Span(condition, Window(NOW - 4096, NOW + 4096), second)
    if not holds(span):
        return
    for side in way:
        parts = span.parts()
        if not parts:
            break
        inside = [part for part in parts if holds(part)]
        assert inside
        span = inside[side % len(inside)]


def test_documents_without_a_date_are_divided_by_the_other():
    """And what has both dates in common, by nothing."""
    span = Span(created_in, None, "updatedIn")
    undated, dated = span.parts()
    assert undated.where == "(createdIn is null) AND (updatedIn is null)"
    assert undated.parts() == ()
    assert dated.within == EVER
    narrow = Span(created_in, None, "updatedIn", within=Window(5, 6))
    assert narrow.parts() == ()


async def test_an_import_without_scrolls_is_read_by_the_second_date():
    """A hundred and fifty customers of one moment, a search shows sixty: those who changed since are told apart."""
    shop, journal = _imported(150, updated=100), MemoryJournal()
    source, _, backfill, _ = readers(shop, journal, SMALL)
    await backfill.run()
    assert backfill.finished
    assert not difference(shop, source, journal)


async def test_one_that_cannot_be_told_apart_is_said_and_stops_nothing_else():
    """What a search shows of it is read, and everything else; people hear what to do; the rest when it is granted."""
    shop, journal = _imported(150, updated=20), MemoryJournal()
    old = shop.put_customer({
        "email": "old@shop.example", "createdIn": (datetime.now(UTC) - timedelta(days=9)).isoformat(),
    })  # fmt: skip
    source, _, backfill, follow = readers(shop, journal, SMALL)
    with pytest.raises(Crowded, match=r"more than 60 documents of CL.*give the key's role.*Read only documents"):
        await backfill.run()
    assert not backfill.finished
    assert old in journal.latest()
    assert 20 + 50 <= len(journal.latest()) - 1 < 150
    with pytest.raises(Crowded):
        await follow.look()
    began = source.position("customers.backfill")["began"]
    assert source.position("customers").get("settled", began) == began
    [new] = fill(shop, 1, first=1000)
    with pytest.raises(Crowded):
        await follow.look()
    assert new in journal.latest()
    shop.keyring.keys[shop.app_key].closed.clear()
    await backfill.run()
    await follow.look()
    assert backfill.finished
    assert not difference(shop, source, journal)


async def test_where_others_hold_the_scrolls_one_is_waited_for():
    """That is nothing a person must put right."""
    shop = _imported(150, updated=0)
    shop.keyring.keys[shop.app_key].closed.clear()
    shop.hostility = Hostility(scrolls_taken=10)
    source = source_of(shop, settings=SMALL)
    reader = WindowReader(source.master, "CL", ("id", "updatedIn", "createdIn"), SMALL.customers)
    now = source.client.now()
    found = await reader.read(Window(now - 7_200_000, now + 1000), Urgency.FOLLOW)
    assert isinstance(found.crowded, ScrollBusy)
    assert not found.whole
