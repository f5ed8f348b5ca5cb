"""A shop of one page and a real Chromium in it."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.pixel_collector import read_topic

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Mobile Safari/537.36"
)
"""Headless Chromium says that it is headless, and a machine's visits do not count."""


@contextlib.asynccontextmanager
async def shop(head: str, host: str = "localhost") -> AsyncIterator[str]:
    """A shop on an origin of its own, the same head on every page of it."""
    body = f"<!doctype html><title>Shop</title>{head}<a href='/next'>next</a>".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            start = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            writer.write(start % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"


def chromium() -> str:
    """Debian's Chromium, or whichever the machine has."""
    found = next(filter(None, map(shutil.which, (os.environ.get("CHROMIUM", ""), *NAMES))), None)
    assert found, (
        "Chromium is missing: make browser installs it (apt-get install chromium), or set CHROMIUM to its path"
    )
    return found


@contextlib.asynccontextmanager
async def browser_page(*arguments: str) -> AsyncIterator[Page]:
    """A page of a Chromium that blocks third parties' cookies."""
    # As an argument: what a context pretends to be does not hold for the beacon of a page that is left.
    wanted = ["--no-sandbox", "--test-third-party-cookie-phaseout", f"--user-agent={PHONE}", *arguments]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=wanted)
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


async def message(page: Page, name: str, **fields: Any) -> None:
    """What VTEX's Store Framework posts."""
    await page.evaluate(
        "(m) => window.postMessage(m, window.origin)", {"eventName": f"vtex:{name}", "currency": "BRL", **fields}
    )


async def actions(kafka, count: int, seconds: float = 20) -> list[dict[str, Any]]:
    """The events in pixel.events, once there are `count` distinct ones."""
    async with asyncio.timeout(seconds):
        while True:
            rows = {row["id"]: row["data"] for row in await read_topic(kafka, "pixel.events")}
            if len(rows) >= count:
                return list(rows.values())
            await asyncio.sleep(0.2)
