"""Every other path under /v1/public goes on to Hellotext: forms, webchat, widgets, popups (contracts/hellotext A3.6).

Bounded in number, time and size, and on connections of its own, so that a slow Hellotext never slows the collector.
"""

import asyncio
from typing import Final

import httpx

from connectors.bounded import read_at_most
from connectors.pixel.answers import Answer, busy, other, refusal
from connectors.pixel.settings import CollectorSettings

_PASSED: Final = (b"accept", b"accept-language", b"authorization", b"content-type", b"idempotency-key", b"user-agent")
_LARGEST: Final = 4 << 20


class Proxy:
    """Passes calls on with their answers."""

    def __init__(self, settings: CollectorSettings) -> None:
        limits = httpx.Limits(max_connections=settings.proxy_concurrency)
        self._client = httpx.AsyncClient(timeout=settings.proxy_timeout, limits=limits, follow_redirects=False)
        self._seconds = settings.proxy_timeout
        self._free = settings.proxy_concurrency

    async def pass_on(self, base: str, target: str, method: str, headers: dict[bytes, bytes], body: bytes) -> Answer:
        """Return Hellotext's own answer, or 502/503/504 as JSON when there is none.

        Args:
            base: the store's Hellotext address, ending in /v1.
            target: path and query below it, beginning with a slash.
            method: of the page's call.
            headers: of the page's call; only the harmless ones are passed on.
            body: of the page's call.
        """
        if self._free <= 0:
            return busy("Too many calls are being passed on to Hellotext; try again.", 1)
        self._free -= 1
        try:
            async with asyncio.timeout(self._seconds):
                return await self._call(base.rstrip("/") + target, method, headers, body)
        except (TimeoutError, httpx.TimeoutException):
            return refusal(504, "upstream_timeout", "Hellotext did not answer in time.")
        except httpx.HTTPError:
            return refusal(502, "upstream_unreachable", "Hellotext cannot be reached.")
        finally:
            self._free += 1

    async def _call(self, url: str, method: str, headers: dict[bytes, bytes], body: bytes) -> Answer:
        passed = [(name, headers[name]) for name in _PASSED if name in headers]
        async with self._client.stream(method, url, headers=passed, content=body) as response:
            told = await read_at_most(response, _LARGEST)
            if len(told) > _LARGEST:
                return refusal(502, "upstream_too_large", "Hellotext's answer is too large.")
            content_type = response.headers.get("content-type", "application/json")
            return other(response.status_code, told, content_type)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
