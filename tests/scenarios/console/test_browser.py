"""The console in a real Chromium: its policy holds, pages fit a phone, and an open page follows its rows."""

from datetime import UTC, datetime

import pytest

from schemas import topics
from schemas.fates import DeadLetter
from schemas.messages import Campaign
from tests.conftest import PARTITIONS
from tests.scenarios.console.preview import write_rows
from tests.scenarios.console.shop_rows import row, shop_rows
from tests.scenarios.console.test_console import console, ready
from tests.scenarios.pixel.browsing import browser_page
from tests.stores import a_store

pytestmark = [pytest.mark.broker, pytest.mark.browser]

BELOW = """document.documentElement.scrollHeight
  - Math.max(innerHeight, Math.ceil(document.querySelector("footer").getBoundingClientRect().bottom + scrollY))"""
"""Pixels that can be scrolled to below the end of a page."""
PAGES = ("/", "/connect", "/stores/acme", "/stores/acme/campaign?name=cart-24h", "/stores/acme/customers",
         "/stores/acme/activity", "/stores/acme/setup", "/stores/acme/connection")  # fmt: skip


async def test_pages_in_a_browser(kafka):
    """Policy, width, live update without reload, and the mark that a page is live."""
    await write_rows(kafka, shop_rows("acme", customers=200, backfilling=True), PARTITIONS)
    complaints: list[str] = []
    async with console(kafka) as http, browser_page() as page:
        await ready(http)
        # Hints to developers (type "debug", such as the one about several password fields) break nothing.
        page.on("console", lambda told: told.type in {"error", "warning"} and complaints.append(told.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.set_viewport_size({"width": 390, "height": 844})
        for path in PAGES:
            await page.goto(f"{http.base_url}{path}")
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert (path, wide) == (path, 0)
            assert (path, await page.evaluate(BELOW) <= 0) == (path, True)

        await page.goto(f"{http.base_url}/stores/acme")
        await page.wait_for_selector("#pulse:not([hidden]):not(.lost)")
        await page.evaluate("window.sameDocument = true")
        renamed = Campaign(store="acme", campaign="cart-24h", name="Renamed <b>just</b> now", day="2026-11-20")
        await write_rows(kafka, [row(topics.CAMPAIGNS, "acme", "cart-24h", value=renamed)], PARTITIONS)
        await page.wait_for_selector("text=Renamed <b>just</b> now")
        assert await page.evaluate("window.sameDocument")
    assert complaints == []


async def test_names_that_nobody_expects(kafka):
    """Long without a space, or written from the right: no page gets wider, and what stands beside stays readable."""
    long, store = "x" * 180, "s" * 63
    letter = DeadLetter(
        store="acme", letter="1", step="\u202egnikcart", reason="<b>\u05d0", topic=long, at=datetime.now(UTC)
    )
    rows = [
        row(topics.STORES, "acme", value=a_store("acme")),
        row(topics.STORES, store, value=a_store(store)),
        row(
            topics.CAMPAIGNS,
            "acme",
            long,
            value=Campaign(store="acme", campaign=long, name="W" * 200, day="2026-11-20"),
        ),
        row(topics.DEAD_LETTERS, "acme", "1", value=letter),
    ]
    await write_rows(kafka, rows, PARTITIONS)
    async with console(kafka) as http, browser_page() as page:
        await ready(http)
        await page.set_viewport_size({"width": 320, "height": 800})
        for path in ("/", f"/stores/{store}", f"/stores/acme/campaign?name={long}", "/stores/acme/activity"):
            await page.goto(f"{http.base_url}{path}")
            await page.click(".health summary")
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert (path, wide) == (path, 0)
        order = await page.evaluate("""() => {
          const time = document.querySelector(".letters p.muted").lastChild;
          return [0, 1].map((end) => {
            const range = document.createRange();
            range.setStart(time, end ? time.length - 1 : 3);
            range.setEnd(time, end ? time.length : 4);
            return range.getBoundingClientRect().left;
          });
        }""")

    assert order[0] < order[1], "the time is written from the right"
