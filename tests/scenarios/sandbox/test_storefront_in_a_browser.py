"""A person's visit to the storefront in a real Chromium, through the real collector, into Kafka."""

import shutil

import pytest
from playwright.async_api import async_playwright

from sandbox.settings import SandboxSettings
from tests.pixel_collector import connect, connected, read_topic, running, secret_box
from tests.unit.sandbox.test_day import running as sandboxed
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.browser, pytest.mark.long]

BUYER = {"email": "eva@acme.example.com", "firstName": "Eva", "lastName": "Lima", "phone": "+5511987654321"}

EVERYTHING = ("page.viewed", "product.viewed", "cart.added", "checkout.started", "identification", "order.placed")


async def test_from_a_campaigns_link_to_an_order(kafka, tmp_path):
    """Each page tells what it should: the landing, the product, the cart, the checkout's cart id, and VTEX's order."""
    box = secret_box()
    async with sandboxed(SandboxSettings(port=0, customers=4, accounts=("acme",))) as client:
        (account,) = (await client.get("/control/accounts")).json()
        await connect(kafka, connected(box, business=account["business"]))
        async with running(kafka, box, tmp_path / "spool") as collector, async_playwright() as playwright:
            await collector.ready()
            chromium = shutil.which("chromium")
            assert chromium, "chromium is missing: make verify installs it (apt-get install chromium)"
            browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = await browser.new_page()
            port = client.base_url.port
            shop, query = f"http://localhost:{port}/shop/acme", f"collector={collector.url}"
            await page.goto(f"{shop}/?{query}&utm_source=hellotext&utm_medium=sms&utm_campaign=C1")
            await page.goto(f"{shop}/relogio-solar/p?{query}")
            await page.click("#add")
            await told(kafka, "cart.added")
            await page.goto(f"{shop}/checkout?{query}")
            for name, value in BUYER.items():
                await page.fill(f"#buy [name={name}]", value)
            await told(kafka, "checkout.started")
            await page.click("#buy button")
            await page.wait_for_url("**/orderPlaced*")
            await page.goto(f"{page.url}&{query}")
            rows = await told(kafka, *EVERYTHING)
            await browser.close()
        headers = {"X-VTEX-API-AppKey": account["app_key"], "X-VTEX-API-AppToken": account["app_token"]}
        order = (
            await client.get(f"/vtex/acme/api/oms/pvt/orders/{rows['order.placed']['order']}-01", headers=headers)
        ).json()

    assert {row["utm"]["campaign"] for row in rows.values() if "utm" in row} == {"C1"}
    assert len({row["session"] for row in rows.values() if "session" in row}) == 1
    assert rows["checkout.started"]["order_form"] == rows["cart.added"]["order_form"] == order["orderFormId"]
    assert float(rows["order.placed"]["amount"]) == order["value"] / 100
    assert rows["order.placed"]["email_hash"] == rows["identification"]["email_hash"]
    assert order["marketingData"]["utmCampaign"] == "C1"


async def told(kafka, *names: str) -> dict[str, dict]:
    """What stands in `pixel.events` by action or kind, once all of these are among it."""

    async def found() -> dict[str, dict] | None:
        rows = [row["data"] for row in await read_topic(kafka, "pixel.events")]
        by_name = {row.get("action") or row["kind"]: row for row in rows}
        return by_name if by_name.keys() >= set(names) else None

    return await until(f"{', '.join(names)} have arrived", found)
