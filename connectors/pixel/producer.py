"""To Kafka, or to the spool: a put is done when the record is durable (DESIGN section 3.1).

Small sends are grouped: while a partition's last group is on its way, what comes meanwhile makes the next one. So
an idle collector sends at once, and a busy one sends hundreds of records in one batch, with no timer between.

1. A group is sent with acks=all by an idempotent producer; within `ack_timeout` its records are acknowledged,
2. or they go to the spool together, and Kafka counts as away: from then on puts go to the spool at once.
   aiokafka keeps trying the group in the background; should it arrive after all, the event's id tells the double.
3. The drainer sends the oldest segment; when Kafka acknowledges one, it counts as here again, and live records go
   straight to it beside the drain. The order of arrival does not matter (DESIGN section 3.6).
"""

import asyncio
import contextlib
import time
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connectors.kafka.connection import KafkaConnection
from connectors.pixel.frames import Placed
from connectors.pixel.metrics import Metrics
from connectors.pixel.records import Record
from connectors.pixel.spool import Spool, SpoolFullError
from connectors.seldom import Seldom
from schemas.events import CONTENT_TYPE

log = structlog.get_logger()

_BATCH_BYTES: Final = 512 * 1024
_RETRY: Final = 0.5
_EVENT_HEADERS: Final = list(CONTENT_TYPE)
_NO_HEADERS: Final[list[tuple[str, bytes]]] = []


class _Group:
    __slots__ = ("done", "records")

    def __init__(self, done: asyncio.Future[None]) -> None:
        self.records: list[Record] = []
        self.done = done

    def succeed(self) -> None:
        # A request that was cancelled has cancelled the future of all: then nobody gets a 200, which is the safe side.
        if not self.done.done():
            self.done.set_result(None)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # whoever waited may be gone


class _Lane:
    """One partition of one topic: the group being filled, and whether one is on its way."""

    __slots__ = ("flying", "open", "partition")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.open: _Group | None = None
        self.flying = False


class Outlet:
    """Makes records durable; one per process."""

    def __init__(self, connection: KafkaConnection, spool: Spool, metrics: Metrics, *, ack_timeout: float) -> None:
        self._connection = connection
        self._spool = spool
        self._metrics = metrics
        self._ack_timeout = ack_timeout
        self._producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()
        self._connected = asyncio.Event()
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()  # producers that others have replaced
        self._unacknowledged = Seldom()
        self.away = True
        self.last_ack = 0.0

    async def start(self) -> None:
        """Begin to connect; returns at once, since a broker that is not there must not stop the collector."""
        self._keeper = asyncio.create_task(self._keep_connected())

    async def stop(self) -> None:
        """Wait for what is on its way, then disconnect."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        self._drop_producer()
        if self._stopping:
            # Batches that no broker takes are in the spool: nothing is lost by not waiting longer.
            _, late = await asyncio.wait(self._stopping, timeout=self._ack_timeout)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def put(self, records: list[Record], partition: int) -> asyncio.Future[None]:
        """Return a future that is done when the records are durable.

        The future fails with `SpoolFullError` when neither Kafka nor the spool takes them. It is shared by a group:
        never cancel it.

        Args:
            records: at least one, all of one topic.
            partition: of that topic.
        """
        lane_key = (records[0].topic, partition)
        lane = self._lanes.get(lane_key)
        if lane is None:
            lane = self._lanes[lane_key] = _Lane(partition)
        group = lane.open
        if group is None:
            loop = asyncio.get_running_loop()
            group = lane.open = _Group(loop.create_future())
            if not lane.flying:
                lane.flying = True
                loop.call_soon(self._launch, lane)
        group.records += records
        return group.done

    def _launch(self, lane: _Lane) -> None:
        task = asyncio.create_task(self._fly(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fly(self, lane: _Lane) -> None:
        """Send groups of a lane one after another until none is open."""
        while (group := lane.open) is not None:
            lane.open = None
            try:
                if self.away or not await self.send(group.records, lane.partition):
                    await self._spool.append([Placed(record, lane.partition) for record in group.records])
                    self._metrics.spooled.inc(len(group.records))
            except Exception as error:
                # Whatever it is: who waits must hear of it, and the lane must go on.
                group.fail(error)
                if not isinstance(error, SpoolFullError):
                    with contextlib.suppress(OSError):  # of the log itself
                        log.exception("records could neither be sent nor kept")
            else:
                group.succeed()
        lane.flying = False

    async def send(self, records: list[Record], partition: int, patience: float | None = None) -> bool:
        """Send records of one topic and return whether Kafka acknowledged all of them in time.

        Notes whether Kafka is away.
        """
        producer = self._producer
        if producer is None:
            self._mark_away("not connected")
            return False
        self._metrics.group_size.observe(len(records))
        try:
            async with asyncio.timeout(patience or self._ack_timeout):
                await _produce(producer, self._connection.topic(records[0].topic), partition, records)
        except TimeoutError:
            self._mark_away("no acknowledgement in time")
            return False
        except Exception as error:  # noqa: BLE001  whatever aiokafka trips over: the spool takes the records
            self._mark_away(type(error).__name__)
            if producer is self._producer and not (isinstance(error, KafkaError) and error.retriable):
                # Its sequence numbers are torn, or aiokafka itself has tripped: only a new producer goes on.
                self._broken.set()
            return False
        self.last_ack = time.monotonic()
        self._metrics.acknowledged.inc(len(records))
        self.back()
        if self._unacknowledged.over():
            with contextlib.suppress(OSError):
                log.info("kafka acknowledges again", spooled_bytes=self._spool.size)
        return True

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has, once Kafka is there.

        Raises:
            KafkaError: when the topic does not exist; `hellotext-vtex topics create` makes it.
        """
        await self._connected.wait()
        assert self._producer is not None  # noqa: S101  for the type checker: connected
        return len(await self._producer.partitions_for(self._connection.topic(topic)))

    async def probe(self) -> bool:
        """Ask the broker for its metadata, so that an idle collector knows whether Kafka is there."""
        producer = self._producer
        if producer is None:
            return False
        try:
            async with asyncio.timeout(self._ack_timeout):
                await producer.client.fetch_all_metadata()
        except (TimeoutError, KafkaError):
            return False
        self.last_ack = time.monotonic()
        return True

    def back(self) -> None:
        """Live records may go to Kafka again."""
        if self.away:
            self.away = False
            self._metrics.kafka_away.set(0)

    def _mark_away(self, why: str) -> None:
        if not self.away:
            self.away = True
            self._metrics.kafka_away.set(1)
        if self._unacknowledged.due():
            with contextlib.suppress(OSError):  # a log on a full disk keeps no record from the spool
                log.warning("kafka does not acknowledge: accepted events go to the spool", why=why)

    async def _keep_connected(self) -> None:
        unreachable = Seldom()
        while True:
            producer = AIOKafkaProducer(
                acks="all",
                enable_idempotence=True,
                max_batch_size=_BATCH_BYTES,
                max_request_size=4 * _BATCH_BYTES,
                request_timeout_ms=10_000,
                retry_backoff_ms=100,
                **self._connection.options(),
            )
            try:
                await producer.start()
            except Exception as error:  # noqa: BLE001  nobody else would ever try again
                await producer.stop()
                if unreachable.due():
                    log.warning(
                        "kafka cannot be reached, trying again: start it, or set KAFKA_BOOTSTRAP_SERVERS to its place",
                        bootstrap_servers=self._connection.bootstrap_servers,
                        error=type(error).__name__,
                    )
                await asyncio.sleep(_RETRY)
                continue
            except asyncio.CancelledError:
                await producer.stop()
                raise
            if unreachable.over():
                log.info("kafka is reached", bootstrap_servers=self._connection.bootstrap_servers)
            self._producer = producer
            self._connected.set()
            self.back()
            self.last_ack = time.monotonic()
            self._broken.clear()
            await self._broken.wait()
            self._drop_producer()

    def _drop_producer(self) -> None:
        """Have no producer; the one that was ends by itself, when its last batches are acknowledged or given up."""
        producer, self._producer = self._producer, None
        self._connected.clear()
        if producer is not None:
            task = asyncio.create_task(_end(producer))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)


async def _end(producer: AIOKafkaProducer) -> None:
    try:
        await producer.stop()
    except (KafkaError, asyncio.CancelledError):
        await producer.client.close()


async def _produce(producer: AIOKafkaProducer, topic: str, partition: int, records: list[Record]) -> None:
    """Produce the records of one partition, in as few batches as they fit in."""
    waiting: list[Any] = []
    batch = producer.create_batch()
    now = time.time_ns() // 1_000_000
    for record in records:
        headers = _EVENT_HEADERS if record.event else _NO_HEADERS
        if batch.append(timestamp=now, key=record.key, value=record.value, headers=headers) is None:
            waiting.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(timestamp=now, key=record.key, value=record.value, headers=headers)
    waiting.append(await producer.send_batch(batch, topic, partition=partition))
    for done in waiting:
        await done
