"""Who may ask the console: names, passwords, origins, and what browsers may do with its pages."""

import re

import httpx
import pytest
from pydantic import SecretStr

from tests.unit.console.conftest import BASE

BASIC = "Basic YW55Ym9keTpzw6lzYW1l"  # anybody:sésame


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "", "[", "127.0.0.1.nip.io:8090", "10.0.0.7"]
)
async def test_a_name_that_is_not_ours_is_refused(make_bench, host):
    """DNS rebinding: a page of another name that resolves to us gets nothing."""
    answer = await make_bench().http.get("/api/stores", headers={"Host": host})

    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost:8090", "127.0.0.1", "[::1]:8090", "Console.Shop.Example", "box.local:1"])
async def test_our_own_names_are_served(make_bench, host):
    """Loopback, the address listened on, and the names that were configured."""
    bench = make_bench(host="box.local", hosts=("console.shop.example",))

    assert (await bench.http.get("/api/stores", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "given", [None, "Basic", "Basic !!!", "Basic YTpi", "Bearer YW55Ym9keTpzw6lzYW1l", "Basic YW55Ym9keQ=="]
)
async def test_a_password_is_asked_for(make_bench, given):
    """Every page and API wants it; a malformed header is a wrong one."""
    bench = make_bench(password=SecretStr("sésame"))
    headers = {} if given is None else {"Authorization": given}

    answer = await bench.http.get("/api/stores", headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"][:5]) == (401, "Basic")
    assert (await bench.http.get("/api/stores", headers={"Authorization": BASIC})).status_code == 200


async def test_probes_need_neither_name_nor_password(make_bench):
    """And learn whether the console is up and knows the present, nothing else."""
    bench = make_bench(password=SecretStr("x"), loaded=False)
    headers = {"Host": "10.1.2.3:8090"}

    assert (await bench.http.get("/health/live", headers=headers)).status_code == 200
    ready = await bench.http.get("/health/ready", headers=headers)
    assert (ready.status_code, ready.text) == (503, "reading what the topics hold\n")


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "http://127.0.0.1:9999", "http://127.0.0.1", "[", BASE + ".evil.example"],
)
async def test_a_form_of_another_page_is_refused(make_bench, origin):
    """CSRF: a POST must come from this very origin; browsers always say where one comes from."""
    headers = {} if origin is None else {"Origin": origin}

    answer = await make_bench().http.post("/connect", data={"vtex_account": "acme"}, headers=headers)

    assert answer.status_code == 403


async def test_a_script_with_the_password_needs_no_origin(make_bench):
    """It knows the password; without one the console cannot tell it from a trick."""
    bench = make_bench(password=SecretStr("sésame"))
    form = {"vtex_account": "acme"}

    answer = await bench.http.post("/connect", data=form, headers={"Authorization": BASIC})
    assert answer.status_code == 422
    assert (await bench.http.post("/connect", data=form)).status_code == 401
    refused = await make_bench().http.post("/connect", data=form)
    assert (refused.status_code, "CONSOLE_PASSWORD" in refused.text) == (403, True)


@pytest.mark.parametrize(
    "sent",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Referer": "http://evil.example/page"},
     {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Mode": "navigate"}],
)  # fmt: skip
async def test_a_browser_that_was_tricked_is_refused_although_it_sends_the_password(make_bench, sent):
    """Browsers remember a password and send it with any request; and they say where that comes from."""
    bench = make_bench(password=SecretStr("sésame"))

    answer = await bench.http.post("/connect", data={}, headers={"Authorization": BASIC, **sent})

    assert answer.status_code == 403


@pytest.mark.parametrize("path", ["/connect", "/nope", "/api/stores", "/static/console.css", "/health/live"])
async def test_every_answer_forbids_framing_sniffing_and_foreign_content(make_bench, path):
    """The policy allows our own files only, so no inline script or style can run."""
    headers = (await make_bench().http.get(path)).headers

    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


async def test_no_page_needs_what_the_policy_forbids(make_bench):
    """No inline script, style or handler, and nothing from elsewhere, in any template or page."""
    html = await make_bench().html("/connect")

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert re.findall(r"<script(?![^>]*\ssrc=\"/static/)", html) == []
    assert [url for url in re.findall(r"(?:src|href)=\"([^\"]+)\"", html) if not url.startswith(("/", "#"))] == []


async def test_static_files_are_cached_by_their_contents(make_bench):
    """Under the address that pages use, for ever; under any other, never. Only files of the folder exist."""
    bench = make_bench()
    url = bench.console.static.url("console.css")

    assert "immutable" in (await bench.http.get(url)).headers["cache-control"]
    assert (await bench.http.get("/static/console.css?old")).headers["cache-control"] == "no-cache"
    for path in ("/static/nope.css", "/static/..%2fapp.py", "/static/%2e%2e/app.py"):
        assert (await bench.http.get(path)).status_code == 404


async def test_a_form_has_bounds(make_bench):
    """In bytes and in fields; what is no form is refused, none of it is a 500."""
    http: httpx.AsyncClient = make_bench().http
    for body, status in ((b"a=" + b"x" * 70_000, 413), (b"a&" * 200, 400), (b"\xff\xfe=1", 400), (b"", 422)):
        answer = await http.post("/connect", content=body, headers={"Origin": BASE})
        assert answer.status_code == status
