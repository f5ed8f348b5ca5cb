"""Three brokers: any one may fail."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.embedded import EmbeddedCluster
from connectors.kafka.provisioning import describe, provision
from connectors.kafka.reader import read_topic
from schemas.topics import STORES
from tests.scenarios.kafka.processes import ended

pytestmark = pytest.mark.broker
DEADLINE_S = 40


async def put(producer, kafka, values):
    """Write values to every partition in turn; each must be acknowledged."""
    async with asyncio.timeout(DEADLINE_S):
        for number, value in enumerate(values):
            await producer.send_and_wait(kafka.topic(STORES.name), value, key=value, partition=number % 2)


async def test_one_of_three_may_be_killed_frozen_or_stopped():
    """Records are acknowledged by all replicas in sync meanwhile, none is lost, and the node comes back."""
    async with EmbeddedCluster() as cluster:
        kafka = cluster.connection()
        await provision(kafka, partitions=2, replication=3)
        (stores,) = [state for state in await describe(kafka) if state.name == STORES.name]
        assert (stores.replication, stores.settings["min.insync.replicas"]) == (3, "2")
        producer = AIOKafkaProducer(
            acks="all", enable_idempotence=True, request_timeout_ms=4_000, retry_backoff_ms=20, **kafka.options()
        )
        async with producer:
            await put(producer, kafka, [b"whole-0", b"whole-1"])

            cluster.kill_node(1)
            assert ended(cluster.nodes[1].pid)
            await put(producer, kafka, [b"killed-0", b"killed-1"])
            await cluster.start_node(1)

            cluster.freeze_node(2)
            await put(producer, kafka, [b"frozen-0", b"frozen-1"])
            cluster.thaw_node(2)

            await cluster.stop_node(3)
            await put(producer, kafka, [b"stopped-0", b"stopped-1"])
            await cluster.start_node(3)

        found = [record.value async for batch in read_topic(kafka, STORES.name) for record in batch.records]
        assert sorted(found) == sorted(
            b"%s-%d" % (when, number) for when in (b"whole", b"killed", b"frozen", b"stopped") for number in (0, 1)
        )
