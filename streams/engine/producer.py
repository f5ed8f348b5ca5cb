# ruff: noqa: SLF001  touches internals of aiokafka; each is named in internals.py and guarded by a test
"""The transactional producer of one shard: the few calls of aiokafka that a transaction needs, made safe."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
)

from streams.engine.errors import Fenced, TooLargeForBroker

log = structlog.get_logger(__name__)

BATCH_BYTES = 512 * 1024
"""Half of the broker's default limit for a batch."""
RETRY_BACKOFF_MS = 10
"""aiokafka's default of 100 ms would be the latency of every retried step."""

NO_HEADERS: list[tuple[str, bytes]] = []
"""aiokafka wants a list, and does not change it."""

Entry = tuple[bytes, bytes | None, Sequence[tuple[str, bytes]]]


class ShardProducer:
    """One producer with the shard's transactional id.

    Args:
        options: bootstrap servers and security, for any aiokafka client.
        transactional_id: the same for every owner of the shard, so that a new owner fences the old one.
        timeout_ms: after which the broker aborts an open transaction.
        compression: of what is produced, or None.
    """

    def __init__(
        self, options: Mapping[str, Any], transactional_id: str, timeout_ms: int, compression: str | None
    ) -> None:
        self.transactional_id = transactional_id
        self.batch_bytes = BATCH_BYTES
        self._options = dict(
            options, transactional_id=transactional_id, transaction_timeout_ms=timeout_ms, linger_ms=0,
            retry_backoff_ms=RETRY_BACKOFF_MS, compression_type=compression, max_request_size=1 << 26,
        )  # fmt: skip
        self._producer: AIOKafkaProducer | None = None
        self._starting: asyncio.Future[None] | None = None

    async def start(self) -> None:
        """Fence every earlier owner of the transactional id; what it left open is aborted when this returns.

        Raises:
            Fenced: it was stopped meanwhile.
        """
        producer = self._producer = AIOKafkaProducer(max_batch_size=self.batch_bytes, **self._options)
        # Stopped while it starts, aiokafka asks for its producer id for ever, over connections that it has closed.
        starting = self._starting = asyncio.ensure_future(producer.start())
        await asyncio.wait({starting})
        if starting.cancelled():
            raise Fenced(f"the producer {self.transactional_id} was closed while it started")
        starting.result()

    async def stop(self) -> None:
        """Close the connections; an open transaction is left to the next owner's fencing."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        try:
            await asyncio.wait_for(producer.stop(), timeout=5)
        except (KafkaError, TimeoutError) as error:
            log.info("producer did not stop cleanly", transactional_id=self.transactional_id, error=repr(error))

    @property
    def _open(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise Fenced(f"the producer {self.transactional_id} is closed")
        return self._producer

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._open.begin_transaction()

    async def send_offsets(self, partition: int, offsets: Mapping[str, int], group: str) -> None:
        """Add the consumed offsets to the transaction."""
        await self._guarded(
            self._open.send_offsets_to_transaction(
                {TopicPartition(topic, partition): offset for topic, offset in offsets.items()}, group
            )
        )

    async def send(self, topic: str, partition: int, entries: Iterable[Entry], at: int) -> list[tuple[Any, int]]:
        """Hand records to the producer, in batches.

        Returns:
            For each batch the future of its delivery, and the number of its records.
        """
        producer = self._open
        sent = []
        rest = iter(entries)
        left: Entry | None = None
        while True:
            batch = producer.create_batch()
            count, left = _fill(batch, left, rest, at)
            if count:
                sent.append((await producer.send_batch(batch, topic, partition=partition), count))
            if left is None:
                return sent

    async def delivered(self, futures: Sequence[Any]) -> None:
        """Await every delivery: aiokafka's own flush before a commit waits, but ignores what failed.

        Raises:
            TooLargeForBroker: the broker refuses a batch.
            Fenced: another worker owns the shard.
        """
        if futures:
            await self._guarded(asyncio.gather(*futures))

    async def commit(self) -> None:
        """Commit the transaction."""
        await self._guarded(self._open.commit_transaction())

    async def abort(self) -> None:
        """Abort the transaction."""
        await self._guarded(self._open.abort_transaction())

    async def restart(self, batch_bytes: int) -> None:
        """Start afresh with smaller batches; fencing aborts what was open."""
        await self.stop()
        self.batch_bytes = batch_bytes
        await self.start()

    async def _guarded(self, call: Any) -> None:
        try:
            await call
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise Fenced(f"{self.transactional_id} belongs to another worker now ({type(error).__name__})") from error
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise TooLargeForBroker(str(error)) from error


def _fill(batch: Any, first: Entry | None, rest: Iterator[Entry], at: int) -> tuple[int, Entry | None]:
    """Append records until the batch is full; return their number, and the one that found no room.

    Goes past `BatchBuilder.append`, which does nothing more than this for bytes, at half its cost.
    """
    append, count = batch._builder.append, 0
    for entry in rest if first is None else chain((first,), rest):
        key, value, headers = entry
        given = list(headers) if headers else NO_HEADERS
        if append(count, at, key, value, given) is None:
            if not count:
                raise TooLargeForBroker(f"a record of {len(value or b'')} bytes does not fit an empty batch")
            batch._relative_offset = count
            batch.close()
            return count, entry
        count += 1
    batch._relative_offset = count
    return count, None
