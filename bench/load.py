"""What every peer gets: the same events, in the same partitions of the same broker."""

import asyncio
import os
import time
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 4
STORES = [f"store{n}" for n in range(23)]
TWICE_EVERY = 20
"""Every so many events one comes twice: 5 % are duplicates."""
PAD = os.urandom(90).hex().encode()
"""Makes an event some 200 bytes."""


def fresh_prefix() -> str:
    """Return a prefix for the topics of one run: nothing on the broker has it."""
    return f"bench-{os.getpid()}-{time.time_ns() // 1_000_000}-"


async def create(options: dict[str, Any], *names: str, compact: bool = False) -> None:
    """Create topics."""
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    config = {"cleanup.policy": "compact"} if compact else {}
    await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=config) for name in names])
    await admin.close()
    await asyncio.sleep(0.5)


def event(number: int, keys: int) -> tuple[int, bytes, bytes]:
    """Return partition, key and value of an event; the value begins with its id, 12 bytes."""
    name = number % keys
    store = STORES[name % len(STORES)]
    return crc32(store.encode()) % PARTITIONS, f"{store}/k{name}".encode(), b"%012d" % number + PAD


async def fill(options: dict[str, Any], topic: str, events: int, keys: int) -> int:
    """Put events in, some of them twice; return how many records that made."""
    producer = AIOKafkaProducer(**options, linger_ms=10, max_batch_size=1 << 18)
    await producer.start()
    put = 0
    for number in range(events):
        partition, key, value = event(number, keys)
        for _ in range(1 + (number % TWICE_EVERY == 0)):
            await producer.send(topic, key=key, value=value, partition=partition)
            put += 1
    await producer.stop()
    return put
