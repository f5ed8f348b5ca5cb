"""The console as a process has it, on a real Kafka: what stands in the topics is on its pages, and stays so."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from connectors.console.serve import run_console
from connectors.console.settings import ConsoleSettings
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.provisioning import provision
from connectors.kafka.reader import latest_by_key
from connectors.kafka.secrets import SecretBox
from schemas import topics
from schemas.messages import Campaign
from schemas.stores import StoreConnection
from tests.conftest import PARTITIONS
from tests.scenarios.console.preview import write_rows
from tests.scenarios.console.shop_rows import row, shop_rows

pytestmark = pytest.mark.broker

BOX = SecretBox(SecretBox.generate_key())


@asynccontextmanager
async def console(kafka: KafkaConnection, **settings) -> AsyncIterator[httpx.AsyncClient]:
    """Run a console; yields a browser on its address. Its end proves that it stops."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        run_console(kafka, BOX, ConsoleSettings(port=0, **settings), ready=address.set_result, stop=stop)
    )
    try:
        base = await asyncio.wait_for(address, 10)
        async with httpx.AsyncClient(base_url=base, headers={"Origin": base}, timeout=20) as http:
            yield http
            stop.set()  # before the browser closes its connections
            await asyncio.wait_for(running, 10)
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  the other side is a process of its own
            await asyncio.sleep(0.02)


async def ready(http: httpx.AsyncClient) -> None:
    """Wait until the console knows what the topics hold."""

    async def holds() -> bool:
        return (await http.get("/health/ready")).status_code == 200

    await until(holds)


async def versions(http: httpx.AsyncClient, path: str) -> AsyncIterator[str]:
    """Yield what a live page is told."""
    async with http.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                yield line.removeprefix("data: ")


async def test_what_stands_in_the_topics_is_on_the_pages(kafka):
    """All of it before the console calls itself ready; a change arrives at an open page within a second."""
    await write_rows(kafka, shop_rows("acme", customers=300, campaigns=5), PARTITIONS)
    async with console(kafka) as http:
        await ready(http)
        assert "Carrinho abandonado, 24 h" in (await http.get("/stores/acme")).text
        assert "300" in (await http.get("/stores/acme/customers")).text
        assert "All sums agree" in (await http.get("/stores/acme/campaign?name=cart-24h")).text

        told = versions(http, "/api/changes?store=acme")
        first = await anext(told)
        named = Campaign(store="acme", campaign="cart-24h", name="Renamed just now", day="2026-11-20")
        waiting = asyncio.create_task(anext(told))
        await write_rows(kafka, [row(topics.CAMPAIGNS, "acme", "cart-24h", value=named)], PARTITIONS)
        began = time.monotonic()
        second = await asyncio.wait_for(waiting, 5)
        assert "Renamed just now" in (await http.get("/stores/acme")).text
        assert time.monotonic() - began < 1.0
        assert second != first
        await told.aclose()


async def press_connect(http) -> httpx.Response:
    """What the review's form sends: its hidden field says which description it shows."""
    page = (await http.get("/connect/review")).text
    assert "Not everything could be found out" in page
    revision = re.search(r'name="revision" value="([^"]+)"', page)
    assert revision is not None
    return await http.post("/connect/review", data={"action": "connect", "revision": revision[1]})


async def test_a_merchant_connects_a_store(kafka):
    """Through the wizard, vendors being away: sealed in the topic, known at once, secrets shown once."""
    typed = {
        "vtex_account": "acme", "vtex_url": "http://127.0.0.1:1", "vtex_app_key": "k", "vtex_app_token": "T-VTEX",
        "hellotext_url": "http://127.0.0.1:1/v1", "hellotext_business": "BID-1", "hellotext_token": "T-HELLO",
        "country": "BR",
    }  # fmt: skip
    async with console(kafka) as http:
        await ready(http)
        assert (await http.get("/")).headers["location"] == "/connect"
        assert (await http.post("/connect", data=typed)).headers["location"] == "/connect/review"
        connected = await press_connect(http)
        assert connected.headers["location"] == "/stores/acme/setup"

        record = (await latest_by_key(kafka, topics.STORES.name))[b"acme"]
        stored = StoreConnection.model_validate_json(record.value)
        assert b"T-VTEX" not in record.value
        assert BOX.unseal(stored.vtex.app_token) == "T-VTEX"
        hook, server = BOX.unseal(stored.hook_secret), BOX.unseal(stored.server_token)
        page = (await http.get("/stores/acme/setup")).text
        assert hook in page
        assert server in page
        again = (await http.get("/stores/acme/setup")).text
        assert hook not in again
        assert server not in again

        # Connected again, with another token: its own secrets stay.
        await http.post("/connect", data={**typed, "vtex_app_token": "T-NEW"})
        await press_connect(http)
        renewed = (await latest_by_key(kafka, topics.STORES.name))[b"acme"]
        row_of = StoreConnection.model_validate_json(renewed.value)
        assert BOX.unseal(row_of.vtex.app_token) == "T-NEW"
        assert (row_of.hash_secret, row_of.connected_at) == (stored.hash_secret, stored.connected_at)


async def test_open_pages_do_not_keep_it_from_stopping_and_are_bounded(kafka):
    """The one too many gets 503; when the console stops, streams end at once."""
    async with console(kafka, viewers=1) as http:
        await ready(http)
        told = versions(http, "/api/changes")
        await anext(told)
        assert (await http.get("/api/changes")).status_code == 503
        waiting = asyncio.create_task(anext(told, None))
        await asyncio.sleep(0)
    assert await asyncio.wait_for(waiting, 5) is None


async def test_topics_that_come_later(empty_kafka):
    """A console that starts before the topics exist says so, serves its pages, and goes on by itself when they do."""
    async with console(empty_kafka) as http:

        async def said() -> bool:
            return "do not exist" in (await http.get("/health/ready")).text

        await until(said)
        assert (await http.get("/health/live")).status_code == 200
        assert "cannot be read" in (await http.get("/")).text
        await provision(empty_kafka, partitions=PARTITIONS, replication=1)
        await ready(http)
        assert (await http.get("/")).status_code == 303
