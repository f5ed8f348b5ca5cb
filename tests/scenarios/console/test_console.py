"""The console as a process has it, on a real Kafka: what stands in the topics is on its pages, and stays so."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
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
from tests.waiting import until

pytestmark = pytest.mark.broker

BOX = SecretBox(SecretBox.generate_key())
PATIENCE_S = 60.0
"""For what takes a moment, and longer on a busy machine."""


@asynccontextmanager
async def console(kafka: KafkaConnection, **settings) -> AsyncIterator[httpx.AsyncClient]:
    """Run a console; yields a browser on its address. Its end proves that it stops."""
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        run_console(kafka, BOX, ConsoleSettings(port=0, **settings), ready=address.set_result, stop=stop)
    )
    try:
        base = await asyncio.wait_for(address, PATIENCE_S)
        async with httpx.AsyncClient(base_url=base, headers={"Origin": base}, timeout=PATIENCE_S) as http:
            yield http
            stop.set()  # before the browser closes its connections
            await asyncio.wait_for(running, PATIENCE_S)
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE_S)


async def ready(http: httpx.AsyncClient) -> None:
    """Wait until the console knows what the topics hold."""

    async def holds() -> bool:
        return (await http.get("/health/ready")).status_code == 200

    await until("the console knows what the topics hold", holds)


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
        seen = {await anext(told)}
        took = [await renamed(http, kafka, told, seen, "Renamed just now")]
        while took[-1] >= 1.0 and len(took) < 10:  # the machine may be busy, but not each time
            took.append(await renamed(http, kafka, told, seen, f"Renamed {len(took)} times"))
        assert took[-1] < 1.0, took
        await told.aclose()


async def renamed(http, kafka, told, seen, name) -> float:
    """Rename a campaign; return how many seconds later an open page has been told and shows it."""
    value = Campaign(store="acme", campaign="cart-24h", name=name, day="2026-11-20")
    await write_rows(kafka, [row(topics.CAMPAIGNS, "acme", "cart-24h", value=value)], PARTITIONS)
    began = time.monotonic()
    while True:  # something else may have changed before
        version = await asyncio.wait_for(anext(told), PATIENCE_S)
        assert version not in seen
        seen.add(version)
        if name in (await http.get("/stores/acme")).text:
            return time.monotonic() - began


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

        # Connected again, with another token: what stands is shown first, and its own secrets stay.
        renewed = {**typed, "vtex_app_token": "T-NEW"}
        assert "is connected already" in (await http.post("/connect", data=renewed)).text
        await http.post("/connect", data={**renewed, "again": "acme"})
        await press_connect(http)
        record = (await latest_by_key(kafka, topics.STORES.name))[b"acme"]
        row_of = StoreConnection.model_validate_json(record.value)
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
    assert await asyncio.wait_for(waiting, PATIENCE_S) is None


async def test_topics_that_come_later(empty_kafka):
    """A console that starts before the topics exist says so, serves its pages, and goes on by itself when they do."""
    async with console(empty_kafka) as http:

        async def said() -> bool:
            return "do not exist" in (await http.get("/health/ready")).text

        await until("that topics are missing is said", said)
        assert (await http.get("/health/live")).status_code == 200
        assert "cannot be read" in (await http.get("/")).text
        await provision(empty_kafka, partitions=PARTITIONS, replication=1)
        await ready(http)
        assert (await http.get("/")).status_code == 303
