"""The audit on the real broker: beside a worker that runs, and against topics in which something is wrong."""

import asyncio
import os
import time
from contextlib import asynccontextmanager

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from connectors.kafka.audit import audit
from connectors.kafka.audit_rules import Balance
from connectors.kafka.errors import TopicMissing
from schemas import topics
from schemas.clock import to_text
from schemas.partition import shard_of
from streams.engine.agent import Agent, Poison, Table
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from tests.conftest import PARTITIONS

pytestmark = pytest.mark.broker

SEEN = Table("audit.seen")
DEADLINE_S = 60.0
SHARD = shard_of("acme", PARTITIONS)
STORES = ("acme", "bravo", "cargo")
HOUR_MS = 3_600_000


class Tracking(Agent):
    """Forwards each value once."""

    name = "tracking"
    inputs = (topics.PIXEL_EVENTS,)
    tables = (SEEN,)

    def process(self, batch, shard):
        seen = shard.table(SEEN)
        for record in batch:
            text = record.value.decode()
            if text == "poison":
                raise Poison("a poisoned event")
            if text == "bot":
                batch.filtered(record, text, "bot")
            elif f"{record.store}/{text}" in seen:
                batch.duplicate(record, text)
            else:
                seen[f"{record.store}/{text}"] = 1
                shard.send(topics.TRACKING_EVENTS, record.key, record.value)


class Kpis(Agent):
    """Reads what the other one forwards."""

    name = "kpis"
    inputs = (topics.TRACKING_EVENTS,)

    def process(self, batch, shard):
        pass


@asynccontextmanager
async def working(kafka):
    """Run a worker with both until the block ends."""
    worker = Worker(kafka, [Tracking(), Kpis()], {}, EngineSettings(instance=f"audit-{os.getpid()}"))
    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(worker.run(on_ready=ready.set, stop=stop))
    try:
        await asyncio.wait_for(ready.wait(), DEADLINE_S)
        yield
    finally:
        stop.set()
        assert await asyncio.wait_for(task, DEADLINE_S) == 0


@asynccontextmanager
async def producing(kafka, **options):
    """Return a producer."""
    async with AIOKafkaProducer(**kafka.options(), **options) as producer:
        yield producer


async def put(kafka, producer, store, *values, topic=topics.PIXEL_EVENTS, timestamp=None):
    """Put records of a store where they belong."""
    sent = [
        await producer.send(kafka.topic(topic.name), key=topic.key(store, f"k{value}"), value=value.encode(),
                            partition=shard_of(store, PARTITIONS), timestamp_ms=timestamp)
        for value in values
    ]  # fmt: skip
    return [(await each).offset for each in sent]


async def commit(kafka, offset, *, topic=topics.PIXEL_EVENTS, shard=SHARD):
    """Commit an offset as the workers' group would."""
    consumer = AIOKafkaConsumer(group_id=kafka.topic("streams"), enable_auto_commit=False, **kafka.options())
    async with consumer:
        place = TopicPartition(kafka.topic(topic.name), shard)
        consumer.assign([place])
        await consumer.commit({place: offset})


async def tell(kafka, producer, first, last, *, agent="tracking", topic=topics.PIXEL_EVENTS, timestamp=None, **counts):
    """Write a summary of acme as an agent would."""
    row = {
        "store": "acme", "agent": agent, "topic": topic.name, "partition": SHARD, "first_offset": first,
        "last_offset": last, "counts": counts, "uncounted": [], "at": to_text(timestamp or 1_790_000_000_000),
    }  # fmt: skip
    await producer.send_and_wait(
        kafka.topic("event.fates"), key=topics.EVENT_FATES.key("acme", agent, topic.name, first, 0),
        value=orjson.dumps(row), partition=SHARD, timestamp_ms=timestamp,
    )  # fmt: skip


def waiting(report):
    """Return how many records are in flight, in all topics."""
    parts = [*report.stores.values(), *report.agents.values()]
    return sum(balance.in_flight for part in parts for balance in part.values())


async def test_beside_a_worker_that_runs_every_audit_balances(kafka):
    """Whenever it is asked, nothing is lost or doubled; in the end nothing is in flight, and each fate is right."""
    rounds, reports = 12, []
    async with producing(kafka) as producer, working(kafka):
        for number in range(rounds):
            for store in STORES:
                values = [f"{number}-{each}" for each in range(40)]
                await put(kafka, producer, store, *values, *values[:5], "bot", *(["poison"] if number == 3 else []))
            reports.append(await audit(kafka))
        async with asyncio.timeout(DEADLINE_S):
            while waiting(report := await audit(kafka)):
                reports.append(report)

    assert [found.as_json() for found in reports if not found.balanced] == []
    assert report.balanced
    expected = Balance(accepted=46 * rounds + 1, counted=40 * rounds, duplicate=5 * rounds, filtered=rounds, dead=1)
    assert report.stores == {store: {"pixel.events": expected} for store in STORES}
    forwarded = 40 * rounds * len(STORES)
    assert report.agents == {"kpis": {"tracking.events": Balance(accepted=forwarded, counted=forwarded)}}
    assert report.letters == dict.fromkeys(STORES, 1)


async def test_an_empty_broker_is_balanced(kafka):
    """No store, nothing wrong; what the caller knows of the spool is passed on."""
    report = await audit(kafka, spool_bytes=17)

    assert report.as_json() == {"balanced": True, "stores": {}, "agents": {}, "letters": {}, "spool_bytes": 17}


async def test_without_topics_it_says_what_to_do(empty_kafka):
    """Not a traceback from within."""
    with pytest.raises(TopicMissing, match="topics create"):
        await audit(empty_kafka)


async def test_before_any_worker_everything_is_in_flight(kafka):
    """The group has committed nothing."""
    async with producing(kafka) as producer:
        await put(kafka, producer, "acme", "a", "b")

    assert (await audit(kafka)).stores == {"acme": {"pixel.events": Balance(accepted=2, in_flight=2)}}


async def test_a_lost_record_is_found(kafka):
    """A span has one fate too few, one record lies between spans; what is not committed is in flight."""
    async with producing(kafka) as producer:
        await put(kafka, producer, "acme", *"abcdefgh")
        await tell(kafka, producer, 0, 2, counted=2)
        await tell(kafka, producer, 4, 5, counted=1, duplicate=1)
    await commit(kafka, 6)

    report = await audit(kafka)
    assert report.stores["acme"]["pixel.events"] == Balance(accepted=8, counted=3, duplicate=1, in_flight=2, lost=2)
    assert report.as_json()["stores"]["acme"]["balance"] == 2
    assert report.as_json()["balanced"] is False


async def test_a_doubled_record_is_found(kafka):
    """A batch whose fates stand twice."""
    async with producing(kafka) as producer:
        await put(kafka, producer, "acme", *"abcd")
        await tell(kafka, producer, 0, 1, counted=2)
        await tell(kafka, producer, 0, 1, counted=2)
        await tell(kafka, producer, 2, 3, counted=2)
    await commit(kafka, 4)

    report = await audit(kafka)
    assert report.stores["acme"]["pixel.events"] == Balance(accepted=4, counted=6, doubled=2)
    assert report.balanced is False


async def test_two_agents_share_a_topic_and_others_read_along(kafka):
    """Customers and orders account for vtex.changes together; what others write of it is not added."""
    changes = topics.VTEX_CHANGES
    async with producing(kafka) as producer:
        await put(kafka, producer, "acme", *"abcde", topic=changes)
        await tell(kafka, producer, 0, 4, agent="customers", topic=changes, counted=2)
        await tell(kafka, producer, 0, 4, agent="orders", topic=changes, counted=2, duplicate=1)
        await tell(kafka, producer, 0, 4, agent="curious", topic=changes, counted=5)
    await commit(kafka, 5, topic=changes)

    report = await audit(kafka)
    assert report.stores["acme"]["vtex.changes"] == Balance(accepted=5, counted=4, duplicate=1)
    assert (report.agents, report.balanced) == ({}, True)


async def test_one_shard_can_be_looked_at_alone(kafka):
    """The stores of the others are left out."""
    async with producing(kafka) as producer:
        for store in STORES:
            await put(kafka, producer, store, "a")

    expected = {store for store in STORES if shard_of(store, PARTITIONS) == SHARD}
    assert (await audit(kafka, partitions=[SHARD])).stores.keys() == expected


async def test_aborted_records_were_never_accepted(kafka):
    """And the marks of transactions are no records."""
    async with producing(kafka, transactional_id=kafka.topic("test")) as producer:
        for value, wanted in (("a", True), ("b", False), ("c", True)):
            await producer.begin_transaction()
            await put(kafka, producer, "acme", value)
            await (producer.commit_transaction() if wanted else producer.abort_transaction())
        await producer.begin_transaction()
        await put(kafka, producer, "acme", "d")  # behind the marks of the others, which it waits for
        await producer.abort_transaction()

    assert (await audit(kafka)).stores["acme"]["pixel.events"] == Balance(accepted=2, in_flight=2)


async def test_fates_of_a_transaction_whose_end_is_still_being_told_are_waited_for(kafka):
    """The offset is committed, a transaction is open before the fates' end: reading waits until it is decided."""
    async with (
        producing(kafka) as producer,
        producing(kafka, transactional_id=kafka.topic("open"), transaction_timeout_ms=20_000) as other,
    ):
        await put(kafka, producer, "acme", "a", "b")
        await other.begin_transaction()
        await tell(kafka, other, 90, 91, counted=2)
        await tell(kafka, producer, 0, 1, counted=2)
        await commit(kafka, 2)
        auditing = asyncio.create_task(audit(kafka))
        done, _ = await asyncio.wait([auditing], timeout=1)
        assert not done
        await other.abort_transaction()
        report = await asyncio.wait_for(auditing, DEADLINE_S)

    assert report.stores["acme"]["pixel.events"] == Balance(accepted=2, counted=2)


async def test_what_is_older_than_the_fates_that_are_kept_is_not_judged(kafka):
    """Reports are kept for two years, fates for 30 days."""
    now = time.time_ns() // 1_000_000  # the broker removes what is older than the topics keep
    old, new = now - 40 * HOUR_MS, now - 10 * HOUR_MS
    reports = topics.MESSAGE_REPORTS
    async with producing(kafka) as producer:
        await put(kafka, producer, "acme", *"abc", topic=reports, timestamp=old)
        await tell(kafka, producer, 0, 2, agent="kpis", topic=reports, timestamp=old, counted=3)
        await tell(kafka, producer, 3, 3, agent="kpis", topic=reports, timestamp=new - 2 * HOUR_MS, counted=1)
        await put(kafka, producer, "acme", *"de", topic=reports, timestamp=new)
        await put(kafka, producer, "acme", *"fg", topic=reports, timestamp=new)
        await tell(kafka, producer, 4, 5, agent="kpis", topic=reports, timestamp=new, counted=2)
    await commit(kafka, 6, topic=reports)
    await remove_before(kafka, "event.fates", 1)

    report = await audit(kafka)
    assert report.stores["acme"]["message.reports"] == Balance(accepted=4, counted=3, in_flight=1)
    assert report.balanced


async def test_records_that_retention_removed_are_not_doubled(kafka):
    """Their fates are still there; a span of which a part is gone counts whole."""
    async with producing(kafka) as producer:
        await put(kafka, producer, "acme", *"abcdef")
        await tell(kafka, producer, 0, 1, counted=2)
        await tell(kafka, producer, 2, 4, counted=3)
        await tell(kafka, producer, 5, 5, counted=1)
    await commit(kafka, 6)
    await remove_before(kafka, "pixel.events", 4)

    report = await audit(kafka)
    assert report.stores["acme"]["pixel.events"] == Balance(accepted=4, counted=4)
    assert report.balanced


async def remove_before(kafka, topic, offset):
    """Remove what lies before an offset, as retention does."""
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(kafka.topic(topic), SHARD): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()
