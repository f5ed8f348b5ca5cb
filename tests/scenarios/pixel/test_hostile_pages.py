"""The scripts in pages that are not kind to them: nothing is thrown into the page, and no event is lost for it."""

import pytest

from schemas import topics
from streams.engine.testing import MemoryShard
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.pixel_collector import read_topic
from tests.scenarios.pixel.browsing import FORBIDDEN, READY, actions, browser_page, shop, tag, visit
from tests.stores import GivenDirectory

pytestmark = [pytest.mark.broker, pytest.mark.browser]

LINK = "utm_source=hellotext&utm_medium=sms&utm_campaign=black%3Bfriday"
REFUSED = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"
CHECKOUT = """<script>
  window.jQuery = () => ({on: (_, listener) => (window.update = (form) => listener({}, form))});
  window.dataLayer = [{event: "orderPlaced", orderGroup: "v1", transactionProducts: 5}];
</script>"""


async def landings(kafka, store) -> list[str | None]:
    """The sessions of the landings that the tracking agent finds in all that has come."""
    shard = MemoryShard([TrackingAgent(Stores(GivenDirectory(store), str))])
    rows = await read_topic(kafka, "pixel.events")
    await shard.feed(topics.PIXEL_EVENTS, *((row["key"], row["raw"]) for row in rows))
    told = [
        topics.TRACKING_EVENTS.model.model_validate_json(value) for _, value in shard.outputs(topics.TRACKING_EVENTS)
    ]
    return [event.data.session for event in told if event.data.landing is not None]


async def test_whatever_a_page_tells_is_told_as_it_was_then(kafka, site):
    """Circles, BigInts, halves of letters, nothing at all: never thrown, and never in the way of the next event."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        answers, thrown = await visit(page, url, r"""async () => {
          const circle = {}; circle.circle = circle;
          const cart = {items: [{quantity: 1}]};
          const told = [
            Hellotext.track("x.circle", {metadata: circle, amount: 5, currency: "BRL"}),
            Hellotext.track("x.circle.with.id", {event_id: "one", metadata: circle}),
            Hellotext.track("x.bigint", {metadata: {n: 10n}}), Hellotext.track("x.date", {metadata: {at: new Date(0)}}),
            Hellotext.track("x.half", {metadata: {name: "\ud83d"}}), Hellotext.track("x.window", {metadata: window}),
            Hellotext.track(5n, {event_id: "two"}), Hellotext.track("x.null", null), Hellotext.track("x.address", {url: "https://"}),
            Hellotext.track("x.cart", {object_parameters: cart}), Hellotext.identify("u1", {size: 10n}),
          ];
          cart.items.push({quantity: 9});
          return (await Promise.all(told)).map((answer) => answer.succeeded);
        }""")  # fmt: skip
        told = {data.get("action", data["kind"]): data for data in await actions(kafka, 12)}

    assert (answers, thrown) == ([True] * 11, [])
    assert told["x.circle"]["amount"] == "5"
    assert told["x.bigint"]["parameters"]["metadata"] == {"n": "10"}
    assert told["x.date"]["parameters"]["metadata"] == {"at": "1970-01-01T00:00:00.000Z"}
    assert told["x.half"]["parameters"]["metadata"] == {"name": "\ufffd"}
    assert told["x.cart"]["parameters"]["object_parameters"] == {"items": [{"quantity": 1}]}


async def test_a_browser_that_forbids_to_keep_anything_counts_one_click(kafka, site):
    """Cookies and storage throw: the visit has one session, and its campaign one landing, whatever is in its name."""
    async with shop(tag(site[0], 'data-session="collector"')) as url, browser_page() as page:
        await page.add_init_script(FORBIDDEN)
        _, thrown = await visit(page, f"{url}/?{LINK}", "() => Hellotext.track('a.one').then(() => 0)")
        await page.evaluate("() => Hellotext.track('a.two').then(() => 0)")
        told = await actions(kafka, 3)

    assert thrown == []
    assert len({data["session"] for data in told}) == 1
    assert {data["utm"]["campaign"] for data in told} == {"black;friday"}
    assert len(await landings(kafka, site[1])) == 1


@pytest.mark.parametrize(("attributes", "before"), [('data-consent="required"', ""), ("", REFUSED)])
async def test_consent_that_comes_later_finds_the_visit_whole(kafka, site, attributes, before):
    """Not granted yet, or refused at first: then there is a session, kept, and one landing for all that waited."""
    async with shop(tag(site[0], attributes)) as url, browser_page() as page:
        await page.add_init_script(before)
        _, thrown = await visit(page, f"{url}/?{LINK}", "() => { Hellotext.track('a.one'); }")
        await page.evaluate("() => { Hellotext.track('a.two'); }")
        await page.evaluate(
            "() => { Hellotext.setConsent('granted'); return Hellotext.track('a.three').then(() => 0); }"
        )
        told = await actions(kafka, 2 if before else 4)
        session, cookies = await page.evaluate("[Hellotext.session, document.cookie]")
        await page.reload()
        await page.wait_for_function(READY)
        again = await page.evaluate("Hellotext.session")

    assert thrown == []
    assert {data["session"] for data in told} == {session} == {again}
    assert f"hello_session={session}" in cookies
    assert await landings(kafka, site[1]) == [session]


async def test_an_event_that_is_too_large_costs_no_other(kafka, site):
    """A batch that the collector or the browser does not take whole is sent in parts."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        answers, thrown = await visit(page, url, """async () => {
          const told = [];
          for (let n = 0; n < 12; n++) told.push(Hellotext.track("x.large", {metadata: {n, text: "x".repeat(30000)}}));
          told.push(Hellotext.track("x.huge", {metadata: "x".repeat(300000)}));
          // Less than 60,000 letters, more than the 64 kB that browsers carry over the end of a page.
          for (let n = 0; n < 6; n++) told.push(Hellotext.track("x.wide", {metadata: {n, text: "漢".repeat(9000)}}));
          return (await Promise.all(told)).map((answer) => answer.succeeded);
        }""")  # fmt: skip
        told = await actions(kafka, 19)

    assert answers == [True] * 12 + [False] + [True] * 6
    assert thrown == []
    assert sum(data.get("action") == "x.large" for data in told) == 12
    assert sum(data.get("action") == "x.wide" for data in told) == 6


async def test_many_events_are_one_write(kafka, site):
    """What a page tells in one go is written to its storage once: a page that tells a lot is not slowed."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        await page.add_init_script("""
          const write = Storage.prototype.setItem;
          window.writes = 0;
          Storage.prototype.setItem = function (...given) { window.writes++; return write.apply(this, given); };
        """)
        (writes, kept), _ = await visit(page, url, """async () => {
          while (localStorage.getItem("hello_queue")) await new Promise((over) => setTimeout(over, 20));
          window.writes = 0;
          for (let n = 0; n < 300; n++) Hellotext.track("x.many", {metadata: {n}});
          await Promise.resolve().then(() => 0);
          return [window.writes, JSON.parse(localStorage.getItem("hello_queue")).length];
        }""")  # fmt: skip
        told = await actions(kafka, 301)

    assert (writes, kept) == (1, 300)
    assert sum(data.get("action") == "x.many" for data in told) == 300


async def test_two_windows_keep_what_they_could_not_send(kafka, site):
    """Neither writes over the other's: the next page sends both."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        context = await page.context.browser.new_context()
        windows = [await context.new_page(), await context.new_page()]
        last = await context.new_page()
        for window in windows:
            await visit(window, url, "() => { navigator.sendBeacon = () => false; }")
            await window.wait_for_function("!localStorage.getItem('hello_queue')")
            await window.evaluate("window.fetch = () => Promise.reject(new TypeError('offline')); 0")
        for number, window in enumerate(windows):
            await window.evaluate(f"Hellotext.track('x.window{number}').then((answer) => answer.data)")
        for window in windows:
            await window.goto("about:blank")
        await visit(last, url, "() => 0")
        told = await actions(kafka, 3)
        await last.wait_for_function("!localStorage.getItem('hello_queue')")

    assert {data.get("action") for data in told if data["kind"] == "event"} == {"x.window0", "x.window1"}


async def test_a_link_without_a_session_leaves_the_visitors_own(kafka, site):
    """`?hello_session=undefined` or `null` is none: the one that the browser has goes on."""
    async with shop(tag(site[0])) as url, browser_page() as page:
        sessions = [
            (await visit(page, f"{url}/{query}", "Hellotext.session"))[0]
            for query in ("?hello_session=null", "?hello_session=undefined", "", "?hello_session=SHORT1", "")
        ]
        cookies = await page.evaluate("document.cookie")
        told = await actions(kafka, 2)

    first = sessions[0]
    assert sessions == [first, first, first, "SHORT1", "SHORT1"]
    assert len(first) == 36
    assert "hello_session=SHORT1" in cookies
    assert {data["session"] for data in told} == {first, "SHORT1"}


async def test_the_checkout_goes_on(kafka, site):
    """Whatever VTEX's checkout or a tag manager gives, and without storage: their own handlers and pushes work."""
    async with shop(CHECKOUT + tag(site[0], script="checkout")) as url, browser_page() as page:
        await page.add_init_script(FORBIDDEN)
        length, thrown = await visit(page, url, """() => {
          const form = {orderFormId: "f1", value: 100, items: [{productId: "P", quantity: 1}]};
          update(form);
          update({...form, value: 200});
          dataLayer.push({event: "orderPlaced", orderGroup: "v2", visitorContactInfo: {}});
          return dataLayer.length;
        }""")  # fmt: skip
        told = await actions(kafka, 2)

    assert (length, thrown) == (2, [])
    assert [data["amount"] for data in told if data.get("action") == "checkout.started"] == ["1"]


async def test_a_checkout_script_without_a_business_does_nothing(site):
    """Which is a mistake of its page, and no reason to stop a checkout."""
    root = site[0]
    head = CHECKOUT + f'<script src="{root}/v1/checkout.js"></script>'
    async with shop(head) as url, browser_page() as page:
        thrown = []
        page.on("pageerror", lambda error: thrown.append(str(error)))
        await page.goto(url)
        await page.evaluate("update({orderFormId: 'f1', items: [{}], clientProfileData: {email: 'ana@example.com'}})")
        await page.evaluate("new Promise((resolve) => setTimeout(resolve, 0))")

    assert thrown == []
