"""Runs the real collector for tests, and reads what landed in its topics."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cryptography.fernet import Fernet

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.pixel.serve import run_collector
from connectors.pixel.settings import CollectorSettings
from schemas import topics
from schemas.partition import shard_of
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess

HASH_SECRET = "the store's hash secret"
PARTITIONS = 4


def connected(box: SecretBox, store: str = "acme", business: str = "BID123") -> StoreConnection:
    """A connected store, its secrets sealed."""
    return StoreConnection(
        store=store,
        vtex=VtexAccess(account=store, url="http://127.0.0.1:1", app_key="k", app_token=box.seal("token")),
        hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id=business, token=box.seal("token")),
        country="BR",
        timezone="America/Sao_Paulo",
        currency="BRL",
        hash_secret=box.seal(HASH_SECRET),
        hook_secret=box.seal(f"hook-secret-of-{store}"),
        server_token=box.seal(f"server-token-of-{store}"),
        connected_at="2026-01-01T00:00:00Z",
    )


async def connect(kafka: KafkaConnection, *stores: StoreConnection) -> None:
    """Write stores as the wizard does."""
    producer = AIOKafkaProducer(acks="all", **kafka.options())
    await producer.start()
    try:
        for store in stores:
            await producer.send_and_wait(
                kafka.topic(topics.STORES.name),
                store.model_dump_json().encode(),
                key=topics.STORES.key(store.store),
                partition=shard_of(store.store, PARTITIONS),
            )
    finally:
        await producer.stop()


async def read_topic(kafka: KafkaConnection, name: str) -> list[dict[str, Any]]:
    """Everything that stands in a topic now, committed, with each record's key and partition beside it."""
    consumer = AIOKafkaConsumer(
        auto_offset_reset="earliest", isolation_level="read_committed", enable_auto_commit=False, **kafka.options()
    )
    await consumer.start()
    found = []
    try:
        places = [TopicPartition(kafka.topic(name), number) for number in range(PARTITIONS)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [
                    {
                        "key": r.key,
                        "partition": r.partition,
                        "headers": r.headers,
                        "raw": r.value,
                        **orjson.loads(r.value),
                    }
                    for r in records
                ]
    finally:
        await consumer.stop()
    return found


@dataclass
class Running:
    """A collector that listens."""

    url: str
    host: str
    port: int

    async def ready(self, seconds: float = 60) -> None:
        """Wait until it knows its stores."""
        async with httpx.AsyncClient(base_url=self.url) as client, asyncio.timeout(seconds):
            while True:
                answer = await client.post("/v1/track/sessions", headers={"authorization": "Bearer BID123"})
                if answer.status_code != 503:
                    return
                await asyncio.sleep(0.05)

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection(self.host, self.port)

    async def exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes as they are and return status, headers and body of the answer."""
        reader, writer = await self.connection()
        try:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            return int(head[0].split()[1]), headers, body
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def running(kafka: KafkaConnection, box: SecretBox, spool: Path, **settings: Any) -> AsyncIterator[Running]:
    """Run the collector in this loop, on a free port, until the block ends.

    It waits long for a slow broker: what it has answered stands in the topic, not in the spool.
    """
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    chosen = CollectorSettings(port=0, spool=spool, **{"ack_timeout": 60.0, **settings})
    task = asyncio.create_task(run_collector(kafka, box, chosen, ready=address.set_result, stop=stop))
    try:
        done, _ = await asyncio.wait([address, task], return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            await task
        host, port = address.result().removeprefix("http://").rsplit(":", 1)
        yield Running(address.result(), host, int(port))
    finally:
        stop.set()
        await task


def secret_box() -> SecretBox:
    """A box of this test's own."""
    return SecretBox(Fernet.generate_key())
