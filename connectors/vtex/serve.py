"""One poller process: joins the group, reads the stores of its partitions, hands hints to them; until it is stopped.

The group is on the topic `stores`: who has a partition reads its stores. One added, paused, changed or removed takes
effect when its row arrives. Hints are partitioned the same way, and assigned with it (range assignor).
"""

import asyncio
import gc
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpx
import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable, KafkaSetupError, TopicMissing
from connectors.kafka.reader import stop_consumer
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from connectors.seldom import Seldom
from connectors.vtex.cursors import Cursors
from connectors.vtex.offsets import Offsets
from connectors.vtex.pollers import Pollers
from connectors.vtex.settings import PollerSettings
from connectors.vtex.store import Surroundings
from schemas.partition import store_of
from schemas.topics import STORES, VTEX_CHANGES, VTEX_CURSORS, VTEX_HINTS

log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
POLL_MS: Final = 500
COMMIT_S: Final = 1.0
PATIENCE_S: Final = 5.0
"""A commit of offsets takes no longer: without it hints are read once more."""


async def run_poller(
    connection: KafkaConnection,
    secrets: SecretBox,
    settings: PollerSettings,
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Read stores until `stop` is set; then end what is begun, and leave the group.

    Args:
        connection: how to reach Kafka; waited for where it does not answer.
        secrets: opens the stores' App Tokens.
        settings: paces and patience.
        ready: told once, when the stores are known and the group is joined.
        stop: ends the poller.

    Raises:
        TopicMissing: the topics are not provisioned.
    """
    working = asyncio.create_task(_work(connection, secrets, settings, ready), name="poller")
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _work(
    connection: KafkaConnection, secrets: SecretBox, settings: PollerSettings, ready: Callable[[], None]
) -> None:
    partitions = await _partitions(connection)
    around = Surroundings(
        connection, secrets, settings, partitions, Cursors(connection, partitions), httpx.create_ssl_context()
    )
    async with StoreDirectory(connection) as directory, Pollers(directory, around) as pollers:
        _settle_memory()
        await Group(connection, settings, pollers).run(ready)


def _settle_memory() -> None:
    """Take what is there now, which stays, out of every later search for garbage: each stops all stores meanwhile."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


async def _partitions(connection: KafkaConnection) -> int:
    """Return N as the broker has it; waits for the broker."""
    unreachable = Seldom()
    while True:
        try:
            async with open_admin(connection) as admin:
                shapes = await admin.shapes()
            break
        except (BrokerUnreachable, KafkaError) as error:
            if unreachable.due():
                log.warning("Kafka does not answer yet", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
    names = [connection.topic(topic.name) for topic in (STORES, VTEX_HINTS, VTEX_CHANGES, VTEX_CURSORS)]
    missing = [name for name in names if name not in shapes]
    if missing:
        raise TopicMissing(f"topics {', '.join(missing)} do not exist: create them with `hellotext-vtex topics create`")
    counts = {shapes[name].partitions for name in names}
    if len(counts) != 1:
        raise KafkaSetupError(f"topics {', '.join(names)} have different numbers of partitions, {sorted(counts)}")
    return counts.pop()


class Group:
    """Membership in the pollers' group.

    Args:
        connection: to the broker.
        settings: the group's name and time-outs.
        pollers: told which partitions are ours.
    """

    def __init__(self, connection: KafkaConnection, settings: PollerSettings, pollers: Pollers) -> None:
        self._connection = connection
        self._pollers = pollers
        self._offsets = Offsets()
        self._unread = Seldom()
        self._hints = connection.topic(VTEX_HINTS.name)
        session = int(settings.session_timeout * 1000)
        self._consumer: Any = AIOKafkaConsumer(
            group_id=connection.topic(settings.group), group_instance_id=settings.instance, enable_auto_commit=False,
            auto_offset_reset="earliest", isolation_level="read_committed", session_timeout_ms=session,
            heartbeat_interval_ms=max(300, session // 6), rebalance_timeout_ms=max(session, 30_000),
            partition_assignment_strategy=[RangePartitionAssignor], fetch_max_wait_ms=POLL_MS,
            **connection.options(),
        )  # fmt: skip

    async def run(self, ready: Callable[[], None]) -> None:
        """Stay a member until cancelled."""
        self._consumer.subscribe(
            [self._connection.topic(STORES.name), self._hints], listener=_Listener(self._assigned, self._revoked)
        )
        try:
            await self._consumer.start()
        except BaseException:
            await stop_consumer(self._consumer)
            raise
        committing = asyncio.create_task(self._commit(), name="commit hints")
        try:
            ready()
            while True:
                await self._take()
        finally:
            committing.cancel()
            await asyncio.gather(committing, return_exceptions=True)
            await self._pollers.give_up()
            await self._commit_now()
            await stop_consumer(self._consumer)

    async def _take(self) -> None:
        try:
            found = await self._consumer.getmany(timeout_ms=POLL_MS)
        except KafkaError as error:
            if self._unread.due():
                log.warning("hints cannot be read: trying again", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
            return
        self._unread.over()
        for place, records in found.items():
            if place.topic == self._hints:
                for record in records:
                    self._hint(place.partition, record)

    def _hint(self, partition: int, record: Any) -> None:
        release = self._offsets.begun(partition, record.offset)
        if not self._pollers.owns(partition):
            return  # fetched while the partition is being given away: its next owner reads it
        try:
            hint = orjson.loads(record.value)
            kind, id, store = hint["resource"], str(hint["id"]), store_of(record.key)  # noqa: A001  its name there
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
            log.warning("an unreadable hint is left out", partition=partition, offset=record.offset)
            release()
            return
        inbox = self._pollers.inbox(store)
        if inbox is None or kind not in {"customer", "order"}:
            release()
        else:
            inbox.put((kind, id), release)

    async def _assigned(self, partitions: Iterable[int]) -> None:
        self._offsets.forget()
        self._pollers.own(partitions)

    async def _revoked(self) -> None:
        # Before the group goes on: whoever gets these partitions must not share an account's budget with us.
        await self._pollers.give_up()
        await self._commit_now()

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_S)
            await self._commit_now()

    async def _commit_now(self) -> None:
        due = self._offsets.due()
        if not due:
            return
        try:
            async with asyncio.timeout(PATIENCE_S):  # aiokafka waits for a broker that is away, and stopping for us
                await self._consumer.commit({TopicPartition(self._hints, part): offset for part, offset in due.items()})
        except (CommitFailedError, IllegalStateError, KafkaError, TimeoutError) as error:
            log.info("offsets of hints were not committed", error=type(error).__name__)  # they are read once more


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, assigned: Callable[[Iterable[int]], Any], revoked: Callable[[], Any]) -> None:
        self._assigned = assigned
        self._revoked = revoked

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:  # noqa: ARG002  all are, in the eager protocol
        await self._revoked()

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        await self._assigned({place.partition for place in assigned})
