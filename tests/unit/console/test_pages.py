"""Pages say what stands in the topics: every figure, every state, and no secret."""

import csv
import html as entities
import io
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from connectors.console.links import campaign_link
from schemas import topics
from schemas.kpis import CampaignKpis
from schemas.messages import Campaign
from tests.scenarios.console.shop_rows import row, shop_rows
from tests.stores import a_store
from tests.unit.console.conftest import NOW, Stored

HOSTILE = (
    '<script>alert("x")</script>',
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "../../etc",
    "a/b?c=d&e#f",
    "=1+1",
    "ナイス",
)


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def read(html):
    """Return a page's elements and its text."""
    parser = _Text()
    parser.feed(html)
    return parser.tags, " ".join(" ".join(parser.text).split())


PAGES = (
    "/",
    "/stores/acme",
    "/stores/acme/customers",
    "/stores/acme/activity",
    "/stores/acme/setup",
    "/stores/acme/campaign?name=cart-24h",
)


async def test_without_a_store_the_first_page_is_the_wizard(make_bench):
    """Once the topics are known to hold none; before that, the page says what it waits for."""
    answer = await make_bench().http.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/connect")

    assert "eading what the topics hold" in await make_bench(loaded=False).html("/")


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_of_a_busy_shop(make_bench, path):
    """Is drawn, is accessible in its bones, and shows no sealed or unsealed secret nor a dead letter's contents."""
    bench = make_bench()
    bench.put(shop_rows(customers=50, now=NOW, backfilling=True))
    html = await bench.html(path)
    tags, _ = read(html)

    names = [tag for tag, _ in tags]
    assert names.count("main") == names.count("h1") == 1
    assert "header" in names
    assert "footer" in names
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    labelled = {attrs.get("for") for tag, attrs in tags if tag == "label"}
    fields = [attrs for tag, attrs in tags if tag in {"input", "select"} and attrs.get("type") != "hidden"]
    assert {attrs["id"] for attrs in fields} <= labelled
    for secret in ("hash-secret-of", "hook-secret-of", "server-token-of", "c2VjcmV0"):
        assert secret not in html
    assert re.search(r"<style|\sstyle=|\son[a-z]+=\"", html) is None


@pytest.mark.parametrize("path", [*PAGES[:5], "/stores/acme/campaign?name=new"])
async def test_every_page_of_an_empty_shop(make_bench, path):
    """Says that there is nothing yet, instead of zeros that look like figures."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store()), _campaign("new", "Brand new")])
    _, text = read(await bench.html(path))

    assert re.search(r"(yet|No event|no event|Waiting for a poller|No revenue)", text)


async def test_unknown_is_never_zero(make_bench):
    """A campaign without deliveries and cost has dashes that say why, also for people who only hear the page."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store()), _cell("c1", conversions=2, revenue=500, net=500)])
    _, text = read(await bench.html("/stores/acme"))
    html = await bench.html("/stores/acme")

    assert text.count("unknown") >= 6
    assert 'title="Unknown, not zero: no delivery is known"' in html
    assert "R$5.00" in text
    assert "0.0%" not in text


async def test_sums_say_what_they_leave_out(make_bench):
    """A cost that is known of one of two campaigns is marked; a rate is over the campaigns that have both parts."""
    bench = make_bench()
    known = {"sent": 100, "delivered": 100, "engaged": 10, "cost_micros": 10_000_000}
    bench.put([
        row(topics.STORES, "acme", value=a_store()), _cell("c1", conversions=1, revenue=3000, net=3000, **known),
        _cell("c2", conversions=9, revenue=9000, net=9000),
    ])  # fmt: skip
    _, text = read(await bench.html("/stores/acme"))

    assert "R$10.00 * (Without 1 campaign of which this is unknown)" in text
    assert "R$120.00" in text  # net of both
    assert "3.00\N{MULTIPLICATION SIGN} * (Without 1 campaign" in text  # 30.00 / 10.00: not 120.00 / 10.00
    assert "10.0%" in text
    assert "1.0% * (Without" in text


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_text(make_bench, name):
    """In the table, on the campaign's page, in addresses and in the CSV; the link leads back to the same campaign."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store()), _campaign(name, name), _cell(name, conversions=1, net=1)])
    tags, text = read(await bench.html("/stores/acme"))
    plain, _ = read(await make_bench_reference(bench))

    assert " ".join(name.split()) in text
    assert [tag for tag, _ in tags if tag in {"script", "img"}] == [tag for tag, _ in plain if tag in {"script", "img"}]
    link = next(attrs["href"] for tag, attrs in tags if tag == "a" and "/campaign?" in attrs.get("href", ""))
    assert link == campaign_link("acme", name)
    _, text = read(await bench.html(link))
    assert " ".join(name.split()) in text
    answer = await bench.http.get("/stores/acme/campaign.csv", params={"name": name})
    assert answer.status_code == 200
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9_-]+\.csv"', answer.headers["content-disposition"])


async def make_bench_reference(bench):
    """A page of the same application without the hostile name."""
    return await bench.html("/connect")


@pytest.mark.parametrize("sort", ["net", "cost", "roi", "name", "sent"])
async def test_campaigns_are_sorted_the_unknown_last(make_bench, sort):
    """By any column, in both directions."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))
    cells = {key: cells["total", "all", "BRL"] for key, cells in bench.model.cells["acme"].items()}
    shown = {order: await _names(bench, f"/stores/acme?sort={sort}&order={order}") for order in ("asc", "desc")}

    field = "cost_micros" if sort == "cost" else sort
    if sort == "name":
        assert shown["asc"] == shown["desc"][::-1]
        return
    for order, sign in (("asc", 1), ("desc", -1)):
        values = [getattr(cells[name], field) for name in shown[order]]
        told = [value for value in values if value is not None]
        assert values[: len(told)] == told == sorted(told, key=lambda value: value * sign)


async def _names(bench, path):
    tags, _ = read(await bench.html(path))
    links = [attrs["href"] for tag, attrs in tags if tag == "a" and "/campaign?" in attrs.get("href", "")]
    return [re.search(r"name=([^&]+)", link).group(1) for link in links]


async def test_many_campaigns_come_in_pages_and_are_found(make_bench):
    """50 a page; a search keeps the order; queries that make no sense are as none."""
    bench = make_bench()
    bench.put(row(topics.STORES, "acme", value=a_store()) for _ in range(1))
    bench.put(_cell(f"c{number:03}", net=number) for number in range(120))

    assert await _names(bench, "/stores/acme") == [f"c{number:03}" for number in range(119, 69, -1)]
    assert await _names(bench, "/stores/acme?page=3") == [f"c{number:03}" for number in range(19, -1, -1)]
    assert await _names(bench, "/stores/acme?find=C01") == [f"c{number:03}" for number in range(19, 9, -1)]
    for query in (
        "page=0",
        "page=-1",
        "page=99999999999",
        "page=%C2%B2",
        "sort=store",
        "order=up",
        "days=1e9",
        "basis=total",
    ):
        assert (await _names(bench, f"/stores/acme?{query}"))[:1] == ["c119"]


async def test_a_campaign_adds_up_to_the_cent(make_bench):
    """The total, the days of both bases and the orders behind it; a cent that is missing is shown as such."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))
    path = "/stores/acme/campaign?name=black-friday-wpp"
    _, text = read(await bench.html(path))
    total = bench.model.cells["acme"]["black-friday-wpp"]["total", "all", "BRL"]
    net = f"R${total.net / 100:,.2f}"

    assert "All sums agree" in text
    assert text.count(net) >= 4
    order = next(bench.model.orders.orders("acme", "black-friday-wpp"))
    changed = order.model_copy(update={"amount": order.amount + 1, "net": order.net + 1})
    bench.put([row(topics.ATTRIBUTIONS, "acme", order.order, value=changed)])
    _, text = read(await bench.html(path))
    assert "Not yet equal" in text
    assert "differs from the total" in text


async def test_orders_say_why(make_bench):
    """Rule, winner, what it won against, and what was given back; cancelled ones stay in the list."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))
    orders = [o for c in list(bench.model.cells["acme"]) for o in bench.model.orders.orders("acme", c)]
    order = next(o for o in orders if o.losers and o.refunded)
    pages = [await bench.html(f"{campaign_link('acme', order.campaign)}&page={page}") for page in (1, 2, 3)]
    _, text = read("".join(pages))

    assert order.order in text
    assert "Latest click" in text or "Latest delivery" in text
    assert "1 other touch" in text
    assert "Carrinho abandonado" in text
    assert f"R${order.refunded / 100:,.2f}" in text


async def test_the_csv_has_every_order(make_bench):
    """With decimals that add up to the cell, and no text that a spreadsheet would run."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))
    first = next(bench.model.orders.orders("acme", "cart-24h"))
    evil = first.model_copy(update={"order": "=cmd()", "rule": "@SUM(A1)", "amount": 0, "net": 0, "refunded": 0})
    bench.put([row(topics.ATTRIBUTIONS, "acme", "=cmd()", value=evil)])
    answer = await bench.http.get("/stores/acme/campaign.csv?name=cart-24h")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    total = bench.model.cells["acme"]["cart-24h"]["total", "all", "BRL"]

    assert len(rows) == bench.model.orders.count("acme", "cart-24h")
    assert sum(round(float(each["net"]) * 100) for each in rows) == total.net
    assert sum(int(each["conversions"]) for each in rows) == total.conversions + evil.conversions
    assert {"'=cmd()", "'@SUM(A1)"} <= {value for each in rows for value in each.values()}


async def test_customers_by_state_and_reach(make_bench):
    """What the tally counts, with the conflicts; corrected when a customer moves on."""
    bench = make_bench()
    bench.put(shop_rows(customers=1000, now=datetime.now(UTC), backfilling=True))
    counts = bench.model.customers.of("acme")
    _, text = read(await bench.html("/stores/acme/customers"))

    assert f"Synced The destination has the latest state {counts.states['hellotext', 'synced']:,}" in text
    assert f"Reachable by WhatsApp {counts.reach['whatsapp']:,}" in text
    assert "548,211 of 1,204,331" in text
    assert "2,437 a second" in text
    assert "minutes left" in text


async def test_activity_shows_fates_and_letters_without_contents(make_bench):
    """Counts per agent, the ids that were not counted and why, and where each dead letter came from."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))
    html = await bench.html("/stores/acme/activity")
    _, text = read(html)
    counted = bench.model.fate_counts["acme"]["tracking", "counted"]

    assert f"{counted:,}" in text
    assert "bot: WhatsApp link preview" in text
    assert "currency without an amount" in text
    assert "pixel.events [2] @ 4212" in text
    assert "secret" not in entities.unescape(html)


async def test_the_api_tells_what_the_page_shows(make_bench):
    """Stores without secrets, campaigns in minor units with null for the unknown; 404 for a store that is not there."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))

    stores = (await bench.http.get("/api/stores")).json()["stores"]
    assert [each["store"] for each in stores] == ["acme"]
    assert "secret" not in str(stores)
    assert "token" not in str(stores)
    campaigns = {
        each["campaign"]: each for each in (await bench.http.get("/api/stores/acme/campaigns")).json()["campaigns"]
    }
    cell = bench.model.cells["acme"]["instagram-bio"]["total", "all", "BRL"]
    assert (campaigns["instagram-bio"]["net"], campaigns["instagram-bio"]["cost_micros"]) == (cell.net, None)
    missing = await bench.http.get("/api/stores/nope/campaigns")
    assert (missing.status_code, missing.json()) == (404, {"error": "No such store is connected."})


@pytest.mark.parametrize(
    "path", ["/stores/nope", "/stores/acme/campaign?name=nope", "/stores/acme/campaign", "/stores/acme/nope", "/%00"]
)
async def test_what_is_not_there(make_bench, path):
    """Is a page that leads back, escaped, with status 404."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=a_store())])

    assert "To the stores" in await bench.html(path, 404)


async def test_who_waits_for_whom(make_bench):
    """A store without a poller, a silent poller, dead letters: each says what to do; a new store: patience."""
    bench = make_bench()
    bench.put(
        [
            row(topics.STORES, "acme", value=a_store()),
            row(topics.STORES, "new", value=a_store("new", connected_at=NOW + timedelta(days=3650))),
        ]
    )
    _, text = read(await bench.html("/"))
    assert "acme VTEX: nothing read yet See that a poller runs" in text
    assert "new VTEX: waiting for the first read" in text

    bench.put(shop_rows(customers=1, now=NOW.replace(year=2020)))
    _, text = read(await bench.html("/"))
    assert "acme VTEX: last read" in text
    assert "acme Worker: 2 dead letters" in text


async def test_a_removed_store_is_gone(make_bench):
    """Its tombstone takes it off the first page."""
    bench = make_bench()
    bench.put(shop_rows(customers=1, now=NOW))
    bench.model.apply(topics.STORES.name, [Stored(b"acme", None)])

    assert (await bench.http.get("/")).status_code == 303
    await bench.html("/stores/acme", 404)


async def test_a_bad_row_concerns_only_itself(make_bench):
    """It is counted, and everything else is shown."""
    bench = make_bench()
    bench.model.apply(
        topics.KPI_CAMPAIGNS.name, [Stored(b"acme/x", b"{}"), Stored(b"\xff", b"nope"), Stored(b"", None)]
    )
    bench.put(shop_rows(customers=1, now=NOW))

    assert bench.model.unreadable == 3
    await bench.html("/stores/acme")


def _campaign(campaign, name):
    return row(
        topics.CAMPAIGNS, "acme", campaign, value=Campaign(store="acme", campaign=campaign, name=name, day=NOW.date())
    )


def _cell(campaign, **figures):
    value = CampaignKpis(
        store="acme", campaign=campaign, basis="total", date="all", currency="BRL", updated_at=NOW, **figures
    )
    return row(topics.KPI_CAMPAIGNS, "acme", campaign, "total", "all", "BRL", value=value)
