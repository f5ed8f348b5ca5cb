"""Shops of the sandbox, connected; the real poller; and what lands in the topics. For this folder's tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from cryptography.fernet import Fernet

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import read_topic
from connectors.kafka.secrets import SecretBox
from connectors.vtex.customer import read_customer
from connectors.vtex.serve import run_poller
from connectors.vtex.settings import CallSettings, CustomerSettings, OrderSettings, PollerSettings
from sandbox.vtex.shop import Shop
from schemas import topics
from schemas.partition import shard_of
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess
from tests.conftest import PARTITIONS

KEY = Fernet.generate_key()
FAST = PollerSettings(
    interval=0.2,
    rest=1.0,
    calls=CallSettings(per_minute=120_000, floor=0.0, burst=50, backoff=0.02, backoff_limit=0.2, throttled=0.2,
                       breaker_wait=0.1, breaker_limit=0.5),
    customers=CustomerSettings(scan_every=3600, scan_first=3600, doubt=0.5, recheck_share=0.2),
    orders=OrderSettings(interval=0.1),
)  # fmt: skip


def connected(shop: Shop, url: str, store: str | None = None, **vtex: Any) -> StoreConnection:
    """Return a shop's connection, its secrets sealed."""
    box, name = SecretBox(KEY), store or shop.account
    return StoreConnection(
        store=name,
        vtex=VtexAccess(
            account=shop.account, url=f"{url}/vtex/{shop.account}", app_key=shop.app_key,
            app_token=box.seal(shop.app_token), **vtex,
        ),
        hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id=f"BID-{name}", token=box.seal("t")),
        country="BR", timezone="America/Sao_Paulo", currency="BRL", hash_secret=box.seal("h"),
        hook_secret=box.seal("k"), server_token=box.seal("s"), connected_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


async def write(kafka: KafkaConnection, topic: topics.Topic, store: str, key: bytes, value: bytes | None) -> None:
    """Write one record where the store's belong."""
    producer = AIOKafkaProducer(**kafka.options())
    await producer.start()
    try:
        place = shard_of(store, PARTITIONS)
        await producer.send_and_wait(kafka.topic(topic.name), value, key=key, partition=place)
    finally:
        await producer.stop()


async def connect(kafka: KafkaConnection, *stores: StoreConnection) -> None:
    """Connect stores, as the wizard does."""
    for store in stores:
        await write(kafka, topics.STORES, store.store, store.store.encode(), store.model_dump_json().encode())


@asynccontextmanager
async def polling(kafka: KafkaConnection, settings: PollerSettings = FAST) -> AsyncIterator[None]:
    """Run a poller for the length of the block; its failure is the test's."""
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_poller(kafka, SecretBox(KEY), settings, ready=ready.set, stop=stop))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield
    finally:
        stop.set()
        waiting.cancel()
        await task


async def events(kafka: KafkaConnection) -> list[dict[str, Any]]:
    """Return everything in `vtex.changes`."""
    return [
        orjson.loads(record.value)
        async for batch in read_topic(kafka, topics.VTEX_CHANGES.name)
        for record in batch.records
    ]


async def cursors(kafka: KafkaConnection, store: str) -> dict[str, dict[str, Any]]:
    """Return the position of each resource of a store."""
    found = {}
    async for batch in read_topic(kafka, topics.VTEX_CURSORS.name):
        for record in batch.records:
            row = orjson.loads(record.value)
            if row["store"] == store:
                found[row["resource"]] = row["position"]
    return found


async def latest(kafka: KafkaConnection, store: str) -> dict[str, dict[str, Any] | None]:
    """Return the last state of each customer in `vtex.changes`: what was said of it, None when it was deleted."""
    found: dict[str, dict[str, Any] | None] = {}
    for event in await events(kafka):
        if event["store"] == store:
            note(found, event)
    return found


def note(customers: dict[str, dict[str, Any] | None], event: dict[str, Any]) -> None:
    """Note what an event says of a customer, None when it was deleted."""
    if event["type"].startswith("vtex.customer."):
        gone = event["type"] == "vtex.customer.deleted"
        customers[event["subject"]] = None if gone else said(event["data"])


def said(data: dict[str, Any]) -> dict[str, Any]:
    """Return what an event says about a customer, apart from how it came to be read."""
    return {name: value for name, value in data.items() if name not in {"read_by", "source_version", "address"}}


def truth(shop: Shop, store: StoreConnection) -> dict[str, dict[str, Any]]:
    """Return what the events of every customer of a shop must say last."""
    return {
        document["id"].lower(): said(read_customer(document, store.vtex, "search")) for document in shop.customers.all()
    }


async def until(holds: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait for a condition, given as a function that returns an awaitable of it."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110  what holds stands in a topic, which nobody announces
            await asyncio.sleep(0.05)


def fill(shop: Shop, customers: int, first: int = 0) -> list[str]:
    """Put customers in; returns their ids."""
    return [
        shop.put_customer({
            "email": f"customer{n}@shop.example", "firstName": f"Ana {n}", "homePhone": f"+55119{n:08d}",
        })
        for n in range(first, first + customers)
    ]  # fmt: skip
