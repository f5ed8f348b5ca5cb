"""What every request passes before a page sees it: the Host it asks for, a password, where a form came from.

The console listens on loopback, where any page that a browser has open may send requests. So a Host that is not ours
is refused (DNS rebinding), a POST must come from our own pages (`Origin`, which browsers always send with one), and
nothing may frame, embed or feed a page (response headers).

A script sends no `Origin`. With the console's password its POST is taken: whoever knows it needs no trick. A browser
that somebody tricked would send the password along, too, but with `Origin`, `Referer` or `Sec-Fetch-Site`: any of these
makes it a browser, and then only our own origin counts. Without a password nothing tells a script from a trick.
"""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.console.settings import ConsoleSettings

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
OPEN: Final = frozenset(("/health/live", "/health/ready"))
"""Probes ask by address and have no password; these answers tell no more than up or down."""
_SAFE: Final = frozenset(("GET", "HEAD"))
_OF_BROWSERS: Final = ("origin", "referer", "sec-fetch-site", "sec-fetch-mode")
_LOOPBACK: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_ANY: Final = frozenset(("0.0.0.0", "::", ""))  # noqa: S104  compared with, not bound


class Guard:
    """ASGI middleware.

    Args:
        app: what it guards.
        settings: names that are ours, and the password.
    """

    def __init__(self, app: ASGIApp, settings: ConsoleSettings) -> None:
        self._app = app
        self._hosts = allowed_hosts(settings)
        self._password = None if settings.password is None else settings.password.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with our response headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = None if scope["path"] in OPEN else self._refusal(scope["method"], Headers(scope=scope))
        await (refused or self._app)(scope, receive, with_headers)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            return PlainTextResponse(
                "This console does not answer to the name in the address bar. Use its own address, or add this name "
                "to the setting CONSOLE_HOSTS.\n",
                421,
            )
        if self._password is not None and not _knows(headers.get("authorization", ""), self._password):
            return PlainTextResponse(
                "This console asks for its password (any user name).\n",
                401,
                {"WWW-Authenticate": 'Basic realm="hellotext-vtex console", charset="UTF-8"'},
            )
        if method not in _SAFE and not _from_us(headers, host) and not self._from_a_script(headers):
            return PlainTextResponse(
                "This form was not sent by a page of this console: open it here and try again. A script sends the "
                "console's password (HTTP basic) and no Origin; without CONSOLE_PASSWORD it sends an Origin that is "
                "the console's own address.\n",
                403,
            )
        return None

    def _from_a_script(self, headers: Headers) -> bool:
        """Say whether a request is a script's that has given the password, which was looked at before."""
        return self._password is not None and not any(name in headers for name in _OF_BROWSERS)


def allowed_hosts(settings: ConsoleSettings) -> frozenset[str]:
    """Return the names under which pages may be asked for."""
    own = set() if settings.host in _ANY else {settings.host.lower()}
    return frozenset(_LOOPBACK | own | {name.strip().lower() for name in settings.hosts})


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """Return the name in a Host header, without the port; nothing where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _from_us(headers: Headers, host: str) -> bool:
    try:
        return urlsplit(headers.get("origin", "")).netloc.lower() == host.lower()
    except ValueError:
        return False


def _knows(authorization: str, password: bytes) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        given = b64decode(encoded, validate=True).partition(b":")[2] if scheme.lower() == "basic" else b""
    except (Base64Error, ValueError):
        given = b""
    return hmac.compare_digest(given, password)
