"""What stands in a topic about a dead letter's original: the original itself, or a newer row that has replaced it.

A letter may only refer to its original, at its offset, as long as the topic keeps it: a letter about a call that failed
long after its record was processed then holds no copy of anybody's data. And in a compacted topic the last row of a key
is the one that counts: an older one put behind it would be taken for the present.
"""

import asyncio
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import Record, read_topic
from schemas import topics
from schemas.fates import DeadLetter

LOST: Final = "its topic {topic} keeps the original no longer: it cannot be sent again"
REPLACED: Final = (
    "a newer row of this key has come since, and counts: nothing is to be sent again; `dead-letters remove` puts the "
    "letter away"
)
PATIENCE_S: Final = 10.0
POLL_MS: Final = 200


async def with_originals(connection: KafkaConnection, rows: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Return letters with the bytes that they refer to; with an obstacle where those are gone.

    Raises:
        KafkaError: the broker does not answer.
    """
    rows = list(rows)
    if not any(row.referred for row in rows):
        return rows
    async with AIOKafkaConsumer(
        isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="none", max_poll_records=1,
        **connection.options(),
    ) as consumer:  # fmt: skip
        return [await _filled(consumer, connection, row) if row.referred else row for row in rows]


async def _filled(consumer: AIOKafkaConsumer, connection: KafkaConnection, row: DeadLetter) -> DeadLetter:
    if row.topic is None or row.partition is None or row.offset is None:
        return row
    record = await _at(consumer, TopicPartition(connection.topic(row.topic), row.partition), row.offset)
    if record is None:
        return row.model_copy(update={"obstacle": LOST.format(topic=row.topic)})
    value = None if record.value is None else b64encode(record.value).decode()
    return row.model_copy(update={"value": value, "key": b64encode(record.key or b"").decode()})


async def _at(consumer: AIOKafkaConsumer, place: TopicPartition, offset: int) -> Any:
    """Return the record at an offset; None when it is there no longer."""
    first, end = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
    if not first <= offset < end:
        return None
    consumer.assign([place])
    consumer.seek(place, offset)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for record in (await consumer.getmany(place, timeout_ms=POLL_MS)).get(place, ()):
                return record if record.offset == offset else None
            if await consumer.position(place) > offset:  # only control records stood there
                return None


async def without_replaced(connection: KafkaConnection, rows: Iterable[DeadLetter]) -> list[DeadLetter]:
    """Return letters, those about rows that a newer one has replaced with an obstacle.

    Raises:
        TopicMissing, BrokerUnreachable: as reading a topic does.
    """
    rows = list(rows)
    wanted: defaultdict[str, dict[bytes, set[int]]] = defaultdict(dict)
    for row in rows:
        if _is_compacted(row.topic) and row.topic and row.key and row.partition is not None:
            wanted[row.topic].setdefault(b64decode(row.key), set()).add(row.partition)
    latest = {topic: await _latest(connection, topic, keys) for topic, keys in wanted.items()}
    return [
        row.model_copy(update={"obstacle": REPLACED})
        if row.topic in latest and row.key and _replaced(row, latest[row.topic].get(b64decode(row.key)))
        else row
        for row in rows
    ]


def _is_compacted(topic: str | None) -> bool:
    return topic in topics.BY_NAME and "compact" in topics.BY_NAME[topic or ""].cleanup


async def _latest(connection: KafkaConnection, topic: str, keys: dict[bytes, set[int]]) -> dict[bytes, Record]:
    found: dict[bytes, Record] = {}
    places = set().union(*keys.values())
    async for batch in read_topic(connection, topic, partitions=places):
        found.update((record.key, record) for record in batch.records if record.key in keys)
    return found


def _replaced(row: DeadLetter, latest: Record | None) -> bool:
    """Say whether the last row of the letter's key is another and later one; without an offset, versions tell."""
    if latest is None:
        return False
    if row.offset is not None:
        return bool(latest.offset > row.offset)
    if latest.value is None or row.value is None:
        return latest.value is not row.value
    return _version(latest.value) > _version(b64decode(row.value))


def _version(value: bytes) -> int:
    try:
        return int(orjson.loads(value)["version"])
    except (ValueError, KeyError, TypeError):
        return 0
