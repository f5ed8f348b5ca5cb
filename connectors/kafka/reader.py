"""Reading what is committed: a topic from its beginning to its end of now, or on and on.

    async for batch in read_topic(connection, topics.KPI_CAMPAIGNS.name):      # ends at the end of now
        for record in batch.records: ...
    async for batch in follow(connection, topics.KPI_CAMPAIGNS.name): ...      # beginning, then whatever comes
    rows = await latest_by_key(connection, topics.STORES.name)                 # {key: record}, tombstones left out

Batches, not records, are handed out: a batch is one partition's records of one fetch. Everything is read with
isolation level read_committed; a topic's end is its last stable offset, so a transaction that stays open ends a read
before it, and does not hold it up. The end is compared with the reader's POSITION, since a topic may end in control
records, which are never handed out (ENGINE.md part I, 5).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.admin import open_admin, require_topics
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable

Record = Any
"""aiokafka's ConsumerRecord: key, value (bytes or None), offset, timestamp (Unix ms), headers, partition."""

Place = tuple[str, int]
"""A topic's name without the prefix, and a partition."""

FETCH_BYTES: Final = 1 << 20
POLL_MS: Final = 200
IDLE_FETCH_MS: Final = 100
"""aiokafka has one request in flight to a broker: a longer wait at quiet partitions would delay the busy ones."""
PATIENCE_S: Final = 30.0
"""A read to the end gives up after so long without progress: a broker restart takes less."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One partition's records of one fetch, in order."""

    topic: str
    partition: int
    records: list[Record]


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer, also one whose broker is gone.

    aiokafka cancels a fetch that waits to be tried again, awaits it, and so ends whoever stops it as if that one had
    been cancelled, with the connections still open.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        await consumer._client.close()  # noqa: SLF001  what stop() did not come to
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


class CommittedReader:
    """Reads committed records of whole topics, without a consumer group; an async context manager.

    Args:
        connection: to the broker.
        topics: their names without the prefix.
        partitions: which of them; all by default.
        start: offset of the first record wanted, by place; the beginning where none is given.
        at_end: begin at the end of now instead of the beginning.
        fetch_bytes: fetched of a partition at a time; with the number of partitions it bounds the memory used.
        max_records: in all batches of one `poll`; None for whatever was fetched.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Iterable[str],
        *,
        partitions: Iterable[int] | None = None,
        start: Mapping[Place, int] | None = None,
        at_end: bool = False,
        fetch_bytes: int = FETCH_BYTES,
        max_records: int | None = None,
    ) -> None:
        self._connection = connection
        self._names = {connection.topic(name): name for name in topics}
        self._partitions = None if partitions is None else frozenset(partitions)
        self._start = dict(start or {})
        self._at_end = at_end
        self._max_records = max_records
        self._places: list[TopicPartition] = []
        self._fetch_bytes = fetch_bytes
        self._consumer: Any = None  # made when it connects

    async def __aenter__(self) -> Self:
        self._places = await self._find_places()
        self._consumer = AIOKafkaConsumer(
            isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_max_wait_ms=IDLE_FETCH_MS, max_partition_fetch_bytes=self._fetch_bytes, **self._connection.options(),
        )  # fmt: skip
        try:
            await self._consumer.start()
            self._consumer.assign(self._places)
            if self._at_end:
                await self._consumer.seek_to_end()
            else:
                await self._consumer.seek_to_beginning()
            for (topic, partition), offset in self._start.items():
                self._consumer.seek(TopicPartition(self._connection.topic(topic), partition), offset)
        except BaseException:
            await stop_consumer(self._consumer)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await stop_consumer(self._consumer)

    async def _find_places(self) -> list[TopicPartition]:
        async with open_admin(self._connection) as admin:
            shapes = await admin.shapes()
        require_topics(self._connection, shapes, self._names)
        return [
            TopicPartition(name, number)
            for name in self._names
            for number in range(shapes[name].partitions)
            if self._partitions is None or number in self._partitions
        ]

    async def poll(self, timeout_ms: int = POLL_MS) -> list[Batch]:
        """Return what has come, waiting at most so long; nothing when nothing has."""
        found = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=self._max_records)
        return [Batch(self._names[place.topic], place.partition, records) for place, records in found.items()]

    async def ends(self) -> dict[Place, int]:
        """Return the end of each partition as of now: its last stable offset."""
        found = await self._consumer.end_offsets(self._places)
        return {self._place(place): offset for place, offset in found.items()}

    async def positions(self) -> dict[Place, int]:
        """Return the offset of the next record of each partition; what was polled lies before it."""
        return {self._place(place): await self._consumer.position(place) for place in self._places}

    async def reached(self, ends: Mapping[Place, int]) -> bool:
        """Return whether everything before these offsets was handed out."""
        positions = await self.positions()
        return all(positions[place] >= end for place, end in ends.items())

    async def until(self, ends: Mapping[Place, int]) -> AsyncIterator[Batch]:
        """Hand out batches until these offsets are reached; records beyond them in the last fetch come too.

        Raises:
            BrokerUnreachable: nothing moved for half a minute.
        """
        moved, before = time.monotonic(), await self.positions()
        while not await self.reached(ends):
            for batch in await self.poll():
                yield batch
            now = await self.positions()
            if now != before:
                moved, before = time.monotonic(), now
            elif time.monotonic() - moved > PATIENCE_S:
                raise BrokerUnreachable(
                    f"reading {', '.join(self._names)} at {self._connection.bootstrap_servers} has not moved for "
                    f"{PATIENCE_S:g} s: the broker is down, or the topic was deleted"
                )

    def _place(self, place: TopicPartition) -> Place:
        return self._names[place.topic], place.partition


async def read_topic(
    connection: KafkaConnection,
    topic: str,
    *,
    partitions: Iterable[int] | None = None,
    start: Mapping[Place, int] | None = None,
    fetch_bytes: int = FETCH_BYTES,
    max_records: int | None = None,
) -> AsyncIterator[Batch]:
    """Hand out a topic's committed records from its beginning to its end of now, in batches.

    Nothing beyond that end is handed out, whatever is written meanwhile. Arguments as those of `CommittedReader`.

    Raises:
        TopicMissing: there is no such topic.
        BrokerUnreachable: no broker answered, or the read does not get on.
    """
    async with CommittedReader(
        connection, [topic], partitions=partitions, start=start, fetch_bytes=fetch_bytes, max_records=max_records
    ) as reader:
        ends = await reader.ends()
        async for batch in reader.until(ends):
            end = ends[batch.topic, batch.partition]
            records = batch.records
            if records[-1].offset >= end:
                records = [record for record in records if record.offset < end]
            if records:
                yield Batch(batch.topic, batch.partition, records)


async def follow(
    connection: KafkaConnection,
    *topics: str,
    partitions: Iterable[int] | None = None,
    start: Mapping[Place, int] | None = None,
    at_end: bool = False,
) -> AsyncIterator[Batch]:
    """Hand out committed records of topics for ever, in batches: what stands there, then what comes.

    Arguments as those of `CommittedReader`. Outages of the broker are waited out.
    """
    async with CommittedReader(connection, topics, partitions=partitions, start=start, at_end=at_end) as reader:
        while True:
            for batch in await reader.poll():
                yield batch


async def latest_by_key(
    connection: KafkaConnection, topic: str, *, partitions: Iterable[int] | None = None
) -> dict[bytes, Record]:
    """Return the last record of each key of a compacted topic, as of now; keys that were deleted are left out."""
    latest: dict[bytes, Record] = {}
    async for batch in read_topic(connection, topic, partitions=partitions):
        for record in batch.records:
            if record.value is None:
                latest.pop(record.key, None)
            else:
                latest[record.key] = record
    return latest
