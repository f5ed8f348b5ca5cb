"""The wizard's snippet in a real Chromium, through a purchase: what the page tells is what stands in the topics."""

import json

import pytest

from connectors.pixel.snippet import snippets_for
from schemas import topics
from streams.engine.testing import MemoryShard
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.pixel_collector import connect, connected, read_topic, running, secret_box
from tests.scenarios.pixel.browsing import actions, browser_page, message, shop
from tests.stores import GivenDirectory

pytestmark = [pytest.mark.broker, pytest.mark.browser]

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
FORM = """{
  orderFormId: "form-1", value: 17980, storePreferencesData: {currencyCode: "BRL"},
  items: [{productId: "P1", id: "S1", name: "Shoe", quantity: 2, sellingPrice: 8990}],
  clientProfileData: {email: "ana@example.com", firstName: "Ana", phone: "+5511987654321"},
}"""
LINK = "utm_source=hellotext&utm_medium=sms&utm_campaign=C1&hello_session=SHORT1"


async def test_a_purchase_reaches_the_topics(kafka, tmp_path):
    """From the campaign's link over navigation and an offline phase to the order, with amounts in major units.

    The script is loaded twice, third parties' cookies are blocked, the order's page is reloaded: nothing is told twice,
    and the collector needs no cookie of its own.
    """
    box = secret_box()
    store = connected(box)
    await connect(kafka, store)
    async with running(kafka, box, tmp_path / "spool") as collector:
        snippet = snippets_for(store, collector.url).pixel
        async with shop(snippet + snippet) as url, browser_page() as page:
            await collector.ready()
            await page.goto(f"{url}/?{LINK}")
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            await message(page, "pageView", pageUrl=f"{url}/")
            await message(page, "productView", product=SHOE)
            await actions(kafka, 3)
            await page.wait_for_function("!localStorage.getItem('hello_queue')")
            await page.context.set_offline(True)
            await message(page, "cartId", cartId="form-1")
            await message(page, "addToCart", items=[ITEM])
            await page.wait_for_function("JSON.parse(localStorage.getItem('hello_queue') || '[]').length === 1")
            await page.context.set_offline(False)
            await page.goto(f"{url}/next")
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            await message(page, "orderPlaced", **ORDER)
            told = await actions(kafka, 5)
            await page.reload()
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            await message(page, "orderPlaced", **ORDER)
            await page.wait_for_function("!localStorage.getItem('hello_queue')")
            foreign = await page.context.cookies(collector.url)

    by_action = {data.get("action", data["kind"]): data for data in told}
    assert set(by_action) == {"acknowledgement", "page.viewed", "product.viewed", "cart.added", "order.placed"}
    assert {data["session"] for data in told} == {"SHORT1"}
    assert {data["utm"]["campaign"] for data in told} == {"C1"}
    price = by_action["product.viewed"]["parameters"]["object_parameters"]["price"]
    assert price == {"amount": 89.9, "currency": "BRL"}
    (item,) = by_action["cart.added"]["parameters"]["object_parameters"]["items"]
    assert (item["price"]["amount"], item["quantity"], by_action["cart.added"]["order_form"]) == (89.9, 2, "form-1")
    order = by_action["order.placed"]
    assert [order[name] for name in ("order", "amount", "currency", "given_id")] == [
        "v123", "179.8", "BRL", "order.placed/v123",
    ]  # fmt: skip
    rows = await read_topic(kafka, "pixel.events")
    assert len({row["id"] for row in rows}) == 5
    assert not any(b"ana@example.com" in row["raw"] for row in rows)
    identities = await read_topic(kafka, "pixel.identities")
    assert {(row["email"], row["phone"]) for row in identities} == {("ana@example.com", "+5511987654321")}
    assert foreign == []
    await _counts_once(rows, store)


async def _counts_once(rows, store) -> None:
    """What the tracking agent makes of it: five events, one landing, one order, whatever was sent again."""
    shard = MemoryShard([TrackingAgent(Stores(GivenDirectory(store), str))])
    await shard.feed(topics.PIXEL_EVENTS, *((row["key"], row["raw"]) for row in rows))

    assert shard.fates().get("counted") == 5
    assert not {"dead", "filtered"} & set(shard.fates())
    values = [value for _, value in shard.outputs(topics.TRACKING_EVENTS)]
    assert sum(b'"landing"' in value for value in values) == 1
    assert sum(b'"amount_minor":17980' in value for value in values) == 1


async def test_a_tag_that_fires_twice_counts_once(kafka, tmp_path):
    """What a person does twice counts twice: a second later, with another quantity, or with the page's own ids."""
    box = secret_box()
    store = connected(box)
    await connect(kafka, store)
    async with (
        running(kafka, box, tmp_path / "spool") as collector,
        shop(snippets_for(store, collector.url).pixel) as url,
        browser_page() as page,
    ):
        await collector.ready()
        await page.goto(url)
        await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
        answers = await page.evaluate("""async () => {
          let now = Date.now();
          Date.now = () => now;
          const cart = (quantity) => ({object_parameters: {items: [{quantity}]}});
          const add = (quantity, more) => Hellotext.track("cart.added", {...cart(quantity), ...more});
          const view = () => Hellotext.track("page.viewed", {url: location.origin + "/p"});
          const told = [view(), view(), add(1), add(1)];
          now += 999;
          told.push(add(1), view(), add(2), Hellotext.track("page.viewed"));
          now += 1;
          told.push(add(1), view());
          now += 1000;
          told.push(view(), add(3, {event_id: "a"}), add(3, {event_id: "b"}));
          return (await Promise.all(told)).map((answer) => answer.succeeded);
        }""")
        await message(page, "pageView", pageUrl=f"{url}/q")
        await message(page, "pageView", pageUrl=f"{url}/q")
        told = await actions(kafka, 10)
        await page.wait_for_function("!localStorage.getItem('hello_queue')")
        rows = await read_topic(kafka, "pixel.events")

    assert answers == [True] * 13
    views = [data["page"]["url"].removeprefix(url) for data in told if data.get("action") == "page.viewed"]
    carts = [
        data["parameters"]["object_parameters"]["items"][0]["quantity"]
        for data in told
        if data.get("action") == "cart.added"
    ]
    assert sorted(views) == ["/", "/p", "/p", "/q"]
    assert sorted(carts) == [1, 1, 2, 3, 3]
    assert len({row["id"] for row in rows}) == 10


async def test_without_consent_nothing_is_sent_or_stored(kafka, tmp_path):
    """Until it is granted; then what waited is sent."""
    box = secret_box()
    store = connected(box).model_copy(update={"privacy": "gdpr"})
    await connect(kafka, store)
    async with (
        running(kafka, box, tmp_path / "spool") as collector,
        shop(snippets_for(store, collector.url).pixel) as url,
        browser_page() as page,
    ):
        await collector.ready()
        await page.goto(url)
        await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
        await message(page, "pageView", pageUrl=url)
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
        stored = await page.evaluate("[document.cookie, localStorage.length]")
        sent = await read_topic(kafka, "pixel.events")
        await page.evaluate("Hellotext.setConsent('granted')")
        told = await actions(kafka, 2)
        await page.evaluate("Hellotext.setConsent('denied')")
        await message(page, "pageView", pageUrl=f"{url}/again")
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 300))")
        left = await page.evaluate("[document.cookie, localStorage.length]")
        after = await read_topic(kafka, "pixel.events")

    assert (stored, sent) == (["", 0], [])
    assert {data["consent"] for data in told} == {"granted"}
    assert left == ["hello_consent=denied", 0]
    assert len(after) == 2


async def test_the_checkout_script_tells_who_buys_and_what(kafka, tmp_path):
    """In checkout6-custom.js: the e-mail as an identification, the order form in major units, once."""
    box = secret_box()
    store = connected(box)
    await connect(kafka, store)
    async with running(kafka, box, tmp_path / "spool") as collector:
        script = snippets_for(store, collector.url).checkout
        head = f"<script>window.vtexjs = {{checkout: {{orderForm: {FORM}}}}};\n{script}</script>"
        async with shop(head) as url, browser_page() as page:
            await collector.ready()
            await page.goto(url)
            told = await actions(kafka, 3)
            await page.wait_for_function("document.cookie.includes('hello_user_identification_hash')")
            await page.reload()
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            await page.wait_for_function("!localStorage.getItem('hello_queue')")

    by_kind = {data.get("action", data["kind"]): data for data in told}
    assert set(by_kind) == {"acknowledgement", "identification", "checkout.started"}
    checkout = by_kind["checkout.started"]
    assert (checkout["order_form"], checkout["amount"], checkout["currency"]) == ("form-1", "179.8", "BRL")
    assert by_kind["identification"]["session"] == checkout["session"]
    assert len({row["id"] for row in await read_topic(kafka, "pixel.events")}) == 3


async def test_the_checkouts_data_layer_tells_the_order(kafka, tmp_path):
    """For shops whose storefront does not (FastStore): pushed before or after the script came, it is one order."""
    box = secret_box()
    store = connected(box)
    await connect(kafka, store)
    async with running(kafka, box, tmp_path / "spool") as collector:
        script = snippets_for(store, collector.url).checkout
        pushed = json.dumps({"event": "orderPlaced", **ORDER})
        head = f"<script>window.dataLayer = [{{event: 'other'}}, {pushed}];\n{script}</script>"
        async with shop(head) as url, browser_page() as page:
            await collector.ready()
            await page.goto(url)
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            await page.evaluate(f"dataLayer.push({pushed})")
            told = await actions(kafka, 2)
            await page.wait_for_function("!localStorage.getItem('hello_queue')")
            length = await page.evaluate("dataLayer.length")

    (order,) = [data for data in told if data.get("action") == "order.placed"]
    assert (order["order"], order["amount"], order["currency"]) == ("v123", "179.8", "BRL")
    assert length == 3


async def test_the_collector_keeps_the_session_as_the_shops_cookie(kafka, tmp_path):
    """Where it has a name in the shop's site: although the script itself may store nothing for long."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with running(kafka, box, tmp_path / "spool") as collector:
        root = f"http://localhost:{collector.port}"
        head = f'<script src="{root}/v1/pixel.js" data-business="BID123" data-session="collector"></script>'
        async with shop(head) as url, browser_page() as page:
            await collector.ready()
            # A browser that lets no script write a cookie, so that what stands there is the collector's.
            await page.add_init_script("Object.defineProperty(document, 'cookie', {get: () => '', set: () => {}})")
            async with page.expect_response(lambda answer: "/track/sessions" in answer.url) as kept:
                await page.goto(f"{url}/?hello_session=SHORT7")
            answer = await kept.value
            cookies = await page.context.cookies(url)

    assert answer.ok
    assert [(cookie["name"], cookie["value"], cookie["sameSite"]) for cookie in cookies] == [
        ("hello_session", "SHORT7", "Lax")
    ]


async def test_shops_under_one_platform_share_no_cookie(kafka, tmp_path):
    """`one.myvtex.com` and `two.myvtex.com` are two merchants (contracts/hellotext A4)."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with running(kafka, box, tmp_path / "spool") as collector:
        head = f'<script src="{collector.url}/v1/pixel.js" data-business="BID123"></script>'
        rules = "--host-resolver-rules=MAP *.myvtex.com 127.0.0.1, MAP *.shop.com.br 127.0.0.1"
        async with shop(head, "one.myvtex.com") as url, browser_page(rules) as page:
            await collector.ready()
            await page.goto(url)
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            merchant = {cookie["domain"] for cookie in await page.context.cookies()}
            await page.context.clear_cookies()
            await page.goto(url.replace("one.myvtex.com", "www.shop.com.br"))
            await page.wait_for_function("window.Hellotext && Hellotext.isInitialized")
            own = {cookie["domain"] for cookie in await page.context.cookies()}

    assert (merchant, own) == ({".one.myvtex.com"}, {".shop.com.br"})
