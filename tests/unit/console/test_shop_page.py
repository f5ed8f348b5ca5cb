"""The page check asks pages of this shop and nothing else that this machine could reach."""

import asyncio
from ipaddress import ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.console import setup, shop_page
from connectors.console.shop_page import NotThatPageError, ShopPages, is_public, judged
from connectors.pixel.live_page import LivePage
from schemas import topics
from schemas.stores import VtexAccess
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store

STORE = a_store(
    origins=("https://www.acme.com.br", "http://loja.acme.com.br:8000"),
    vtex=VtexAccess(account="acme", url="https://acme.vtexcommercestable.com.br", app_key="k", app_token="t"),
)
STAND_IN = a_store(
    origins=("http://10.0.0.5:80",),
    vtex=VtexAccess(account="acme", url="http://127.0.0.1:8070/vtex/acme", app_key="k", app_token="t"),
)


def pages(answer, *addresses, store=STORE):
    """Pages of a shop whose hosts have these addresses; returns what was asked, too."""
    asked = []

    def handle(request):
        asked.append((str(request.url), request.headers["host"], request.extensions.get("sni_hostname")))
        return answer(request) if callable(answer) else answer

    async def resolve(host, port):
        return list(addresses)

    return ShopPages(store, resolve, httpx.MockTransport(handle)), asked


@pytest.mark.parametrize("url", [
    "https://evil.example/", "https://www.acme.com.br.evil.example/", "https://www.acme.com.br@evil.example/",
    "http://www.acme.com.br/", "https://www.acme.com.br:8443/", "http://127.0.0.1/", "http://[::1]/",
    "http://localhost:9092/",
    "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "gopher://www.acme.com.br/",
    "//www.acme.com.br/", "",
    "https://", "https://[", "https://www.acme.com.br:99999999/", "https://u:p@www.acme.com.br/", "javascript:alert(1)",
])  # fmt: skip
async def test_other_addresses_are_refused_unasked(url):
    """Other hosts, schemes, ports, and names that only look like the shop's."""
    shop, asked = pages(httpx.Response(200), "93.184.216.34")

    with pytest.raises(NotThatPageError):
        await shop.fetch(url)
    assert asked == []


@given(st.text(max_size=60))
def test_any_text_is_judged(text):
    """Nothing that a person may type is an error of another kind."""
    try:
        parts = judged(text, STORE)
    except NotThatPageError:
        return
    assert parts.scheme in {"http", "https"}


@pytest.mark.parametrize("charset", ["base64", "idna", "punycode", "undefined", "nonsense"])
async def test_an_encoding_that_is_none_is_read_as_utf_8(charset):
    """Whatever a shop's server says: the tags are ASCII in any."""
    headers = {"content-type": f"text/html; charset={charset}"}
    shop, _ = pages(httpx.Response(200, headers=headers, content=b"<p>\xff\xe4</p>"), "93.184.216.34")

    assert (await shop.fetch("https://www.acme.com.br/")).html.startswith("<p>")


async def test_a_redirect_to_what_is_no_address_is_said():
    """As every other mistake of a shop's page."""
    shop, _ = pages(httpx.Response(302, headers={"location": "http://[["}), "93.184.216.34")

    with pytest.raises(NotThatPageError, match="redirects to what is no address"):
        await shop.fetch("https://www.acme.com.br/")


@pytest.mark.parametrize("addresses", [
    ["127.0.0.1"], ["10.1.2.3"], ["192.168.0.9"], ["169.254.169.254"], ["::1"], ["fd00::1"], ["::ffff:127.0.0.1"],
    ["0.0.0.0"],  # noqa: S104  refused, not bound
    ["100.64.0.1"], ["93.184.216.34", "127.0.0.1"], ["224.0.0.1"], [],
])  # fmt: skip
async def test_a_shop_name_that_leads_inside_is_refused(addresses):
    """The name is the shop's, its address is not: a private, local or link address is never asked."""
    shop, asked = pages(httpx.Response(200), *addresses)

    with pytest.raises(NotThatPageError):
        await shop.fetch("https://www.acme.com.br/")
    assert asked == []


async def test_a_public_page_is_asked_at_the_address_that_was_judged():
    """A second look-up could say something else (DNS rebinding); TLS still checks the name."""
    shop, asked = pages(httpx.Response(200, html="<p>hi"), "93.184.216.34")
    page = await shop.fetch("https://www.acme.com.br/a?b=c#d")

    assert asked == [("https://93.184.216.34/a?b=c", "www.acme.com.br", "www.acme.com.br")]
    assert (page.url, page.status, page.html) == ("https://www.acme.com.br/a?b=c#d", 200, "<p>hi")


async def test_redirects_are_judged_again():
    """One to another page of the shop is followed; one to anywhere else, or round and round, is not."""

    def answer(request):
        to = {"/": "/home", "/out": "http://127.0.0.1:9092/", "/loop": "/loop"}.get(request.url.path)
        return httpx.Response(302, headers={"location": to}) if to else httpx.Response(200, html="home")

    shop, asked = pages(answer, "93.184.216.34")
    assert (await shop.fetch("https://www.acme.com.br/")).url == "https://www.acme.com.br/home"
    for path in ("out", "loop"):
        with pytest.raises(NotThatPageError):
            await shop.fetch(f"https://www.acme.com.br/{path}")
    assert all("127.0.0.1" not in url for url, _, _ in asked)


async def test_a_stand_in_may_be_inside():
    """Where VTEX itself is reached at a private host, as with the sandbox, pages of that host are asked; others not."""
    shop, asked = pages(httpx.Response(200, html="x"), "127.0.0.1", store=STAND_IN)
    assert (await shop.fetch("http://127.0.0.1:8070/shop/acme/")).status == 200
    other, unasked = pages(httpx.Response(200), "10.0.0.5", store=STAND_IN)
    with pytest.raises(NotThatPageError):
        await other.fetch("http://10.0.0.5:80/")
    assert len(asked) == 1
    assert unasked == []


async def test_time_and_size_are_bounded(monkeypatch):
    """A page without end is cut, one that does not answer is given up."""
    shop, _ = pages(httpx.Response(200, content=b"x" * (shop_page.BYTES + 10_000)), "93.184.216.34")
    assert len((await shop.fetch("https://www.acme.com.br/")).html) == shop_page.BYTES

    monkeypatch.setattr(shop_page, "SECONDS", 0.02)

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.Event().wait()

    async def resolve(host, port):
        return ["93.184.216.34"]

    with pytest.raises(NotThatPageError, match="did not answer"):
        await ShopPages(STORE, resolve, Silent()).fetch("https://www.acme.com.br/")


@pytest.mark.parametrize(
    ("text", "public"), [("8.8.8.8", True), ("2606:4700::1", True), ("::ffff:10.0.0.1", False), ("fe80::1", False)]
)
def test_public_addresses(text, public):
    """An IPv4 address in IPv6 clothes is judged as what it is."""
    assert is_public(ip_address(text)) == public


@pytest.mark.parametrize(("html", "said"), [
    ('<script async src="http://127.0.0.1:8080/v1/pixel.js" data-business="BID-acme"></script>', "OK"),
    ("<p>nothing", "paste the snippet"),
])  # fmt: skip
async def test_the_setup_page_says_what_was_found(make_bench, monkeypatch, html, said):
    """With the address that was asked, and whether an event has come."""

    class Fetched(ShopPages):
        async def fetch(self, url):
            return LivePage(url, 200, {}, html)

    monkeypatch.setattr(setup, "ShopPages", Fetched)
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=STORE)])
    page = (await bench.post("/stores/acme/setup", url="http://loja.acme.com.br:8000/")).text

    assert said in page
    assert 'value="http://loja.acme.com.br:8000/"' in page
    assert "No event of this shop has come yet" in page


async def test_a_refused_address_is_said_on_the_page(make_bench):
    """Escaped, without having asked anybody."""
    bench = make_bench()
    bench.put([row(topics.STORES, "acme", value=STORE)])
    page = (await bench.post("/stores/acme/setup", url='https://evil"><b>/')).text

    assert "is not among the origins of this store" in page
    assert "<b>" not in page
