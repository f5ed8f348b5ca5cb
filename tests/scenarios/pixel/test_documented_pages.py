"""What docs/collector.md tells a shop's developer, done in real pages: its own snippets, as they stand there."""

import re
from pathlib import Path

import pytest

from tests.scenarios.pixel.browsing import READY, actions, browser_page, shop

pytestmark = [pytest.mark.broker, pytest.mark.browser]

PAGE = (Path(__file__).parents[3] / "docs" / "collector.md").read_text()


def snippet(mark: str, root: str) -> str:
    """The page's one code block that holds a mark, with this collector's address and this store's id."""
    (found,) = [block for block in re.findall(r"```(?:html|js)\n(.*?)```", PAGE, re.DOTALL) if mark in block]
    return found.replace("https://COLLECTOR", root).replace("BUSINESS_ID", "BID123")


async def test_a_page_that_is_no_vtex_storefront_tells_its_own_views(kafka, site):
    """The one line, and the page's own calls, wherever they stand; a route of a single page is a view of its own."""
    head = f"<script>{snippet('cart.added', site[0])}</script>" + snippet("<script async", site[0])
    async with shop(head) as url, browser_page() as page:
        await page.goto(url)
        await page.wait_for_function(READY)
        await page.evaluate("""() => {
          history.pushState({}, "", "/shoe/p");
          HellotextCalls.push([Date.now(), "track", "page.viewed", {url: location.href}]);
        }""")
        told = [data for data in await actions(kafka, 4) if data["kind"] == "event"]

    assert sorted((data["action"], data["page"]["url"].removeprefix(url)) for data in told) == [
        ("cart.added", "/"), ("page.viewed", "/"), ("page.viewed", "/shoe/p"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "sources"),
    [
        ("<script async", "'nonce-n1'"),
        ('/v1/pixel.js";', "'nonce-n1'"),
        ('/v1/pixel.js";', "'nonce-n1' 'strict-dynamic'"),
    ],
    ids=["tag", "tag manager", "tag manager that is trusted"],
)
async def test_a_policy_with_a_nonce_lets_the_pixel_work(kafka, site, sources, mark):
    """With the nonce on the snippet and the collector in connect-src, and nothing else."""
    policy = f"default-src 'none'; script-src {sources}; connect-src {site[0]}"
    given = snippet(mark, site[0])
    if mark.startswith("<"):
        head = given.replace("<script", '<script nonce="n1"')
    else:
        own = "" if "dynamic" in sources else 'script.nonce = "n1"; '
        head = f'<script nonce="n1">{given.replace("document.head", own + "document.head")}</script>'
    async with shop(head, policy=policy) as url, browser_page() as page:
        thrown: list[str] = []
        page.on("console", lambda line: thrown.append(line.text))
        await page.goto(url)
        await page.wait_for_function(READY)
        (told,) = await actions(kafka, 1)

    assert told["kind"] == "acknowledgement"
    assert thrown == []


async def test_a_checkout_on_another_origin_goes_on_with_the_visit(kafka, site):
    """By the session in its address, which the page asks for when the link is followed."""
    link = "utm_source=hellotext&utm_medium=sms&utm_campaign=C1"
    pixel, checkout = snippet("<script async", site[0]), snippet("/v1/checkout.js", site[0])
    async with browser_page() as page, shop(f"<script>{checkout}</script>", "127.0.0.1") as elsewhere:
        button = f"<a id=buy href='{elsewhere}/checkout'>buy</a><script>{snippet('closest', site[0])}</script>"
        async with shop(pixel + button.replace("https://CHECKOUT", elsewhere)) as url:
            await page.goto(f"{url}/?{link}")
            await page.wait_for_function(READY)
            session = await page.evaluate("Hellotext.session")
            await page.locator("#buy").click()
            await page.wait_for_url("**/checkout?*")
            await page.wait_for_function(READY)
            await page.evaluate("Hellotext.track('order.placed', {object_parameters: {reference: 'v1'}}).then(() => 0)")
            told = await actions(kafka, 3)

    assert {data["session"] for data in told} == {session}
    assert [data["action"] for data in told if data["kind"] == "event"] == ["order.placed"]


async def test_consent_that_comes_later(kafka, site):
    """By the call that the page shows, from a banner that may be there before the script or long after it."""
    head = snippet("<script async", site[0]).replace("async", 'async data-consent="required"')
    async with shop(head) as url, browser_page() as page:
        await page.goto(url)
        await page.wait_for_function(READY)
        before = await page.evaluate("[document.cookie, localStorage.length]")
        await page.evaluate(snippet('"setConsent"', site[0]))
        told = await actions(kafka, 1)

    assert before == ["", 0]
    assert [data["consent"] for data in told] == ["granted"]
