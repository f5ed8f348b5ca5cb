"""pixel.js in a real Chromium, through a purchase: what the page tells is what stands in the topics."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from tests.pixel_collector import Running, connect, connected, read_topic, running, secret_box

pytestmark = [pytest.mark.broker, pytest.mark.browser, pytest.mark.long]

SHOE = {
    "productId": "P1", "productName": "Shoe", "brand": "B", "detailUrl": "/shoe/p", "categories": ["/Shoes/"],
    "selectedSku": {"itemId": "S1", "sellers": [{"sellerDefault": True, "commertialOffer": {"Price": 89.9}}]},
}  # fmt: skip
ITEM = {"productId": "P1", "skuId": "S1", "name": "Shoe", "price": 8990, "priceIsInt": True, "quantity": 2}
ORDER = {
    "orderGroup": "v123", "ordersInOrderGroup": ["v123-01"], "transactionTotal": 179.8, "transactionCurrency": "BRL",
    "visitorContactInfo": ["ana@example.com", "Ana", "Silva"], "visitorContactPhone": "+5511987654321",
    "transactionProducts": [{"id": "P1", "sku": "S1", "name": "Shoe", "sellingPrice": 89.9, "quantity": 2}],
}  # fmt: skip


@contextlib.asynccontextmanager
async def shop(collector: Running, attributes: str = "") -> AsyncIterator[str]:
    """A shop on an origin of its own, every page of it with our one-line snippet."""
    snippet = f'<script src="{collector.url}/v1/pixel.js" data-business="BID123" {attributes}></script>'
    body = f"<!doctype html><title>Shop</title>{snippet}<a href='/next'>next</a>".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            writer.write(head % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"


@contextlib.asynccontextmanager
async def browser_page() -> AsyncIterator[Page]:
    """A page of Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "chromium is missing: make verify installs it (apt-get install chromium)"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


async def message(page: Page, name: str, **fields) -> None:
    """What VTEX's Store Framework posts."""
    await page.evaluate(
        "(m) => window.postMessage(m, window.origin)", {"eventName": f"vtex:{name}", "currency": "BRL", **fields}
    )


async def actions(kafka, count: int, seconds: float = 20) -> list[dict]:
    """The events in pixel.events, once there are `count` distinct ones."""
    async with asyncio.timeout(seconds):
        while True:
            rows = {row["id"]: row["data"] for row in await read_topic(kafka, "pixel.events")}
            if len(rows) >= count:
                return list(rows.values())
            await asyncio.sleep(0.2)


async def test_a_purchase_reaches_the_topics(kafka, tmp_path):
    """From the campaign's link over navigation and an offline phase to the order, with amounts in major units."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with running(kafka, box, tmp_path / "spool") as collector, shop(collector) as url, browser_page() as page:
        await collector.ready()
        await page.goto(f"{url}/?utm_source=hellotext&utm_medium=sms&utm_campaign=C1&hello_session=SHORT1")
        await message(page, "pageView", pageUrl=f"{url}/")
        await message(page, "productView", product=SHOE)
        await actions(kafka, 3)
        await page.context.set_offline(True)
        await message(page, "cartId", cartId="form-1")
        await message(page, "addToCart", items=[ITEM])
        await page.wait_for_function("JSON.parse(localStorage.getItem('hello_queue') || '[]').length === 1")
        await page.context.set_offline(False)
        await page.goto(f"{url}/next")
        await message(page, "orderPlaced", **ORDER)
        told = await actions(kafka, 5)
        await page.reload()
        await message(page, "orderPlaced", **ORDER)
        await page.wait_for_function("!localStorage.getItem('hello_queue')")

    by_action = {data.get("action", data["kind"]): data for data in told}
    assert set(by_action) == {"acknowledgement", "page.viewed", "product.viewed", "cart.added", "order.placed"}
    assert {data["session"] for data in told} == {"SHORT1"}
    assert {data["utm"]["campaign"] for data in told} == {"C1"}
    assert by_action["product.viewed"]["parameters"]["object_parameters"]["price"] == {
        "amount": 89.9,
        "currency": "BRL",
    }
    (item,) = by_action["cart.added"]["parameters"]["object_parameters"]["items"]
    assert (item["price"]["amount"], item["quantity"], by_action["cart.added"]["order_form"]) == (89.9, 2, "form-1")
    order = by_action["order.placed"]
    assert (order["order"], order["amount"], order["currency"], order["given_id"]) == (
        "v123",
        "179.8",
        "BRL",
        "order.placed/v123",
    )
    rows = await read_topic(kafka, "pixel.events")
    assert len({row["id"] for row in rows}) == 5
    assert not any(b"ana@example.com" in row["raw"] for row in rows)
    identities = await read_topic(kafka, "pixel.identities")
    assert {(row["email"], row["phone"]) for row in identities} == {("ana@example.com", "+5511987654321")}


async def test_without_consent_nothing_is_sent_or_stored(kafka, tmp_path):
    """Until it is granted; then what waited is sent."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with (
        running(kafka, box, tmp_path / "spool") as collector,
        shop(collector, 'data-consent="required"') as url,
        browser_page() as page,
    ):
        await collector.ready()
        await page.goto(url)
        await message(page, "pageView", pageUrl=url)
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
        silent = (
            await page.evaluate("[document.cookie, localStorage.length]"),
            await read_topic(kafka, "pixel.events"),
        )
        await page.evaluate("Hellotext.setConsent('granted')")
        told = await actions(kafka, 2)
        await page.evaluate("Hellotext.setConsent('denied')")
        await message(page, "pageView", pageUrl=f"{url}/again")
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
        left = await page.evaluate("[document.cookie, localStorage.length]")
        after = await read_topic(kafka, "pixel.events")

    assert silent == (["", 0], [])
    assert {data["consent"] for data in told} == {"granted"}
    assert left == ["hello_consent=denied", 0]
    assert len(after) == 2
