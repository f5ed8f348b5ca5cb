"""How far the workers have come: whether everything that stood in a shard at a moment has been consumed."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import CommittedReader, Place
from schemas.topics import TOPICS

GROUP: Final = "streams"
"""The workers' consumer group, without the prefix (streams/engine/names.py)."""


class Progress:
    """Follows the workers' committed offsets; see `open_progress`."""

    def __init__(self, connection: KafkaConnection, reader: CommittedReader) -> None:
        self._connection = connection
        self._reader = reader

    async def ends(self) -> dict[Place, int]:
        """Return the ends of the topics as of now."""
        return await self._reader.ends()

    async def committed(self) -> dict[Place, int]:
        """Return where the workers go on in each topic that they read."""
        async with open_admin(self._connection) as admin:
            found = await admin.committed(self._connection.topic(GROUP))
        names = {self._connection.topic(topic.name): topic.name for topic in TOPICS}
        return {
            (names[place.topic], place.partition): offset for place, offset in found.items() if place.topic in names
        }

    async def passed(self, ends: Mapping[Place, int], *, all_read: bool = False) -> bool:
        """Return whether every record before these offsets was consumed.

        Args:
            ends: of topics that the workers read; of others too, unless `all_read`.
            all_read: a place of which nothing was ever committed is one that waits, not one that nobody reads.
        """
        committed = await self.committed()
        wanted = {place: committed.get(place, 0) for place in ends if all_read or place in committed}
        behind = {place: offset for place, offset in wanted.items() if offset < ends[place]}
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
async def open_progress(
    connection: KafkaConnection, topics: Iterable[str], partitions: Iterable[int] | None = None
) -> AsyncIterator[Progress]:
    """Connect, and close at the end of the block.

    Args:
        connection: to the broker.
        topics: those whose ends are wanted, without the prefix.
        partitions: of which shards; all by default.

    Raises:
        TopicMissing, BrokerUnreachable: as reading a topic does.
    """
    async with CommittedReader(connection, topics, partitions=partitions) as reader:
        yield Progress(connection, reader)
