"""The session as a cookie of the shop, set by the collector when asked (issue 7, item 7). Pure.

Browsers forget within a week what a script has stored; a cookie that a server of the same site sets, they keep. So
where the collector has a name in the shop's own domain (`collect.shop.example` for `www.shop.example`), a page may ask
it to keep the session. On any other site nothing is set: a browser would refuse it, or it would be a third party's.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

COOKIE: Final = "hello_session"
_LIFETIME_S: Final = 400 * 86_400
"""The longest that browsers allow (RFC 6265bis); each visit begins it anew."""
_SESSION: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_SHARED: Final = frozenset(("myvtex.com", "vtexcommercestable.com.br", "myshopify.com", "wixsite.com"))
"""Shops of many merchants stand side by side under these (contracts/hellotext A4)."""
_NOBODY: Final = frozenset(("undefined", "null"))


def session_of(told: str, cookies: bytes) -> str | None:
    """Return the session that a page names, else the one that its cookie names, else None.

    Args:
        told: `?session=`.
        cookies: the `Cookie` header.
    """
    named = (part.strip().partition("=") for part in cookies.decode("latin-1").split(";"))
    kept = next((value for name, _, value in named if name == COOKIE), "")
    return next((one for one in (told, kept) if _SESSION.fullmatch(one) and one not in _NOBODY), None)


def cookie_headers(session: str, headers: Mapping[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Return what makes the browser of a page of our own site keep the session; nothing for any other page.

    Args:
        session: to be kept.
        headers: of the request: its `Origin` is the page's, its `Host` is ours.
    """
    origin = headers.get(b"origin", b"").decode("latin-1")
    try:
        page = urlsplit(origin).hostname or ""
        domain = _common_domain(page, urlsplit("//" + headers.get(b"host", b"").decode("latin-1")).hostname or "")
    except ValueError:
        return ()
    if domain is None:
        return ()
    secure = "; Secure" if origin.startswith("https:") else ""
    scope = f"; Domain={domain}" if "." in domain else ""
    cookie = f"{COOKIE}={session}{scope}; Path=/; Max-Age={_LIFETIME_S}; SameSite=Lax{secure}"
    return (
        (b"set-cookie", cookie.encode("latin-1")),
        # A browser takes a cookie of another origin's answer only when that origin is named, and credentials are.
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"origin"),
    )


def _common_domain(page: str, collector: str) -> str | None:
    """Return the longest name that both stand under, or None; browsers refuse those that everybody stands under."""
    if _is_address(page) or _is_address(collector):
        return None
    if page == collector:
        return page if page and page not in _SHARED else None
    common: list[str] = []
    for ours, theirs in zip(reversed(collector.split(".")), reversed(page.split(".")), strict=False):
        if ours != theirs:
            break
        common.insert(0, ours)
    domain = ".".join(common)
    return domain if len(common) > 1 and domain not in _SHARED else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
