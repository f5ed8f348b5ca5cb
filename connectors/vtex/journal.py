"""What a store's poller writes: events and cursors together, in one Kafka transaction a step (DESIGN section 3.3).

The commit protocol:
1. Opening the journal begins a new epoch of the store's transactional id: every earlier owner is fenced, and what it
   left open is aborted.
2. Only then the store's cursors are read, so that nothing can be written behind them.
3. A step stages events and cursor rows. Steps of one store follow one another; their order is the order of the topic.
4. Each delivery is awaited before the commit: aiokafka's own flush waits, but ignores what failed.
5. After the commit, and not before, the step's readers may remember what they emitted, and commit feed events at VTEX.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from connectors.kafka.connection import KafkaConnection
from schemas.clock import to_text
from schemas.events import CONTENT_TYPE, encode
from schemas.partition import shard_of
from schemas.topics import VTEX_CHANGES, VTEX_CURSORS, Topic

log = structlog.get_logger(__name__)

BATCH_BYTES: Final = 512 * 1024
"""Half of the broker's default limit for a batch."""
HEADERS: Final = list(CONTENT_TYPE)
NO_HEADERS: Final[list[tuple[str, bytes]]] = []
START_S: Final = 60.0
STOP_S: Final = 5.0
LET_GO_S: Final = 0.1


class Fenced(Exception):  # noqa: N818  what has happened to its reader
    """The store belongs to another poller now."""


class JournalBroken(Exception):  # noqa: N818  what has happened to it
    """The broker did not take a step; its store must be opened anew."""


@dataclass(slots=True)
class Step:
    """What one transaction will carry.

    Attributes:
        events: key and value for `vtex.changes`.
        rows: topic, key and value of compacted rows: cursors and dead letters.
        after: called once everything is committed.
    """

    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    rows: list[tuple[Topic, bytes, bytes]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)

    def cursor(self, store: str, resource: str, position: dict[str, Any]) -> None:
        """Add how far a resource was read."""
        row = {
            "store": store, "resource": resource, "position": position,
            "updated_at": to_text(int(time.time() * 1000)),
        }  # fmt: skip
        self.rows.append((VTEX_CURSORS, VTEX_CURSORS.key(store, resource), encode(row)))


Build = Callable[[Step], None]
"""Adds to a step; must not block."""


def in_turn(*builds: Build | None) -> Build:
    """Return what adds to a step all that these add, in this order."""

    def build(step: Step) -> None:
        for each in builds:
            if each is not None:
                each(step)

    return build


class Journal:
    """Writes one store's steps; an async context manager that fences earlier owners when it is entered.

    Args:
        connection: to the broker.
        store: its name.
        partitions: N, of every topic.
        seconds: longest that a transaction may take.
    """

    def __init__(self, connection: KafkaConnection, store: str, partitions: int, seconds: float) -> None:
        self.store = store
        self.events = 0
        self._connection = connection
        self._partition = shard_of(store, partitions)
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._broken: str | None = None
        self._producer = AIOKafkaProducer(
            transactional_id=connection.topic(f"poller-{store}"), transaction_timeout_ms=int(seconds * 1000),
            linger_ms=0, retry_backoff_ms=10, compression_type="lz4", max_batch_size=BATCH_BYTES,
            max_request_size=1 << 26, **connection.options(),
        )  # fmt: skip

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(START_S):
                await self._producer.start()
        except (KafkaError, TimeoutError, OSError) as error:
            await self._stop()
            raise JournalBroken(f"the journal of store {self.store} cannot be opened: {type(error).__name__}")\
                from error  # fmt: skip
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _stop(self) -> None:
        """Close the connections; a transaction left open is aborted by the next owner's fencing.

        Not by aiokafka's `stop`, which waits for deliveries: given up where the broker is away, it leaves sender and
        connections behind, for ever and for each time that the store is opened.
        """
        try:
            async with asyncio.timeout(STOP_S):
                await self._let_go()
        except (KafkaError, TimeoutError, OSError) as error:
            log.info("a journal did not close cleanly", store=self.store, error=type(error).__name__)

    async def _let_go(self) -> None:
        producer: Any = self._producer
        producer._closed = True  # noqa: SLF001  else its end warns
        sender = producer._sender.sender_task  # noqa: SLF001  else nothing ends it
        try:
            while sender is not None and not sender.done():
                sender.cancel()  # the first time it goes on with what it has asked the broker
                await asyncio.wait([sender], timeout=LET_GO_S)
        finally:
            await producer.client.close()

    async def write(self, build: Build) -> Step:
        """Commit a step, and call what wanted to hear of it; returns the step.

        Args:
            build: fills the step. Called when every earlier step is committed and noted, so that it can leave out
                what has become old meanwhile; must not block.

        Raises:
            Fenced: another poller has the store.
            JournalBroken: the broker did not take it within the transaction's time.
        """
        async with self._lock:
            step = Step()
            build(step)
            # Once begun a step is finished, whoever is cancelled: its outcome must be known to those that come after.
            await _finished(asyncio.create_task(self._commit(step)))
            return step

    async def _commit(self, step: Step) -> None:
        if self._broken is not None:
            raise JournalBroken(self._broken)
        try:
            async with asyncio.timeout(self._seconds):
                if step.events or step.rows:
                    await self._transaction(step)
        except (ProducerFenced, InvalidProducerEpoch) as error:
            self._broken = f"store {self.store} belongs to another poller"
            raise Fenced(self._broken) from error
        except (KafkaError, TimeoutError, OSError) as error:
            self._broken = f"the broker did not take a step of store {self.store}: {type(error).__name__}"
            raise JournalBroken(self._broken) from error
        self.events += len(step.events)
        for tell in step.after:
            tell()

    async def _transaction(self, step: Step) -> None:
        await self._producer.begin_transaction()
        sent: list[Any] = []
        if step.events:
            entries = [(key, value, HEADERS) for key, value in step.events]
            sent += await self._send(VTEX_CHANGES, entries)
        for topic in {row[0].name: row[0] for row in step.rows}.values():
            sent += await self._send(topic, [(key, value, NO_HEADERS) for of, key, value in step.rows if of is topic])
        # All of them, also after one has failed: nobody else will ask.
        for outcome in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        await self._producer.commit_transaction()

    async def _send(
        self, topic: Topic, entries: Sequence[tuple[bytes, bytes, Iterable[tuple[str, bytes]]]]
    ) -> list[Any]:
        name, sent, at = self._connection.topic(topic.name), [], 0
        while at < len(entries):
            batch = self._producer.create_batch()
            before = at
            while at < len(entries):
                key, value, headers = entries[at]
                if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                    break
                at += 1
            if at == before:
                raise JournalBroken(f"an event of {len(entries[at][1])} bytes of store {self.store} fits no batch")
            sent.append(await self._producer.send_batch(batch, name, partition=self._partition))
        return sent


async def _finished(task: "asyncio.Task[None]") -> None:
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen
        raise
