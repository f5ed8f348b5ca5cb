"""High watermarks: where the records end, committed or not.

A reader of committed records that reads up to them waits until every transaction that stood before them is decided:
so it sees all that was committed before it asked, which the last stable offset does not promise while another
transaction is open.
"""

from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.connection import KafkaConnection


async def high_watermarks(
    connection: KafkaConnection, topic: str, partitions: Iterable[int]
) -> dict[tuple[str, int], int]:
    """Return the high watermarks of a topic's partitions, by topic (without the prefix) and partition.

    Args:
        connection: to the broker.
        topic: its name without the prefix; it exists.
        partitions: which of them.
    """
    name = connection.topic(topic)
    async with AIOKafkaConsumer(**connection.options()) as consumer:
        places = [TopicPartition(name, number) for number in partitions]
        found = await consumer.end_offsets(places)
    return {(topic, place.partition): offset for place, offset in found.items()}
