"""Fetching a page of a shop, for the check that the snippet works; never anything but a page of that shop.

Whoever can open the console could otherwise have it ask any address that this machine reaches (SSRF). So: http and
https, origins listed for the store only, the same for each redirect, public addresses only (unless VTEX itself is
reached at the same host, as with a stand-in), the address that was judged is the one connected to, and an answer's
time and size are bounded.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from connectors.bounded import read_at_most
from connectors.pixel.live_page import LivePage
from schemas.stores import StoreConnection

SECONDS: Final = 10.0
BYTES: Final = 2 << 20
REDIRECTS: Final = 4
_PORTS: Final = {"http": 80, "https": 443}
_REDIRECT: Final = frozenset((301, 302, 303, 307, 308))

Resolve = Callable[[str, int], Awaitable[list[str]]]


class NotThatPageError(ValueError):
    """The page may not, or cannot, be fetched; says what to do."""


@dataclass(frozen=True, slots=True)
class ShopPages:
    """Fetches pages of one store.

    Args:
        connection: the store.
        resolve: returns a host's addresses.
        transport: to be used instead of the network.
    """

    connection: StoreConnection
    resolve: Resolve | None = None
    transport: httpx.AsyncBaseTransport | None = None

    async def fetch(self, url: str) -> LivePage:
        """Return a page.

        Raises:
            NotThatPageError: it is no page of this store, or did not answer in time.
        """
        try:
            async with asyncio.timeout(SECONDS):
                return await self._follow(url)
        except TimeoutError:
            raise NotThatPageError(f"The shop did not answer within {SECONDS:g} s: try again.") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NotThatPageError(f"The shop could not be reached ({type(error).__name__}): try again.") from None

    async def _follow(self, url: str) -> LivePage:
        # Proxies from the environment would resolve names themselves.
        async with httpx.AsyncClient(trust_env=False, timeout=SECONDS, transport=self.transport) as http:
            for _ in range(REDIRECTS + 1):
                parts = judged(url, self.connection)
                answer, body = await self._get(http, url, parts)
                if answer.status_code not in _REDIRECT or "location" not in answer.headers:
                    headers = {name.lower(): value for name, value in answer.headers.items()}
                    return LivePage(url, answer.status_code, headers, _text(body, answer.encoding or "utf-8"))
                url = _joined(url, answer.headers["location"])
        raise NotThatPageError("The page redirects in a circle: give the address that visitors end at.")

    async def _get(self, http: httpx.AsyncClient, url: str, parts: SplitResult) -> tuple[httpx.Response, bytes]:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = await self._address(host, port)
        target = httpx.URL(url).copy_with(host=address, port=port, fragment=None)
        headers = {"Host": parts.netloc, "User-Agent": "hellotext-vtex page check", "Accept": "text/html"}
        async with http.stream("GET", target, headers=headers, extensions={"sni_hostname": host}) as answer:
            body = await read_at_most(answer, BYTES)
        return answer, body[:BYTES]

    async def _address(self, host: str, port: int) -> str:
        try:
            found = [ip_address(each) for each in await (self.resolve or _resolve)(host, port)]
        except (OSError, ValueError):
            found = []
        if not found:
            raise NotThatPageError(f"There is no address for {host}: check how it is spelt.")
        if host != urlsplit(self.connection.vtex.url).hostname and not all(map(is_public, found)):
            raise NotThatPageError(f"{host} is an address inside a private network, which is not asked from here.")
        return str(found[0])


def allowed_origins(connection: StoreConnection) -> tuple[str, ...]:
    """Return the origins whose pages may be fetched: those listed, and those VTEX gives every account."""
    account, url = connection.vtex.account, urlsplit(connection.vtex.url)
    return (
        *connection.origins, f"https://{account}.myvtex.com", f"https://{account}.vtexcommercestable.com.br",
        f"{url.scheme}://{url.netloc}",
    )  # fmt: skip


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise NotThatPageError("The page redirects to what is no address.") from None


def _text(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding, "replace")
    except (LookupError, UnicodeError):  # Python's codecs that are none of texts
        return body.decode("utf-8", "replace")


def judged(url: str, connection: StoreConnection) -> SplitResult:
    """Return an address in parts, if it may be fetched for a store.

    Raises:
        NotThatPageError: otherwise; says why.
    """
    try:
        parts = urlsplit(url.strip())
        origin = f"{parts.scheme}://{parts.netloc}".lower()
        _ = parts.port
    except ValueError:
        raise NotThatPageError("That is no address of a page.") from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise NotThatPageError("Give the address of a page of your shop, beginning with https://.")
    if origin not in allowed_origins(connection):
        raise NotThatPageError(
            f"{origin} is not among the origins of this store: connect the store again with it in the list of the "
            "shop's addresses, then check again."
        )
    return parts


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of the public internet."""
    mapped = getattr(address, "ipv4_mapped", None)
    judged_one = mapped or address
    return judged_one.is_global and not judged_one.is_multicast


async def _resolve(host: str, port: int) -> list[str]:
    found: Iterable[tuple[object, ...]] = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )
    return list(dict.fromkeys(str(each[4][0]) for each in found))  # type: ignore[index]  # a socket address
