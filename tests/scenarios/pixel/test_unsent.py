"""What is unsent when a page ends, or may not be sent: none is lost, none is counted twice (docs/collector.md)."""

import json
from collections import Counter
from datetime import datetime, timedelta

import pytest

from schemas import topics
from streams.engine.testing import MemoryShard
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.pixel_collector import read_topic
from tests.scenarios.pixel.browsing import FORBIDDEN, READY, actions, alone, browser_page, shop, tag, visit
from tests.stores import GivenDirectory

pytestmark = [pytest.mark.broker, pytest.mark.browser]

MANY = """(count) => {
  for (let n = 0; n < count; n++) Hellotext.track("cart.added", {amount: 89.9, currency: "BRL", metadata: {n}});
}"""
BURST = f"(count) => {{ ({MANY})(count); location.href = '/next'; }}"
OFFLINE = """() => {
  window.fetch = () => Promise.reject(new TypeError("offline"));
  navigator.sendBeacon = () => true;
}"""
"""A page without a network to its very end: what Playwright does to a page is undone before the page is gone."""
EMPTY = "!localStorage.getItem('hello_queue')"


def ago(**wait: int) -> str:
    """A script that makes what a browser keeps so much older."""
    ms = timedelta(**wait) // timedelta(milliseconds=1)
    return f"""
      const queue = JSON.parse(localStorage.getItem("hello_queue") || "[]");
      queue.forEach((event) => (event.queued_at -= {ms}));
      localStorage.setItem("hello_queue", JSON.stringify(queue));
    """


async def counted(kafka, store) -> Counter[str]:
    """How often the tracking agent counts each event of the burst, by its number."""
    shard = MemoryShard([TrackingAgent(Stores(GivenDirectory(store), str))])
    rows = await read_topic(kafka, "pixel.events")
    await shard.feed(topics.PIXEL_EVENTS, *((row["key"], row["raw"]) for row in rows))
    told = [
        topics.TRACKING_EVENTS.model.model_validate_json(value) for _, value in shard.outputs(topics.TRACKING_EVENTS)
    ]
    return Counter(event.data.parameters["metadata"]["n"] for event in told if event.data.action == "cart.added")


async def test_a_burst_before_leaving_is_told_whole(kafka, site):
    """500 events in the moment before the page is left: beacons and the next page tell each of them, once."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        await visit(page, url, "() => 0")
        await actions(kafka, 1)
        await page.evaluate(BURST, 500)
        await page.wait_for_url("**/next")
        await page.wait_for_function(READY)
        await page.wait_for_function(EMPTY)

        assert await counted(kafka, site[1]) == Counter(range(500))


async def test_a_burst_is_told_where_nothing_is_kept(kafka, site):
    """Without storage, the beacons are all there is: as many as the browser carries over the end of a page."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        await page.add_init_script(FORBIDDEN)
        await visit(page, url, "() => 0")
        await actions(kafka, 1)
        await page.evaluate(BURST, 80)
        await page.wait_for_url("**/next")
        await actions(kafka, 82)

        assert await counted(kafka, site[1]) == Counter(range(80))


@pytest.mark.parametrize(("wait", "found"), [({"days": 1}, 700), ({"days": 7}, 0)])
async def test_what_was_told_offline_is_sent_when_the_visitor_comes_back(kafka, site, wait, found):
    """The next day under its own time; later than ids are known it is let go, or it would be counted again."""
    async with shop(tag(site[0])) as url, browser_page() as blank:
        context = await blank.context.browser.new_context()
        page = await context.new_page()
        await visit(page, url, "() => 0")
        await actions(kafka, 1)
        await page.wait_for_function(EMPTY)
        await page.evaluate(OFFLINE)
        answer = await page.evaluate("Hellotext.track('x.offline').then((answer) => answer.data.status)")
        await page.evaluate(MANY, 700)
        await page.close()
        again = await context.new_page()
        await again.add_init_script(ago(**wait))
        await visit(again, url, "Hellotext.track('x.back').then(() => 0)")
        await again.wait_for_function(EMPTY)
        rows = [row for row in await read_topic(kafka, "pixel.events") if row["data"].get("action") == "cart.added"]

        assert answer == "queued"
        assert await counted(kafka, site[1]) == Counter(range(found))
    for row in rows:
        age = datetime.fromisoformat(row["receivedtime"]) - datetime.fromisoformat(row["time"])
        assert timedelta() <= age - timedelta(**wait) < timedelta(minutes=2)


async def test_a_minute_offline_costs_nothing(kafka, site):
    """More than storage holds, in a page that stays: all of it is sent when the network is back."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        await visit(page, url, "() => 0")
        await page.context.set_offline(True)
        await page.evaluate(MANY, 1200)
        await page.wait_for_function("JSON.parse(localStorage.getItem('hello_queue')).length === 1000")
        await page.context.set_offline(False)
        await page.wait_for_function(EMPTY)

        assert await counted(kafka, site[1]) == Counter(range(1200))


async def test_full_storage_keeps_the_latest_that_find_room(kafka, site):
    """And nothing that has been sent already stays there; the shop's own things are left alone."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        _, thrown = await visit(page, url, "() => { navigator.sendBeacon = () => false; }")
        await page.wait_for_function(EMPTY)
        await page.evaluate("""() => {
          window.fetch = () => Promise.reject(new TypeError("offline"));
          let room = 5 * 1024 * 1024;
          for (let size = room; size; size >>= 1) {
            try { localStorage.setItem("own" + size, "x".repeat(size)); } catch (_) { /* full */ }
          }
          for (const name of Object.keys(localStorage).sort((a, b) => a.slice(3) - b.slice(3))) {
            if (name.slice(3) > 20000 && name.slice(3) < 50000) { localStorage.removeItem(name); break; }
          }
        }""")
        own = await page.evaluate("Object.keys(localStorage).length")
        await page.evaluate(MANY, 300)
        await page.wait_for_function("localStorage.getItem('hello_queue')")
        kept = await page.evaluate("JSON.parse(localStorage.getItem('hello_queue')).map((event) => event.metadata.n)")
        await page.goto(f"{url}/next")
        await page.wait_for_function(READY)
        await page.wait_for_function(EMPTY)
        left = await page.evaluate("Object.keys(localStorage).length")

        assert thrown == []
        assert kept == list(range(300 - len(kept), 300))
        assert 20 < len(kept) < 300
        assert left == own
        assert await counted(kafka, site[1]) == Counter(kept)


async def test_a_refusal_holds_in_every_tab_and_when_going_back(kafka, site):
    """Refused in another tab, or on the page that one returns from: nothing more is told or kept."""
    async with shop(tag(site[0])) as url, browser_page() as blank:
        context = await blank.context.browser.new_context()
        page, other = await context.new_page(), await context.new_page()
        await visit(page, url, "() => 0")
        await visit(other, url, "() => Hellotext.track('x.told').then(() => 0)")
        await page.evaluate("Hellotext.setConsent('denied')")
        answer = await other.evaluate("Hellotext.track('x.refused').then((answer) => answer.data.status)")
        kept = await other.evaluate("[document.cookie, localStorage.length, typeof Hellotext.session]")
        await page.evaluate("Hellotext.setConsent('granted')")
        again = await other.evaluate("Hellotext.track('x.granted').then((answer) => answer.data.status)")
        told = {row["data"].get("action") for row in await read_topic(kafka, "pixel.events")}

    assert (answer, again) == ("filtered", "received")
    assert kept == ["hello_consent=denied", 0, "undefined"]
    assert "x.refused" not in told
    assert {"x.told", "x.granted"} <= told


async def test_going_back_finds_the_refusal_made_since(kafka, site):
    """A page out of the browser's cache heeds what was chosen after it was left, before it tells anything."""
    async with shop(tag(site[0])) as url, browser_page(cache=True) as page:
        await visit(page, url, "() => { window.kept = true; return Hellotext.track('x.told').then(() => 0); }")
        await visit(page, f"{url}/next", "Hellotext.setConsent('denied')")
        await page.evaluate("history.back()")
        await page.wait_for_function("document.cookie === 'hello_consent=denied' && window.kept")
        answer = await page.evaluate("Hellotext.track('x.refused').then((answer) => answer.data.status)")
        kept = await page.evaluate("[document.cookie, localStorage.length]")

    assert answer == "filtered"
    assert kept == ["hello_consent=denied", 0]


async def test_a_page_that_comes_back_counts_nothing_twice(kafka, site):
    """What it could not send when it was left has been sent by the next page; it sends the same once more."""
    async with shop(tag(site[0])) as url, browser_page(cache=True) as page:
        await visit(page, url, "() => { window.kept = true; }")
        await page.evaluate(BURST, 60)
        await page.wait_for_url("**/next")
        await page.wait_for_function(READY)
        await page.wait_for_function(EMPTY)
        await page.evaluate("history.back()")
        await page.wait_for_function("window.kept")
        await page.evaluate("Hellotext.track('x.back').then(() => 0)")
        await page.wait_for_function(EMPTY)

        assert await counted(kafka, site[1]) == Counter(range(60))


BEFOREHAND = """<script>
  const tell = (name, metadata) => (window.HellotextCalls = window.HellotextCalls || []).push(
    [Date.now() - 60000, "track", name, {metadata}]
  );
  tell("page.viewed");
  document.addEventListener("prerenderingchange", () => tell("x.looked"));
  addEventListener("load", () => {
    if (document.prerendering) setTimeout(() => localStorage.setItem(location.pathname, document.cookie), 300);
    const complete = setInterval(() => {
      if (location.pathname !== "/" || !localStorage["/looked"] || !localStorage["/unlooked"]) return;
      clearInterval(complete);
      tell("x.leaving", {kept: localStorage["/looked"] + localStorage["/unlooked"]});
      location.href = "/looked?LINK";
    }, 50);
  });
</script>"""
"""Two pages are rendered beforehand, and one of them is visited once both are complete."""


async def test_a_page_rendered_beforehand_has_not_been_visited(kafka, site, tmp_path):
    """Until it is looked at it tells nothing and keeps nothing; what happened in it counts from then on."""
    link = "utm_source=hellotext&utm_medium=sms&utm_campaign=C1"
    pages = [f"/looked?{link}", f"/unlooked?{link}"]
    rules = json.dumps({"prerender": [{"source": "list", "urls": pages, "eagerness": "immediate"}]})
    head = BEFOREHAND.replace("LINK", link) + tag(site[0]) + f'<script type="speculationrules">{rules}</script>'
    async with shop(head) as url, alone(url, tmp_path / "profile"):
        await actions(kafka, 5)
        rows = {row["id"]: row for row in await read_topic(kafka, "pixel.events")}.values()

    told = {
        (row["data"].get("action"), row["data"]["page"]["url"].removeprefix(url).partition("?")[0]): row
        for row in rows
        if row["data"]["kind"] == "event"
    }
    assert set(told) == {("page.viewed", "/"), ("x.leaving", "/"), ("page.viewed", "/looked"), ("x.looked", "/looked")}
    assert "hello_session" in told["x.leaving", "/"]["data"]["parameters"]["metadata"]["kept"]
    assert "hello_utm" not in told["x.leaving", "/"]["data"]["parameters"]["metadata"]["kept"]
    assert {row["data"]["session"] for row in rows} == {told["page.viewed", "/"]["data"]["session"]}
    view = told["page.viewed", "/looked"]
    assert view["data"]["utm"]["campaign"] == "C1"
    assert datetime.fromisoformat(view["receivedtime"]) - datetime.fromisoformat(view["time"]) < timedelta(seconds=30)
