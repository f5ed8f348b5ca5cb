"""A shop of one page and a real Chromium in it."""

import asyncio
import contextlib
import os
import shutil
import signal
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from tests.pixel_collector import read_topic

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Mobile Safari/537.36"
)
"""Headless Chromium says that it is headless, and a machine's visits do not count."""


READY = "window.Hellotext && Hellotext.isInitialized"
FORBIDDEN = """
  const refuse = () => { throw new DOMException("denied", "SecurityError"); };
  for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, {get: refuse});
  Object.defineProperty(Document.prototype, "cookie", {get: refuse, set: refuse});
"""


@contextlib.asynccontextmanager
async def shop(head: str, host: str = "localhost", policy: str = "") -> AsyncIterator[str]:
    """A shop on an origin of its own, the same head on every page of it, under a Content-Security-Policy."""
    body = f"<!doctype html><title>Shop</title>{head}<a href='/next'>next</a>".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            start = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: %d\r\n" % len(
                body
            )
            limits = f"content-security-policy: {policy}\r\n".encode() if policy else b""
            writer.write(start + limits + b"\r\n" + body)
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
async def browser_page(*arguments: str, cache: bool = False) -> AsyncIterator[Page]:
    """A page of a Chromium that blocks third parties' cookies.

    Args:
        arguments: of its command line.
        cache: whether it keeps the pages that are left for those who go back, as people's browsers do.
    """
    # As an argument: what a context pretends to be does not hold for the beacon of a page that is left.
    wanted = ["--no-sandbox", "--test-third-party-cookie-phaseout", f"--user-agent={PHONE}", *arguments]
    left_out = None
    if cache:
        wanted.append("--enable-features=BackForwardCache")
        left_out = ["--disable-back-forward-cache"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(), args=wanted, ignore_default_args=left_out, timeout=90_000
        )
        try:
            yield await browser.new_page()
        finally:
            await browser.close()


@contextlib.asynccontextmanager
async def alone(url: str, profile: Path) -> AsyncIterator[None]:
    """A Chromium on a page that drives itself: one that is driven from outside renders no page beforehand."""
    wanted = ["--headless=new", "--no-sandbox", f"--user-agent={PHONE}", f"--user-data-dir={profile}", url]
    process = await asyncio.create_subprocess_exec(
        chromium(), *wanted, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def tag(root: str, attributes: str = "", script: str = "pixel") -> str:
    """The tag of a script, as a theme has it."""
    return f'<script src="{root}/v1/{script}.js" data-business="BID123" {attributes}></script>'


async def visit(page, url, script):
    """Load a page, note what it throws, and run a script in it."""
    thrown = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    await page.goto(url)
    await page.wait_for_function(READY)
    return await page.evaluate(script), thrown


async def message(page: Page, name: str, **fields: Any) -> None:
    """What VTEX's Store Framework posts."""
    await page.evaluate(
        "(m) => window.postMessage(m, window.origin)", {"eventName": f"vtex:{name}", "currency": "BRL", **fields}
    )


async def actions(kafka, count: int, seconds: float = 60) -> list[dict[str, Any]]:
    """The events in pixel.events, once there are `count` distinct ones."""
    async with asyncio.timeout(seconds):
        while True:
            rows = {row["id"]: row["data"] for row in await read_topic(kafka, "pixel.events")}
            if len(rows) >= count:
                return list(rows.values())
            await asyncio.sleep(0.2)
