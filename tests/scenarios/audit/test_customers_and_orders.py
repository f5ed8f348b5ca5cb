"""The customers and orders agents in a worker, with tables on disk: each event has one fate, and a restart goes on."""

import asyncio
import os

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.audit import audit
from connectors.kafka.audit_rules import Balance
from connectors.kafka.reader import latest_by_key
from schemas import topics
from schemas.partition import shard_of
from streams.customers import CustomersAgent
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from streams.orders import OrdersAgent
from tests.conftest import PARTITIONS
from tests.stores import stores_of
from tests.unit.customers import events as customers
from tests.unit.orders.events import part

pytestmark = pytest.mark.broker

SHARD = shard_of("acme", PARTITIONS)
DEADLINE_S = 60.0


async def process(kafka, folder, *events):
    """Put events, run a worker until they are consumed, and return what `vtex.customers` and `vtex.orders` say."""
    async with AIOKafkaProducer(**kafka.options()) as producer:
        for key, value in events:
            await producer.send_and_wait(kafka.topic("vtex.changes"), key=key, value=value, partition=SHARD)
    stores = stores_of()
    settings = EngineSettings(instance=f"changes-{os.getpid()}", state_folder=folder)
    ready, stop = asyncio.Event(), asyncio.Event()
    worker = Worker(kafka, [CustomersAgent(stores), OrdersAgent(stores)], {}, settings)
    task = asyncio.create_task(worker.run(on_ready=ready.set, stop=stop))
    async with asyncio.timeout(DEADLINE_S):
        await ready.wait()
        while sum(read["vtex.changes"].in_flight for read in (await audit(kafka)).stores.values()):
            pass
        stop.set()
        assert await task == 0
    return [
        {key.decode(): orjson.loads(record.value) for key, record in (await latest_by_key(kafka, topic.name)).items()}
        for topic in (topics.VTEX_CUSTOMERS, topics.VTEX_ORDERS)
    ]


async def test_each_event_has_one_fate_and_a_restart_goes_on(kafka, tmp_path):
    """News, repetition, noise, a buyer whom no document shows yet, and what cannot be read."""
    buyer = {"user_profile_id": "u1", "email": "ana@b.co"}
    found, orders = await process(
        kafka, tmp_path, customers.read("c1", first_name="Bea"), customers.read("c1", first_name="Bea"),
        part("1-01", buyer=buyer), part("1-02"), part("1-02"), (b"acme/c9", b"junk"),
        part("2-01", currency="XXY"), (b"acme/c8", None),
    )  # fmt: skip

    assert {key: row["version"] for key, row in found.items()} == {"acme/c1": 1, "acme/u1": 1}
    assert {key: (row["amount"], row["version"]) for key, row in orders.items()} == {"acme/1": (20_000, 2)}

    found, orders = await process(
        kafka, tmp_path, customers.read("c1", 5, first_name="Beatriz"), customers.read("c2", 6, user_id="U1"),
        part("1-02", 9, status="canceled"),
    )  # fmt: skip

    assert (found["acme/c1"]["version"], found["acme/u1"]["replaced_by"]) == (2, "c2")
    assert (orders["acme/1"]["cancelled"], orders["acme/1"]["version"]) == (10_000, 3)
    report = await audit(kafka)
    assert report.stores["acme"] == {
        "vtex.changes": Balance(accepted=11, counted=6, duplicate=2, filtered=1, dead=2)
    }  # fmt: skip
    assert report.balanced
    assert report.letters == {"acme": 2}
