"""Kafka goes away under load and comes back: every event that was answered 200 is in the topic."""

import asyncio

import pytest
from cryptography.fernet import Fernet

from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.ports import free_ports
from connectors.kafka.provisioning import provision
from connectors.kafka.secrets import SecretBox
from tests.pixel_collector import connect, connected, read_topic
from tests.pixel_load import Load
from tests.scenarios.pixel.collectors import Collectors, accepted_more

pytestmark = pytest.mark.broker
LONG = pytest.mark.long


@pytest.mark.parametrize(
    ("in_order", "seconds"), [(True, 0), pytest.param(True, 60, marks=LONG), pytest.param(False, 0, marks=LONG)]
)
async def test_a_broker_that_stops_and_comes_back(tmp_path, in_order, seconds):
    """Meanwhile events are answered from the spool; a collector that dies then leaves them to the next one."""
    (port,) = free_ports(1)
    broker = await EmbeddedKafka(tmp_path / "kafka", port, heap="256m").start()
    kafka = broker.connection("outage.")
    key = Fernet.generate_key()
    collectors, load = None, None
    try:
        await provision(kafka, partitions=4, replication=1)
        await connect(kafka, connected(SecretBox(key)))
        collectors = Collectors(kafka, key, tmp_path / "spool")
        load = Load(collectors.port, pages=4, pause=0.002)
        load.start()
        await accepted_more(load, 50)
        load.statuses.clear()  # while it starts it says so
        await broker.stop(in_order=in_order)
        await collectors.until(lambda document: document["spool_bytes"] > 0)
        await accepted_more(load, 50)
        await asyncio.sleep(seconds)  # what is asked for: a minute without a broker
        await accepted_more(load, 50)
        broker = await EmbeddedKafka(tmp_path / "kafka", port, heap="256m").start()
        await collectors.until(lambda document: document["spool_bytes"] == 0)
        await accepted_more(load, 50)
        await load.stop()
        await collectors.until(lambda document: document["spool_bytes"] == 0)
        in_topic = {row["id"] for row in await read_topic(kafka, "pixel.events")}
    finally:
        if load is not None:
            await load.stop()
        if collectors is not None:
            await collectors.stop()
        await broker.stop(in_order=False)

    assert load.accepted - in_topic == set()
    assert set(load.statuses) == {200}


async def test_a_broker_that_hangs(tmp_path):
    """It takes connections and answers nobody: requests are answered from the spool within the time-out."""
    broker = await EmbeddedKafka(heap="256m").start()
    kafka = broker.connection("hang.")
    key = Fernet.generate_key()
    collectors = None
    (node,) = broker.nodes.values()
    try:
        await provision(kafka, partitions=4, replication=1)
        await connect(kafka, connected(SecretBox(key)))
        collectors = Collectors(kafka, key, tmp_path / "spool")
        load = Load(collectors.port, pages=4, pause=0.002)
        load.start()
        await accepted_more(load, 50)
        load.statuses.clear()  # while it starts it says so
        node.freeze()
        await collectors.until(lambda document: document["spool_bytes"] > 0)
        await accepted_more(load, 50)
        node.thaw()
        await accepted_more(load, 50)
        await load.stop()
        await collectors.until(lambda document: document["spool_bytes"] == 0)
        in_topic = {row["id"] for row in await read_topic(kafka, "pixel.events")}
    finally:
        if collectors is not None:
            await collectors.stop()
        await broker.stop(in_order=False)

    assert load.accepted - in_topic == set()
    assert set(load.statuses) == {200}
