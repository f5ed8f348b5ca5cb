"""Writing rows of a compacted topic, as the console and the CLI do: acknowledged by all replicas."""

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.readiness import refused_by
from schemas.model import Model
from schemas.partition import shard_of
from schemas.topics import Topic


async def write_row(connection: KafkaConnection, topic: Topic, store: str, parts: tuple[str, ...], row: Model) -> None:
    """Write a row; returns when it is durable (acks=all), in the store's shard.

    Args:
        connection: to the broker.
        topic: of the catalogue.
        store: whose row it is.
        parts: of the key, after the store.
        row: the value.

    Raises:
        BrokerUnreachable: no broker answered.
    """
    await _write(connection, topic, store, {parts: row.model_dump_json().encode()})


async def write_rows(
    connection: KafkaConnection, topic: Topic, store: str, rows: Mapping[tuple[str, ...], Model]
) -> None:
    """Write rows by the parts of their keys, in their order; the rest as `write_row`."""
    await _write(connection, topic, store, {parts: row.model_dump_json().encode() for parts, row in rows.items()})


async def remove_row(connection: KafkaConnection, topic: Topic, store: str, parts: tuple[str, ...]) -> None:
    """Write a tombstone; arguments and errors as those of `write_row`."""
    await _write(connection, topic, store, {parts: None})


async def _write(
    connection: KafkaConnection, topic: Topic, store: str, values: Mapping[tuple[str, ...], bytes | None]
) -> None:
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **connection.options())
    try:
        try:
            await producer.start()
        except (KafkaConnectionError, OSError) as error:
            raise await refused_by(connection, error) from error
        name = connection.topic(topic.name)
        partition = shard_of(store, len(await producer.partitions_for(name)))
        sent = [
            await producer.send(name, key=topic.key(store, *parts), value=value, partition=partition)
            for parts, value in values.items()
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
