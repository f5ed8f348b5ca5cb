"""What is wrong with a store's readers stands on its pages, and is never taken for a read."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.console.figures import Figures
from schemas import topics
from schemas.vtex import Cursor
from tests.scenarios.console.shop_rows import row, shop_rows
from tests.stores import a_store
from tests.unit.console.test_pages import read

REASON = "the key of account acme may not read customers (403): give its role the License Manager resource"


def status(at, **problems):
    """Return the row in which the poller tells a store's problems."""
    position = {"problems": {name.replace("_", "."): reason for name, reason in problems.items()}}
    value = Cursor(store="acme", resource="status", position=position, updated_at=at)
    return row(topics.VTEX_CURSORS, "acme", "status", value=value)


@pytest.fixture
def bench(make_bench):
    """A store whose customers were read to their end."""
    made = make_bench()
    made.put(shop_rows(customers=1, now=datetime.now(UTC)))
    return made


async def test_the_card_shows_the_first_reason_in_amber(bench):
    """And how many readers wait besides; it heals when the poller says so."""
    bench.put([status(datetime.now(UTC) - timedelta(minutes=3), customers=REASON, orders="VTEX is away")])
    html = await bench.html("/")
    _, text = read(html)

    assert f"VTEX customers not read: {REASON} (and 1 other reader)" in text
    assert '<li class="warn"><span class="dot warn" aria-hidden="true"></span><span class="strong">VTEX</span>' in html
    assert "Since 3 minutes ago" in text

    bench.put([status(datetime.now(UTC))])
    _, text = read(await bench.html("/"))
    assert REASON not in text
    assert "VTEX read" in text


@pytest.mark.parametrize("page", ["customers", "setup"])
async def test_pages_show_every_reader_with_its_reason(bench, page):
    """Since when, too; and customers are not called followed while they are not. Orders' problems leave them be."""
    assert "complete, and followed from now on" in await bench.html(f"/stores/acme/{page}")

    bench.put([status(datetime.now(UTC) - timedelta(minutes=3), customers=REASON, orders="VTEX is away")])
    _, text = read(await bench.html(f"/stores/acme/{page}"))
    assert f"customers : {REASON} Since 3 minutes ago" in text
    assert "orders : VTEX is away Since 3 minutes ago" in text
    assert "followed from now on" not in text
    assert "read once, but customers needs attention" in text

    bench.put([status(datetime.now(UTC), orders="VTEX is away")])
    assert "complete, and followed from now on" in await bench.html(f"/stores/acme/{page}")


async def test_a_backfill_that_cannot_go_on_says_so(make_bench):
    """Customers and addresses have one reader for it."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=datetime.now(UTC), backfilling=True))
    bench.put([status(datetime.now(UTC), customers_backfill=REASON)])
    _, text = read(await bench.html("/stores/acme/customers"))

    assert "548,211 of 1,204,331 customers.backfill needs attention" in text


async def test_the_status_is_no_read(make_bench):
    """A poller that only tells problems, or that they are over, has read nothing."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store()), status(datetime.now(UTC))])

    assert "VTEX: nothing read yet" in read(await bench.html("/"))[1]
    assert "Nothing has been read yet" in read(await bench.html("/stores/acme/customers"))[1]

    bench.put(shop_rows(customers=1, now=datetime.now(UTC) - timedelta(hours=2)))
    bench.put([status(datetime.now(UTC))])
    assert "VTEX: last read 2 hours ago" in read(await bench.html("/"))[1]
    assert ">status<" not in await bench.html("/stores/acme/customers")


async def test_nobody_reads_a_paused_store(bench):
    """What was wrong before it was paused is no matter until it is followed again."""
    bench.put([status(datetime.now(UTC), customers=REASON), row(topics.STORES, "acme", value=a_store(paused=True))])

    assert REASON not in await bench.html("/")
    assert REASON not in await bench.html("/stores/acme/customers")


async def test_the_card_names_the_host_that_is_read(bench):
    """Which need not be VTEX's own address of the account."""
    html = await bench.html("/")

    assert "127.0.0.1:1 · BR" in html
    assert "myvtex.com" not in html


async def test_a_note_turns_no_card_amber(bench):
    """An account without addresses is read without them: it is said where readers stand, and asks for nothing."""
    note = {"problems": {"addresses": "account acme has no data entity AD (404)"}, "notes": ["addresses"]}
    value = Cursor(store="acme", resource="status", position=note, updated_at=datetime.now(UTC))
    bench.put([row(topics.VTEX_CURSORS, "acme", "status", value=value)])
    _, text = read(await bench.html("/"))

    assert "VTEX read" in text
    assert "no data entity AD" in read(await bench.html("/stores/acme/customers"))[1]


async def test_pages_say_when_vtex_is_tried_again(bench):
    """At each reader that waits, and at the store's card; a moment that is past is none: it is being tried."""
    now = datetime.now(UTC)

    def put(seconds, **problems):
        until = (now + timedelta(seconds=seconds)).isoformat()
        told = {"problems": problems, "again": dict.fromkeys(problems, now.isoformat()), "rests_until": until}
        value = Cursor(store="acme", resource="status", position=told, updated_at=now)
        bench.put([row(topics.VTEX_CURSORS, "acme", "status", value=value)])
        return Figures("en").clock(until, "America/Sao_Paulo")

    at = put(240, orders="VTEX is away")
    assert f"; tries again at {at}; all reasons" in read(await bench.html("/"))[1]
    assert f"; tries again at {at}" in read(await bench.html("/stores/acme/customers"))[1]
    at = put(240)
    assert f"VTEX: calls rest until {at}" in read(await bench.html("/"))[1]
    put(-1)
    assert "calls rest" not in await bench.html("/")
    put(-1, orders="VTEX is away")
    assert "tries again" not in await bench.html("/")


async def test_each_reader_has_its_own_beginning(bench):
    """Not the time at which the row was last written."""
    now = datetime.now(UTC)
    told = {"problems": {"orders": "VTEX is away"}, "since": {"orders": (now - timedelta(hours=2)).isoformat()}}
    value = Cursor(store="acme", resource="status", position=told, updated_at=now)
    bench.put([row(topics.VTEX_CURSORS, "acme", "status", value=value)])

    assert "orders : VTEX is away Since 2 hours ago" in read(await bench.html("/stores/acme/customers"))[1]
