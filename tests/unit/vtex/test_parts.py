"""Small parts: what was seen, offsets of hints, hints themselves, the inventory, a reader's failures, settings."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.vtex.documents import gather
from connectors.vtex.errors import KeyRefused, Unavailable
from connectors.vtex.hints import HintReader, Inbox, Postponed
from connectors.vtex.inventory import Inventory
from connectors.vtex.journal import Fenced
from connectors.vtex.offsets import Offsets
from connectors.vtex.people import People
from connectors.vtex.purchases import Purchases
from connectors.vtex.seen import DELETED, Seen, Sighting
from connectors.vtex.supervise import supervise
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import MemoryJournal, source_of


def _sighting(version, *, read_at=0, strong=True, settled=True, content="c"):
    return Sighting(version, content, read_at, strong, settled)


class TestSeen:
    def test_it_is_bounded(self):
        """The least recently noted goes first."""
        seen = Seen(2)
        for one in ("a", "b", "a", "c"):
            seen.note(one, _sighting("v"))
        assert (len(seen), seen.get("b")) == (2, None)

    def test_only_a_settled_reading_spares_the_next(self):
        """Of this version or a newer one; `.42` is older than `.4200001`."""
        seen = Seen(9)
        seen.note("a", _sighting("2026-01-01T00:00:00.4200001Z"))
        seen.note("b", _sighting("2026-01-01T00:00:00.42Z", settled=False))
        assert seen.knows("a", "2026-01-01T00:00:00.42Z")
        assert not seen.knows("a", "2026-01-01T00:00:00.43Z")
        assert not seen.knows("b", "2026-01-01T00:00:00.42Z")
        assert not seen.knows("c", "2026")

    def test_the_newer_version_wins_then_storage_then_the_later_reading(self):
        """Which of two readings is known to be later."""
        assert _sighting("2").outdates(_sighting("1", read_at=9))
        assert _sighting("1", strong=True).outdates(_sighting("1", strong=False, read_at=9))
        assert _sighting("1", read_at=2).outdates(_sighting("1", read_at=1))
        assert not _sighting("1", read_at=1).outdates(_sighting("1", read_at=1))

    def test_what_is_gone_is_not_expected(self):
        """A window need not show a deleted customer."""
        seen = Seen(9)
        seen.note("a", _sighting("2", content=DELETED))
        seen.note("b", _sighting("2"))
        seen.note("c", _sighting("1"))
        assert list(seen.since("2")) == ["b"]


class TestOffsets:
    @given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), max_size=40), st.randoms())
    def test_nothing_under_way_is_committed(self, hints, dice):
        """What is committed lies before everything that is still being read, and reaches as far as it can."""
        offsets, open_ones, seen = Offsets(), {0: {}, 1: {}}, {0: 0, 1: 0}
        for partition, _ in hints:
            offset = seen[partition]
            seen[partition] += 1
            open_ones[partition][offset] = offsets.begun(partition, offset)
        done = [(p, o) for p in (0, 1) for o in open_ones[p] if dice.random() < 0.6]
        for partition, offset in done:
            open_ones[partition].pop(offset)()
        expected = {p: min(open_ones[p], default=seen[p]) for p in (0, 1) if seen[p]}
        assert offsets.due() == expected
        assert offsets.due() == {}

    def test_another_era_commits_nothing_of_the_last(self):
        """After a rebalance a late release concerns nobody."""
        offsets = Offsets()
        late = offsets.begun(0, 5)
        offsets.forget()
        offsets.begun(0, 5)
        late()
        assert offsets.due() == {0: 5}


class TestHints:
    def _reader(self, shop, journal):
        source, inbox = source_of(shop, journal), Inbox()
        people = People(source)
        return HintReader(source, people, Purchases(source, people), inbox), inbox

    async def test_what_is_named_is_read_once_and_released_then(self):
        """Many hints of one document are one reading; a delete is one after a 404."""
        shop, journal, released = Shop("acme"), MemoryJournal(), []
        here = shop.put_customer({"email": "ana@shop.example"})
        gone = shop.put_customer({"email": "bia@shop.example"})
        shop.delete_customer(gone)
        order = shop.place_order({"email": "x@y.example", "items": [{"sku": "1", "price": 1, "quantity": 1}]})
        reader, inbox = self._reader(shop, journal)
        for number, item in enumerate([("customer", here), ("customer", gone), ("customer", here), ("order", order)]):
            inbox.put(item, lambda number=number: released.append(number))
        await reader.look()
        assert {(e["type"], e["subject"]) for e in journal.said()} == {
            ("vtex.customer.changed", here), ("vtex.customer.deleted", gone), ("vtex.order.changed", order),
        }  # fmt: skip
        assert sorted(released) == [0, 1, 2, 3]

    async def test_a_hint_that_cannot_be_read_is_kept(self):
        """It is tried again, and not released before."""
        shop, journal, released = Shop("acme"), MemoryJournal(), []
        customer = shop.put_customer({"email": "ana@shop.example"})
        reader, inbox = self._reader(shop, journal)
        reader._source.client._headers["X-VTEX-API-AppToken"] = "wrong"
        inbox.put(("customer", customer), lambda: released.append(1))
        with pytest.raises(KeyRefused):
            await reader.look()
        assert released == []
        reader._source.client._headers["X-VTEX-API-AppToken"] = shop.app_token
        await reader.look()
        assert released == [1]

    async def test_one_that_cannot_be_read_holds_up_no_other(self, monkeypatch):
        """VTEX fails on one document: the others are read and released at once, and so is what is named later."""
        monkeypatch.setattr("connectors.vtex.hints.LATER_S", (0.0, 3600.0))
        shop, journal, released = Shop("acme"), MemoryJournal(), []
        reader, inbox = self._reader(shop, journal)
        ids = [shop.put_customer({"email": f"c{n}@shop.example"}) for n in range(3)]
        document = reader._source.master.document

        async def failing(entity, one, *rest):
            if one == ids[1]:
                raise Unavailable("no answer")
            return await document(entity, one, *rest)

        monkeypatch.setattr(reader._source.master, "document", failing)
        for one in ids:
            inbox.put(("customer", one), lambda one=one: released.append(one))
        await reader.look()
        assert sorted(released) == sorted([ids[0], ids[2]])
        await reader.look()  # due at once, and postponed for an hour
        new = shop.put_customer({"email": "new@shop.example"})
        inbox.put(("customer", new), lambda: released.append(new))
        await reader.look()
        assert released[-1] == new
        monkeypatch.setattr(reader._source.master, "document", document)
        inbox.put(("customer", ids[1]), lambda: released.append("named again"))
        await reader.look()
        assert released[-2:] == [ids[1], "named again"]
        assert journal.latest().keys() == {*ids, new}

    async def test_one_that_could_not_be_read_outlives_its_reader(self, monkeypatch):
        """The store was opened anew: who reads then tries it again, and releases it; or the store goes."""
        monkeypatch.setattr("connectors.vtex.hints.LATER_S", (0.0, 3600.0))
        shop, journal, released = Shop("acme"), MemoryJournal(), []
        reader, inbox = self._reader(shop, journal)
        customer, broken = (shop.put_customer({"email": f"c{n}@shop.example"}) for n in range(2))
        document = reader._source.master.document

        async def answered(entity, one, *rest):
            if one == broken:
                raise Unavailable("500")
            return await document(entity, one, *rest)

        reader._source.master.document = answered
        for one in (broken, customer):
            inbox.put(("customer", one), lambda one=one: released.append(one))
        await reader.look()
        assert (released, len(inbox.later)) == ([customer], 1)
        people = People(source := source_of(shop, journal))
        await HintReader(source, people, Purchases(source, people), inbox).look()
        assert (released, inbox.later) == ([customer, broken], {})
        reader._source.master.document = document
        reader._source.client._headers["X-VTEX-API-AppToken"] = "wrong"
        inbox.later["customer", broken] = Postponed(0.0, 1, [lambda: released.append("closed")])
        for _ in range(2):
            with pytest.raises(KeyRefused):
                await reader.look()
        inbox.close()
        assert released == [customer, broken, "closed"]

    async def test_one_that_is_never_answered_is_given_up(self, monkeypatch):
        """After the last try it is released: it would be read again by every poller to come."""
        monkeypatch.setattr("connectors.vtex.hints.LATER_S", (0.0,))
        released, shop = [], Shop("acme")
        reader, inbox = self._reader(shop, MemoryJournal())
        shop.hostility = Hostility(errors=1.0)
        inbox.put(("customer", "c1"), lambda: released.append(1))
        await reader.look()
        assert released == []
        await reader.look()
        assert released == [1]

    async def test_where_none_is_answered_all_are_kept(self):
        """It is VTEX that does not answer, not one document: a few are tried alone, and no more."""
        shop, released = Shop("acme"), []
        reader, inbox = self._reader(shop, MemoryJournal())
        shop.hostility = Hostility(errors=1.0)
        for number in range(50):
            inbox.put(("customer", f"c{number}"), lambda number=number: released.append(number))
        with pytest.raises(Unavailable):
            await reader.look()
        shop.hostility = Hostility()
        await reader.look()
        assert sorted(released) == list(range(50))

    async def test_while_vtex_is_away_a_hint_waits_for_it_and_not_for_its_turn(self):
        """The circuit is open: it is kept as it is, and read with the first call that gets through."""
        shop, released = Shop("acme"), []
        reader, inbox = self._reader(shop, MemoryJournal())
        shop.hostility = Hostility(errors=1.0)
        reader._source.client.gate.budget.probing = True
        inbox.put(("customer", "c1"), lambda: released.append(1))
        with pytest.raises(Unavailable):
            await reader.look()
        shop.hostility = Hostility()
        await reader.look()
        assert released == [1]

    async def test_a_forged_id_is_one_document_and_no_other_path(self):
        """Whatever stands in it is part of a name."""
        reader, inbox = self._reader(Shop("acme"), MemoryJournal())
        paths = []

        async def note(request):
            paths.append(request.url.raw_path.partition(b"?")[0])

        reader._source.client._http.event_hooks = {"request": [note]}
        for item in (("customer", "../search?_fields=email"), ("order", "../../dataentities")):
            inbox.put(item, lambda: None)
        await reader.look()
        assert paths == [
            b"/vtex/acme/api/dataentities/CL/documents/..%2Fsearch%3F_fields%3Demail",
            b"/vtex/acme/api/oms/pvt/orders/..%2F..%2Fdataentities",
        ]

    def test_too_many_are_left_to_the_next_look(self, monkeypatch):
        """The oldest is released unread: following and scanning will find it."""
        monkeypatch.setattr("connectors.vtex.hints.LIMIT", 2)
        inbox, released = Inbox(), []
        for number in range(3):
            inbox.put(("customer", str(number)), lambda number=number: released.append(number))
        assert released == [0]
        inbox.close()
        assert released == [0, 1, 2]


class TestInventory:
    def test_it_tells_what_is_news_and_what_is_missing(self):
        """Unknown or newer there; known here and not shown."""
        with Inventory() as inventory:
            inventory.put([("a", "1"), ("b", "2"), ("c", "1"), ("d", "1")])
            inventory.put([("a", "0")])
            inventory.drop(["d"])
            assert inventory.size == 3
            assert inventory.compare([("a", "1"), ("b", "3"), ("e", "1")]) == ["b", "e"]
            assert list(inventory.unseen()) == [["c"]]


async def _refused():
    raise KeyRefused("wrong key")


class TestSupervise:
    async def test_a_failure_is_told_and_tried_again(self):
        """The cursor row of the store says what is wrong, until it is right again."""
        journal = MemoryJournal()
        source = source_of(Shop("acme"), journal)
        outcomes = [Unavailable("no answer"), KeyRefused("wrong key"), RuntimeError("ana@shop.example"), None]
        told = []

        async def look():
            told.append(journal.positions().get("status", {}).get("problems"))
            outcome = outcomes.pop(0)
            if outcome is not None:
                raise outcome

        await asyncio.wait_for(supervise(source, "customers", look), 60)
        assert told == [
            None, {"customers": "no answer"}, {"customers": "wrong key"},
            {"customers": "RuntimeError: see the poller's log"},
        ]  # fmt: skip
        assert journal.positions()["status"]["problems"] == {}

    async def test_a_failure_on_the_way_out_is_no_reason_to_stay(self):
        """A reader that is cancelled ends, also when its last call turns the cancellation into a failure."""

        async def look():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise Unavailable("the client was closed") from None

        task = asyncio.create_task(supervise(source_of(Shop("acme")), "customers", look))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        assert task.cancelled()

    async def test_a_failure_of_calls_made_together_ends_no_reader(self):
        """The feed, hints and addresses are read so: one refused call of several must not stop them for ever."""
        looks = []

        async def look():
            looks.append(asyncio.current_task().cancelling())
            if len(looks) < 3:
                await gather(_refused(), asyncio.sleep(60))

        await asyncio.wait_for(supervise(source_of(Shop("acme")), "orders", look), 60)
        assert looks == [0, 0, 0]

    async def test_a_cancellation_of_somebody_else_ends_no_reader(self):
        """A library's own task was cancelled: a failure as any other."""
        looks = []

        async def look():
            looks.append(1)
            if len(looks) < 2:
                raise asyncio.CancelledError

        await asyncio.wait_for(supervise(source_of(Shop("acme")), "orders", look), 60)
        assert len(looks) == 2

    async def test_a_reader_is_cancelled_while_its_calls_are_under_way(self):
        """They end with it, and before it."""
        ended, under_way = [], asyncio.Event()

        async def call():
            under_way.set()
            try:
                await asyncio.sleep(60)
            finally:
                ended.append(1)

        async def look():
            await gather(call(), call())

        task = asyncio.create_task(supervise(source_of(Shop("acme")), "orders", look))
        await under_way.wait()
        task.cancel()
        await asyncio.wait([task], timeout=60)
        assert (task.cancelled(), len(ended)) == (True, 2)

    async def test_what_calls_do_at_their_end_is_not_cancelled_again(self):
        """A step that is committed, a scroll that is drained: one cancellation, also through readings in readings."""
        ended, under_way = [], asyncio.Event()

        async def call(name):
            under_way.set()
            try:
                await asyncio.sleep(60)
            finally:
                for _ in range(5):
                    await asyncio.sleep(0)
                ended.append(name)

        task = asyncio.create_task(gather(gather(call("a"), call("b")), gather(call("c"), asyncio.sleep(60))))
        await under_way.wait()
        task.cancel()
        await asyncio.wait([task], timeout=60)
        assert (task.cancelled(), sorted(ended)) == (True, ["a", "b", "c"])

    async def test_a_fenced_store_is_left(self):
        """It is another poller's now."""

        async def look():
            raise Fenced("gone")

        with pytest.raises(Fenced):
            await supervise(source_of(Shop("acme")), "customers", look)
