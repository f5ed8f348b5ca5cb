"""A person buys in the sandbox's shop, in a real Chromium: from the campaign's link to what becomes of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from sandbox.accounts import Accounts
from sandbox.serve import run_sandbox
from sandbox.settings import SandboxSettings
from schemas import topics
from streams.engine.testing import MemoryShard
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.pixel_collector import connect, connected, read_topic, running, secret_box
from tests.scenarios.pixel.browsing import browser_page
from tests.stores import GivenDirectory

pytestmark = [pytest.mark.broker, pytest.mark.browser]

ANA = {"email": "ana@example.com", "firstName": "Ana", "lastName": "Silva", "phone": "+5511987654321"}
LINK = "utm_source=hellotext&utm_medium=whatsapp&utm_campaign=C1&hello_session=SHORT1"


@contextlib.asynccontextmanager
async def selling(collector: str) -> AsyncIterator[str]:
    """The sandbox, whose shop's pages load the pixel from our collector."""
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    settings = SandboxSettings(port=0, collector=collector)
    task = asyncio.create_task(run_sandbox(settings, ready=address.set_result, stop=stop))
    try:
        yield (await address).replace("127.0.0.1", "localhost")
    finally:
        stop.set()
        await task


async def told_of(kafka, action: str, seconds: float = 60) -> None:
    """Wait until the collector has heard of an action."""
    async with asyncio.timeout(seconds):
        while True:
            if any(row["data"].get("action") == action for row in await read_topic(kafka, "pixel.events")):
                return
            await asyncio.sleep(0.1)


async def buy(shop: str, heard) -> dict[str, Any]:
    """Follow the link, look, put two into the cart, buy, and look at the order again; return what the shop knows."""
    async with browser_page() as page:
        await page.goto(f"{shop}/shop/acme/?{LINK}")
        await page.locator(".grid a").first.click()
        await page.locator("#add").click()
        await heard("cart.added")
        await page.locator("#add").click()
        await page.locator("nav a").click()
        await page.locator("#go").click()
        for name, value in ANA.items():
            await page.locator(f"#buy [name={name}]").fill(value)
        await page.locator("#buy button").click()
        await page.wait_for_url("**/orderPlaced?og=*")
        await heard("order.placed")
        await page.reload()
        await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
        await page.wait_for_function("!localStorage.getItem('hello_queue')")
        order: dict[str, Any] = await page.evaluate("JSON.parse(localStorage.getItem('sandbox-acme-order'))")
        return order


async def test_a_person_buys_in_the_sandbox(kafka, tmp_path):
    """One session, one landing, one order of the shop's own amount, whoever told it how often; the buyer as a hash."""
    box = secret_box()
    account = Accounts(SandboxSettings()).get("acme")
    assert account is not None
    store = connected(box, business=account.business.id)
    await connect(kafka, store)
    async with running(kafka, box, tmp_path / "spool") as collector, selling(collector.url) as shop:
        await collector.ready()

        order = await buy(shop, lambda action: told_of(kafka, action))

    rows = await read_topic(kafka, "pixel.events")
    shard = MemoryShard([TrackingAgent(Stores(GivenDirectory(store), box.unseal))])
    await shard.feed(topics.PIXEL_EVENTS, *((row["key"], row["raw"]) for row in rows))
    events = [orjson.loads(value or b"")["data"] for _, value in shard.outputs(topics.TRACKING_EVENTS)]
    told = [event.get("action", event["kind"]) for event in events]

    assert not {"dead", "filtered"} & set(shard.fates())
    assert {event["session"] for event in events} == {"SHORT1"}
    assert {"acknowledgement", "identification", "page.viewed", "product.viewed"} <= set(told)
    assert [event["landing"]["campaign"] for event in events if "landing" in event] == ["C1"]
    assert told.count("cart.added") == 2
    (placed,) = [event for event in events if event.get("action") == "order.placed" and not event.get("supplement")]
    assert (placed["order"], placed["amount_minor"]) == (order["orderGroup"], round(order["transactionTotal"] * 100))
    (checkout,) = [event for event in events if event.get("action") == "checkout.started"]
    assert checkout["amount_minor"] == placed["amount_minor"]
    assert placed["email_hash"]
    assert not any(b"ana@example.com" in row["raw"] for row in rows)
