"""What an audit reads: a snapshot of offsets, then the committed records of single partitions, as far as is asked."""

import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.admin import open_admin, require_topics
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable
from connectors.kafka.progress import GROUP
from connectors.kafka.reader import IDLE_FETCH_MS, PATIENCE_S, POLL_MS, Place, stop_consumer
from connectors.kafka.watermarks import high_watermarks
from schemas.topics import EVENT_FATES, TOPICS

FETCH_BYTES: Final = 256 * 1024
"""Fetched of a partition at a time: a consumer holds one fetch of each of the topics in each shard."""
CLOCKS_MS: Final = 3_600_000
"""How far the clocks of a record's writer and of the worker may be apart: the broker refuses more."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Offsets at one moment: committed ones first, then the ends (see audit.py)."""

    offsets: Mapping[Place, int]
    beginnings: Mapping[Place, int]
    ends: Mapping[Place, int]

    def committed(self, topic: str, partition: int) -> int:
        """Return where the workers go on; the beginning where they never were."""
        place = (topic, partition)
        return self.offsets.get(place, self.beginnings[place])

    def end(self, topic: str, partition: int) -> int:
        """Return the end; of `event.fates` the high watermark, of others the last stable offset."""
        return self.ends[topic, partition]


class Cursor:
    """Reads one partition, no further than it is asked.

    Args:
        consumer: assigned to it, and positioned at `start`.
        place: the partition on the broker.
        start: where it begins.
        end: where it ends, whatever comes after.
    """

    def __init__(self, consumer: Any, place: TopicPartition, start: int, end: int) -> None:
        self.start = start
        self._consumer = consumer
        self._place = place
        self._end = end
        self._passed = start
        self._fetched: deque[Any] = deque()

    async def before(self, offset: int) -> AsyncIterator[Any]:
        """Hand out the records before an offset that were not handed out yet.

        Raises:
            BrokerUnreachable: nothing moved for half a minute.
        """
        until = min(offset, self._end)
        while self._passed < until:
            while self._fetched and self._fetched[0].offset < until:
                yield self._fetched.popleft()
            if self._fetched or await self._consumer.position(self._place) >= until:
                self._passed = until
            else:
                await self._fetch()

    async def _fetch(self) -> None:
        position, since = await self._consumer.position(self._place), time.monotonic()
        while True:
            found = await self._consumer.getmany(self._place, timeout_ms=POLL_MS)
            self._fetched.extend(found.get(self._place, ()))
            if self._fetched or await self._consumer.position(self._place) != position:
                return
            if time.monotonic() - since > PATIENCE_S:
                raise BrokerUnreachable(
                    f"reading {self._place.topic} [{self._place.partition}] stands at {position} of {self._end} for "
                    f"{PATIENCE_S:g} s: the broker is down, or a transaction that a dead worker left open has not "
                    "timed out yet; try again"
                )

    def rest(self) -> AsyncIterator[Any]:
        """Hand out everything up to the end."""
        return self.before(self._end)


class Auditor:
    """Hands out cursors over partitions as they stood at a snapshot; see `open_snapshot`."""

    def __init__(
        self, connection: KafkaConnection, consumer: Any, partitions: Iterable[int], snapshot: Snapshot
    ) -> None:
        self.partitions = tuple(partitions)
        self.snapshot = snapshot
        self._connection = connection
        self._consumer = consumer
        self._horizon_ms: dict[int, int] = {}

    def exists(self, topic: str) -> bool:
        """Say whether the topic could be read."""
        return (topic, self.partitions[0]) in self.snapshot.ends

    async def fates(self, partition: int) -> Cursor:
        """Return the fates of a shard; learns since when they are kept."""
        place = self._place(EVENT_FATES.name, partition)
        start = self.snapshot.beginnings[EVENT_FATES.name, partition]
        return self._cursor(place, start, self.snapshot.end(EVENT_FATES.name, partition))

    async def records(self, topic: str, partition: int) -> Cursor:
        """Return the records of a topic in a shard whose fates are still kept."""
        beginning, end = self.snapshot.beginnings[topic, partition], self.snapshot.end(topic, partition)
        start = max(beginning, await self._horizon(topic, partition, end))
        return self._cursor(self._place(topic, partition), start, end)

    async def _horizon(self, topic: str, partition: int, end: int) -> int:
        """Return the offset of the first record that was surely consumed after the oldest fates that are kept."""
        if not self.snapshot.beginnings[EVENT_FATES.name, partition]:
            return 0
        if partition not in self._horizon_ms:
            self._horizon_ms[partition] = await self._oldest(partition) + CLOCKS_MS
        place = self._place(topic, partition)
        found = (await self._consumer.offsets_for_times({place: self._horizon_ms[partition]}))[place]
        return min(end if found is None else int(found.offset), self.snapshot.committed(topic, partition))

    async def _oldest(self, partition: int) -> int:
        """Return the time of the oldest fates that are kept; now, in effect, when there are none."""
        fates = await self.fates(partition)
        async for record in fates.rest():
            self._consumer.seek(self._place(EVENT_FATES.name, partition), fates.start)
            return int(record.timestamp)
        return int(time.time() * 1000)

    def _cursor(self, place: TopicPartition, start: int, end: int) -> Cursor:
        self._consumer.seek(place, start)
        self._consumer.resume(place)
        return Cursor(self._consumer, place, start, end)

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._connection.topic(topic), partition)

    def leave(self, partition: int) -> None:
        """Read no more of a shard."""
        self._consumer.pause(*(self._place(topic, at) for topic, at in self.snapshot.ends if at == partition))

    async def beginnings_moved(self) -> bool:
        """Say whether retention has removed records since the snapshot."""
        places = {self._place(*place): place for place in self.snapshot.beginnings}
        found = await self._consumer.beginning_offsets(list(places))
        return any(found[broker] != self.snapshot.beginnings[place] for broker, place in places.items())


@asynccontextmanager
async def open_snapshot(connection: KafkaConnection, partitions: frozenset[int] | None) -> AsyncIterator[Auditor]:
    """Take a snapshot, and hand out who reads up to it.

    Raises:
        TopicMissing: `event.fates` does not exist.
        BrokerUnreachable: no broker answered.
    """
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
        offsets = await admin.committed(connection.topic(GROUP))  # first of all: see audit.py
    fates = connection.topic(EVENT_FATES.name)
    require_topics(connection, shapes, [fates])
    numbers = [number for number in range(shapes[fates].partitions) if partitions is None or number in partitions]
    places = {
        TopicPartition(connection.topic(topic.name), number): (topic.name, number)
        for topic in TOPICS
        if connection.topic(topic.name) in shapes
        for number in numbers
    }
    fates_ends = await high_watermarks(connection, EVENT_FATES.name, numbers)
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed", enable_auto_commit=False, auto_offset_reset="earliest",
        fetch_max_wait_ms=IDLE_FETCH_MS, max_partition_fetch_bytes=FETCH_BYTES, **connection.options(),
    )  # fmt: skip
    try:
        await consumer.start()
        consumer.assign(list(places))
        consumer.pause(*places)  # until a cursor wants one: each holds a fetch
        ends = await consumer.end_offsets(list(places))
        beginnings = await consumer.beginning_offsets(list(places))
        snapshot = Snapshot(
            {places[place]: offset for place, offset in offsets.items() if place in places},
            {place: beginnings[broker] for broker, place in places.items()},
            {place: ends[broker] for broker, place in places.items()} | fates_ends,
        )
        yield Auditor(connection, consumer, numbers, snapshot)
    finally:
        await stop_consumer(consumer)
