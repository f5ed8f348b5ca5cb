"""What a page calls before the async script is there is told as if it had been (docs/collector.md, "Called early")."""

import asyncio
from datetime import datetime

import pytest

from tests.pixel_collector import read_topic
from tests.scenarios.pixel.browsing import READY, actions, browser_page, shop, tag

pytestmark = [pytest.mark.broker, pytest.mark.browser]

CALL = "(window.HellotextCalls = window.HellotextCalls || []).push"
EARLY = f"""<script>
  var minute = Date.now() - 60000;
  {CALL}([minute, "track", "x.first", {{metadata: {{n: 1}}}}]);
  {CALL}([minute, "identify", "u1", {{email: "ana@example.com"}}]);
  {CALL}([minute + 1000, "track", "cart.added", {{metadata: {{n: 1}}}}]);
  {CALL}([minute + 1005, "track", "cart.added", {{metadata: {{n: 1}}}}]);
  {CALL}([minute + 3000, "track", "cart.added", {{metadata: {{n: 1}}}}]);
  {CALL}(null, 5, [], ["no such call"], [Date.now(), "track", "x.now"], ["track", "x.timeless"]);
</script>"""


def lateness(event) -> float:
    """How many seconds before its receipt an event was told."""
    told = [datetime.fromisoformat(event[name]) for name in ("receivedtime", "time")]
    return (told[0] - told[1]).total_seconds()


async def test_early_calls_are_told_in_order_at_their_own_time(kafka, site):
    """However late the script comes, and twice: a call is told once, what was meant twice twice, mistakes cost none."""
    there = asyncio.Event()

    async def slow(route):
        await there.wait()
        await route.continue_()

    head = EARLY + tag(site[0], "async") * 2
    async with shop(head) as url, browser_page() as page:
        thrown: list[str] = []
        page.on("pageerror", lambda error: thrown.append(str(error)))
        await page.route("**/pixel.js", slow)
        await page.goto(url, wait_until="commit")
        await page.wait_for_function("window.HellotextCalls && HellotextCalls.length === 11")
        early = await page.evaluate("typeof window.Hellotext")
        there.set()
        await page.wait_for_load_state()
        await page.wait_for_function(READY)
        left = await page.evaluate(f"{CALL}([Date.now(), 'track', 'x.later']), HellotextCalls.length")
        await actions(kafka, 8)
        await page.wait_for_function("!localStorage.getItem('hello_queue')")
        rows = [row["data"] | {name: row[name] for name in ("receivedtime", "time")} for row in await _rows(kafka)]

    told = [row for row in rows if row["kind"] == "event"]
    carts = sorted(row["time"] for row in told if row["action"] == "cart.added")
    late = {row.get("action", row["kind"]): lateness(row) for row in rows}
    assert (early, left, thrown) == ("undefined", 0, [])
    assert [row["action"] for row in told] == [
        "x.first", "cart.added", "cart.added", "x.now", "x.timeless", "x.later",
    ]  # fmt: skip
    assert len(carts) == 2
    assert all(59 < late[name] < 90 for name in ("x.first", "identification"))
    assert all(late[name] < 30 for name in ("x.now", "x.timeless", "x.later"))


async def test_consent_may_be_given_or_refused_before_the_script(kafka, site):
    """By a consent banner that is quicker than the script: it holds for all that is called after it."""
    calls = "".join(f"{CALL}({call});" for call in (
        '[Date.now(), "track", "x.before"]', '[Date.now(), "setConsent", "granted"]',
        '[Date.now(), "track", "x.granted"]', '[Date.now(), "setConsent", "denied"]',
        '[Date.now(), "track", "x.denied"]',
    ))  # fmt: skip
    granted = calls.partition(f'{CALL}([Date.now(), "setConsent", "denied"]')[0]
    required = tag(site[0], 'async data-consent="required"')
    async with browser_page() as page:
        async with shop(f"<script>{calls}</script>" + required) as url:
            await page.goto(url)
            await page.wait_for_function(READY)
            kept = await page.evaluate("[document.cookie, localStorage.length]")
        await page.context.clear_cookies()
        async with shop(f"<script>{granted}</script>" + required) as url:
            await page.goto(url)
            told = await actions(kafka, 3)

    assert kept == ["hello_consent=denied", 0]
    assert {data.get("action") for data in told if data["kind"] == "event"} == {"x.before", "x.granted"}
    assert {data["consent"] for data in told} == {"granted"}


async def test_calls_wait_for_a_page_that_initializes_itself(kafka, site):
    """Without `data-business`, and with the checkout's script beside the pixel's."""
    head = f"<script>{CALL}(['track', 'x.early'])</script>" + "".join(
        f'<script src="{site[0]}/v1/{name}.js"></script>' for name in ("pixel", "checkout")
    )
    async with shop(head) as url, browser_page() as page:
        await page.goto(url)
        waiting = await page.evaluate("HellotextCalls.length")
        await page.evaluate("root => { Hellotext.initialize('BID123', {apiRoot: root + '/v1'}); }", site[0])
        told = await actions(kafka, 2)

    assert waiting == 1
    assert [data["action"] for data in told if data["kind"] == "event"] == ["x.early"]


async def _rows(kafka):
    """The distinct records, in the order of their arrival."""
    rows = {row["id"]: row for row in await read_topic(kafka, "pixel.events")}
    return rows.values()
