"""How far the workers have come: whether everything that stood in a shard at a moment has been consumed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import CommittedReader, Place

GROUP: Final = "streams"
"""The workers' consumer group, without the prefix (streams/engine/names.py)."""


class Progress:
    """Follows the workers' committed offsets in one shard; see `open_progress`."""

    def __init__(self, connection: KafkaConnection, reader: CommittedReader, partition: int) -> None:
        self._connection = connection
        self._reader = reader
        self.partition = partition

    async def ends(self) -> dict[Place, int]:
        """Return the ends of the shard's topics as of now."""
        return await self._reader.ends()

    async def committed(self) -> dict[Place, int]:
        """Return where the workers go on in each topic of the shard that they read."""
        async with open_admin(self._connection) as admin:
            found = await admin.committed(self._connection.topic(GROUP))
        prefix = len(self._connection.topic_prefix)
        return {
            (place.topic[prefix:], place.partition): offset
            for place, offset in found.items()
            if place.partition == self.partition
        }

    async def passed(self, ends: Mapping[Place, int]) -> bool:
        """Return whether every record before these offsets, in topics that the workers read, was consumed."""
        committed = await self.committed()
        behind = {place: offset for place, offset in committed.items() if offset < ends.get(place, 0)}
        return not [place for place, offset in behind.items() if await self._holds(place, offset, ends[place])]

    async def _holds(self, place: Place, first: int, end: int) -> bool:
        """Return whether there are records between two offsets: what ends a transaction takes one, and is none."""
        async with CommittedReader(
            self._connection, [place[0]], partitions=[place[1]], start={place: first}
        ) as reader:  # fmt: skip
            async for batch in reader.until({place: end}):
                if any(record.offset < end for record in batch.records):
                    return True
        return False


@asynccontextmanager
async def open_progress(connection: KafkaConnection, topics: list[str], partition: int) -> AsyncIterator[Progress]:
    """Connect, and close at the end of the block.

    Args:
        connection: to the broker.
        topics: those whose ends are wanted, without the prefix.
        partition: the shard.

    Raises:
        TopicMissing, BrokerUnreachable: as reading a topic does.
    """
    async with CommittedReader(connection, topics, partitions=[partition]) as reader:
        yield Progress(connection, reader, partition)
