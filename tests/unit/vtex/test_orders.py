"""Orders: the feed as the truth, its gaps, refunds, hidden buyers, and what cannot be read."""

from dataclasses import replace

import orjson
import pytest

from connectors.vtex import feed as feed_module
from connectors.vtex.budget import Urgency
from connectors.vtex.errors import FeedTaken, Unavailable, VtexError
from connectors.vtex.feed import OrderFeed
from connectors.vtex.order_lists import OrderLists
from connectors.vtex.people import People
from connectors.vtex.purchases import Purchases
from sandbox.vtex.clock import SECOND, system_clock
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.masking import Mask
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import QUICK, MemoryJournal, StoppedError, source_of


def _opened(shop, journal, **orders):
    settings = replace(QUICK, orders=replace(QUICK.orders, watch=1e9, **orders))
    source = source_of(shop, journal, settings)
    purchases = Purchases(source, People(source))
    lists = OrderLists(source, purchases)
    return source, OrderFeed(source, purchases, lists), lists


def _order(shop, **more):
    return shop.place_order({
        "email": "ana@shop.example", "items": [{"sku": "1", "price": 4200, "quantity": 1}], **more
    })  # fmt: skip


def _statuses(journal):
    return {e["subject"]: e["data"]["status"] for e in journal.said() if e["type"] == "vtex.order.changed"}


async def test_the_feed_is_configured_and_followed():
    """Every status is asked for; each change is read whole; every event is taken off."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, _ = _opened(shop, journal)
    await feed.look()
    orders = [_order(shop) for _ in range(30)]
    shop.approve_order(orders[0])
    shop.invoice_order(orders[1])
    shop.cancel_order(orders[2])
    while await feed.look():
        pass
    await feed.look()
    assert _statuses(journal) == {one: shop.order(one)["status"] for one in orders}
    [queue] = shop.feeds.values()
    assert queue.told(shop.clock())["quantity"] == 0


async def test_several_events_of_an_order_are_one_reading():
    """An order of five steps is fetched once a lot."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, _ = _opened(shop, journal)
    await feed.look()
    order = _order(shop)
    shop.approve_order(order)
    shop.invoice_order(order)
    await feed.look()
    assert len(journal.records) == 1


async def test_events_are_committed_only_after_kafka():
    """A poller killed in between reads them once more, and says the same under the same id."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, _ = _opened(shop, journal, visibility=0)
    await feed.look()
    order = _order(shop)
    journal.dies_at = journal.steps + 1
    with pytest.raises(StoppedError):
        await feed.look()
    [queue] = shop.feeds.values()
    assert queue.committed == 0
    journal.dies_at = None
    _, feed, _ = _opened(shop, journal, visibility=0)
    await feed.look()
    assert _statuses(journal) == {order: shop.order(order)["status"]}


async def test_a_vanished_feed_is_made_again_and_its_gap_repaired():
    """Placed, approved, invoiced and cancelled orders of the gap are found by lists."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, _ = _opened(shop, journal)
    await feed.look()
    before = [_order(shop) for _ in range(3)]
    await feed.look()
    shop.feeds.clear()
    new = _order(shop)
    shop.cancel_order(before[0])
    shop.invoice_order(before[1])
    shop.approve_order(before[2])
    await feed.look()
    assert _statuses(journal) == {one: shop.order(one)["status"] for one in (*before, new)}
    assert len(shop.feeds) == 1


@pytest.mark.parametrize("again", [True, False], ids=["the poller goes on", "another poller goes on"])
async def test_a_gap_whose_repair_fails_is_repaired_by_the_next_look(monkeypatch, again):
    """By then the feed has been made, and nothing but the cursor tells of the gap."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, lists = _opened(shop, journal)
    await feed.look()
    shop.feeds.clear()
    lost = _order(shop)
    with monkeypatch.context() as patch:
        patch.setattr(lists, "repair", _unanswered)
        with pytest.raises(Unavailable):
            await feed.look()
    assert len(shop.feeds) == 1
    if not again:
        _, feed, _ = _opened(shop, journal)
    await feed.look()
    assert _statuses(journal) == {lost: shop.order(lost)["status"]}
    assert "missed" not in journal.positions()["orders"]


async def test_a_feed_is_read_while_lists_are_not_answered(monkeypatch):
    """A gap to be listed again waits for them; what happens now does not."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, lists = _opened(shop, journal)
    await feed.look()
    shop.feeds.clear()
    await feed._watch()
    order = _order(shop)
    monkeypatch.setattr(lists, "repair", _unanswered)
    with pytest.raises(Unavailable):
        await feed.look()
    assert _statuses(journal) == {order: shop.order(order)["status"]}


async def test_orders_that_were_owed_stay_so_until_they_are_written():
    """Others than the feed have asked for them, and will not do so again."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, feed, _ = _opened(shop, journal)
    await feed.look()
    source.owed = {"1-01"}
    journal.dies_at = journal.steps + 1
    with pytest.raises(StoppedError):
        await feed.look()
    await feed.look()
    assert (source.owed, journal.positions()["orders"]["later"].keys()) == (set(), {"1-01"})


async def _unanswered(*_):
    raise Unavailable("a list is not answered")


async def test_a_gap_is_listed_again_when_lists_have_caught_up():
    """Lists are minutes behind (NOTES 4.1): what happened just before the feed was made shows up later."""
    at = [system_clock()]
    shop, journal = Shop("acme", hostility=Hostility(list_lag=500), clock=lambda: at[0]), MemoryJournal()
    early = _order(shop)
    source, feed, lists = _opened(shop, journal, index_lag=600)
    source.client._now = lambda: at[0] / SECOND
    await feed.look()
    await lists.backfill()
    late = _order(shop)
    await feed.look()
    assert _statuses(journal).keys() == {late}
    at[0] += 601 * SECOND
    await feed.look()
    assert _statuses(journal).keys() == {early, late}
    assert journal.positions()["orders"]["gaps"] == []


async def test_a_foreign_feed_is_left_alone():
    """Somebody's FromOrders feed under our key: told, not overwritten."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, feed, _ = _opened(shop, journal)

    async def foreign():
        return {"filter": {"type": "FromOrders", "expression": "true"}}

    source.oms.feed_config = foreign
    with pytest.raises(FeedTaken, match="key of its own"):
        await feed.look()


async def test_an_order_that_is_not_there_yet_is_asked_for_again(monkeypatch):
    """Its event is committed, since it would hold up the others; the cursor remembers it."""
    monkeypatch.setattr(feed_module, "AGAIN_MS", (0, 0, 0))
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, _ = _opened(shop, journal)
    await feed.look()
    order = _order(shop)
    hidden = shop.book.orders.pop(order)
    await feed.look()
    assert list(journal.positions()["orders"]["later"]) == [order]
    shop.book.orders[order] = hidden
    await feed.look()
    assert _statuses(journal) == {order: shop.order(order)["status"]}
    assert journal.positions()["orders"]["later"] == {}


async def test_an_unreadable_order_is_a_dead_letter_without_its_bytes():
    """It stops nobody, and no card data is kept."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, _ = _opened(shop, journal)
    await feed.look()
    bad, good = _order(shop, value="much"), _order(shop)
    await feed.look()
    assert _statuses(journal) == {good: shop.order(good)["status"]}
    [(_, key, value)] = [row for row in journal.rows if row[0] == "dead.letters"]
    letter = orjson.loads(value)
    assert key.decode() == f"acme/poller/order/{bad}"
    assert letter["detail"] == "an order came without a usable value"
    assert "value" not in letter


async def test_a_hidden_buyer_is_read_as_a_customer():
    """A hard mask says nothing; CL.userId does (NOTES 4.3); once for each buyer."""
    shop, journal = Shop("acme", mask=Mask.HARD), MemoryJournal()
    customer = shop.put_customer({"email": "ana@shop.example", "homePhone": "+5511987654321"})
    _, feed, _ = _opened(shop, journal)
    await feed.look()
    order = _order(shop, customer=customer)
    await feed.look()
    [read] = [e["data"] for e in journal.said() if e["type"] == "vtex.customer.changed"]
    assert (read["email"], read["read_by"]) == ("ana@shop.example", "order")
    buyer = next(e["data"]["buyer"] for e in journal.said() if e["subject"] == order)
    assert "email" not in buyer
    assert buyer["user_profile_id"] == read["user_id"]


async def test_orders_are_read_once_and_their_number_told():
    """Day by day, the latest first, to be gone on with."""
    shop, journal = Shop("acme"), MemoryJournal()
    orders = [_order(shop) for _ in range(25)]
    _, _, lists = _opened(shop, journal, since=3 * 86400)
    journal.dies_at = 3
    with pytest.raises(StoppedError):
        await lists.backfill()
    journal.dies_at = None
    _, _, lists = _opened(shop, journal, since=3 * 86400)
    await lists.backfill()
    where = journal.positions()["orders.backfill"]
    assert (where["done"], where["finished"], where["left_s"]) == (25, True, 0)
    assert _statuses(journal).keys() == set(orders)


async def test_more_orders_than_a_list_shows_are_read_in_halves(monkeypatch):
    """30 pages of 100 are the limit; here a page."""
    monkeypatch.setattr("connectors.vtex.order_lists.PAGES", 1)
    monkeypatch.setattr("connectors.vtex.oms.PER_PAGE", 10)
    at = [1_795_687_200 * 10_000_000]
    shop, journal = Shop("acme", clock=lambda: at[0]), MemoryJournal()
    orders = []
    for _ in range(40):
        orders.append(_order(shop))
        at[0] += 60 * 10_000_000
    source, _, lists = _opened(shop, journal, since=86400)
    source.client._now = lambda: at[0] / 10_000_000
    await lists.backfill()
    assert _statuses(journal).keys() == set(orders)


async def test_a_refund_is_found_though_no_status_changes():
    """Invoiced orders are read again on a schedule; what has not changed is not told again."""
    shop, journal = Shop("acme"), MemoryJournal()
    _, feed, lists = _opened(shop, journal, refunds_every=0)
    await feed.look()
    refunded, kept = _order(shop), _order(shop)
    for order in (refunded, kept):
        shop.invoice_order(order)
    await feed.look()
    before = len(journal.records)
    shop.return_order(refunded, 1200)
    await lists.refunds()
    assert [e["subject"] for e in journal.said()[before:]] == [refunded]
    assert journal.said()[-1]["data"]["returns"][0]["value"] == 1200


async def test_a_protected_account_is_recognised():
    """Masks of the PII architecture: said to people, with what can be done."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, feed, _ = _opened(shop, journal)
    await feed.look()
    _order(shop, clientProfileData={"email": "j***.d**@e******.c**", "firstName": "J***"})
    await feed.look()
    assert "PII architecture" in source.status.position["problems"]["account"]


async def test_of_two_changes_within_a_millisecond_the_later_is_told_last():
    """A reading that began later and was answered earlier, by a VTEX that had only the first of them, is left out."""
    shop, journal = Shop("acme"), MemoryJournal()
    source, _, _ = _opened(shop, journal)
    purchases = Purchases(source, People(source))
    order = _order(shop)
    shop.change_order(order, status="invoiced", lastChange="2026-11-26T10:00:00.1234567+00:00")
    first = await purchases.read([order], Urgency.FOLLOW)
    shop.change_order(order, status="canceled", lastChange="2026-11-26T10:00:00.1234568+00:00")
    second = await purchases.read([order], Urgency.FOLLOW)
    first.read_at = second.read_at + 10
    await source.journal.write(purchases.stage(second, "feed"))
    await source.journal.write(purchases.stage(first, "list"))
    assert _statuses(journal) == {order: "canceled"}
    assert len(journal.records) == 1


async def test_hostile_feeds_lose_nothing(monkeypatch):
    """Duplicates, disorder, removed configurations, failing calls, statuses that are null for a moment."""
    monkeypatch.setattr(feed_module, "AGAIN_MS", (0,) * 6)
    hostility = Hostility(
        feed_duplicates=0.3, feed_disorder=0.5, feed_removed=0.1, errors=0.05, truncations=0.05, after_effect=0.5,
        null_status=0.1, double_returns=0.5,
    )  # fmt: skip
    shop, journal = Shop("acme", hostility=hostility), MemoryJournal()
    _, feed, _ = _opened(shop, journal, visibility=0)
    orders = []
    for number in range(30):
        try:
            await feed.look()
        except VtexError:
            continue
        orders.append(_order(shop))
        if number % 3 == 0:
            shop.invoice_order(orders[-1])
    shop.hostility = Hostility()
    while await feed.look():
        pass
    await feed.look()
    assert _statuses(journal) == {one: shop.order(one)["status"] for one in orders}
