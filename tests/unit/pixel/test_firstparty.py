"""The session as the shop's own cookie: for pages of the collector's site, when asked."""

import pytest

from connectors.pixel.firstparty import cookie_headers, session_of


def told(origin: str, host: str) -> dict[bytes, bytes]:
    """The headers of the answer to a page."""
    return dict(cookie_headers("S1", {b"origin": origin.encode(), b"host": host.encode()}))


@pytest.mark.parametrize(
    ("origin", "host", "domain"),
    [
        ("https://www.shop.example", "collect.shop.example", "shop.example"),
        ("https://shop.com.br", "t.shop.com.br:8443", "shop.com.br"),
        ("https://www.shop.example", "www.shop.example", "www.shop.example"),
        ("http://localhost:3000", "localhost:8080", ""),
        ("https://www.shop.example", "collector.other.example", None),
        ("https://one.myvtex.com", "collect.myvtex.com", None),
        ("https://one.myvtex.com", "collect.one.myvtex.com", "one.myvtex.com"),
        ("http://127.0.0.1:1", "127.0.0.1:2", None),
        ("null", "collect.shop.example", None),
        ("", "", None),
        ("https://[bad", "x", None),
    ],
)
def test_only_pages_of_our_own_site_get_it(origin, host, domain):
    """The widest name that both stand under, and never one that many merchants share."""
    headers = told(origin, host)

    scope = f"; Domain={domain}" if domain else ""
    secure = "; Secure" if origin.startswith("https") else ""
    cookie = f"hello_session=S1{scope}; Path=/; Max-Age=34560000; SameSite=Lax{secure}"
    assert headers.get(b"set-cookie", b"").decode() == ("" if domain is None else cookie)
    if domain is not None:
        assert headers[b"access-control-allow-origin"] == origin.encode()
        assert headers[b"access-control-allow-credentials"] == b"true"


@pytest.mark.parametrize(
    ("asked", "cookies", "session"),
    [
        ("S1", b"hello_session=S2", "S1"),
        ("", b"a=b; hello_session=S2; c=d", "S2"),
        ("undefined", b"hello_session=S2", "S2"),
        ("x; Domain=evil", b"", None),
        ("x\r\nset-cookie: y", b"hello_session=\xff", None),
        ("", b"", None),
    ],
)
def test_the_session_is_the_pages_else_the_cookies(asked, cookies, session):
    """And nothing that would say more to a browser than a session."""
    assert session_of(asked, cookies) == session


async def test_the_collector_sets_it_when_asked(make_bench):
    """Not for a client that merely asks for a session."""
    bench = make_bench()
    site = {"origin": "https://www.shop.example", "host": "collect.shop.example"}
    asked = await bench.call("POST", "/v1/track/sessions?cookie=1&session=S9", headers=site)
    plain = await bench.call("POST", "/v1/track/sessions", headers=site)

    assert asked.json()["id"] == "S9"
    assert asked.headers[b"set-cookie"].startswith(b"hello_session=S9; Domain=shop.example")
    assert asked.headers[b"access-control-allow-origin"] == b"https://www.shop.example"
    assert b"set-cookie" not in plain.headers
    assert plain.headers[b"access-control-allow-origin"] == b"*"
