"""A worker on the real broker: what only a broker can refuse, fence or expire."""

import asyncio
import contextlib
import os
import time
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import topics
from schemas.clock import to_text
from streams.engine.agent import JSON, Agent, Effect, EffectOutcome, Table
from streams.engine.changelogs import ensure_changelogs
from streams.engine.errors import Fatal, Fenced
from streams.engine.producer import ShardProducer
from streams.engine.settings import EffectSettings, EngineSettings
from streams.engine.worker import Worker

pytestmark = pytest.mark.broker

COUNTS = Table("worker.counts", JSON)
SHORT = Table("worker.short", JSON, ttl=timedelta(seconds=2))
HEARD = Table("worker.heard", JSON)
SHARD = 2
DEADLINE_S = 30.0


class Counting(Agent):
    """Counts, forwards, and lets values swell."""

    name = "counting"
    inputs = (topics.PIXEL_EVENTS,)
    tables = (COUNTS, SHORT, HEARD)

    def process(self, batch, shard):
        counts, short = shard.table(COUNTS), shard.table(SHORT)
        for record in batch:
            counts["n"] = counts.get("n", 0) + 1
            short[f"{record.offset}"] = 1
            swell = 300_000 if record.value == b"swell" else 1
            if record.value == b"bug":
                raise RuntimeError
            if record.value.startswith(b"call"):
                shard.effect(Effect(
                    id=record.value.decode(), agent=self.name, kind="test", store="acme", destination="nowhere",
                    key=record.key.decode(), repeatable=not record.value.startswith(b"call-once"),
                ))  # fmt: skip
            shard.send(topics.TRACKING_EVENTS, record.key, record.value * swell)

    def outcome(self, outcome, shard):
        heard = shard.table(HEARD)
        heard["all"] = [*heard.get("all", []), [outcome.effect, outcome.status]]


@contextlib.asynccontextmanager
async def running(kafka, handlers=None, agents=None, **settings):
    """Run a worker until the block ends."""
    given = EngineSettings(instance=f"test-{os.getpid()}", effects=EffectSettings(rate=1000.0), **settings)
    worker = Worker(kafka, agents or [Counting()], handlers or {}, given)
    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(worker.run(on_ready=ready.set, stop=stop))
    await asyncio.wait_for(ready.wait(), DEADLINE_S)
    try:
        yield worker
    finally:
        stop.set()
        assert await asyncio.wait_for(task, DEADLINE_S) == 0


async def put(kafka, *values, key=b"acme/k"):
    """Put records into the shard."""
    async with AIOKafkaProducer(**kafka.options()) as producer:
        for value in values:
            await producer.send(kafka.topic("pixel.events"), key=key, value=value, partition=SHARD)


async def committed(kafka, name, partition=SHARD):
    """Return the committed records of a topic's partition."""
    consumer = AIOKafkaConsumer(
        **kafka.options(), isolation_level="read_committed", auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        tp = TopicPartition(kafka.topic(name), partition)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        found = []
        while await consumer.position(tp) < end:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
        return found


async def until(what, holds):
    """Wait until something holds, or fail saying what."""
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.02)


def rows(worker, table):
    """Return a table's committed rows in the shard."""
    return {key: table.codec.decode(raw) for key, raw in worker.engine.part(table.name, SHARD).items("", 0)}


async def test_a_batch_that_the_broker_refuses_costs_only_its_culprit(kafka):
    """The transaction is aborted, the limit halved until the culprit is found, and the rest is counted once."""
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    topic = kafka.topic("tracking.events")
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "150000"})])
    await admin.close()
    async with running(kafka) as worker:
        await put(kafka, *[b"x"] * 50, b"swell", *[b"x"] * 50)
        await until("100 counted", lambda: rows(worker, COUNTS).get("n") == 100)
    assert len(await committed(kafka, "tracking.events")) == 100
    assert len(await committed(kafka, "dead.letters")) == 1


async def test_a_fenced_producer_writes_nothing(kafka):
    """The earlier owner of a transactional id is refused at every step, and what it had open is aborted."""
    options, topic, now = kafka.options(), kafka.topic("tracking.events"), int(time.time()) * 1000
    old, new = (ShardProducer(options, kafka.topic("streams-fence"), 20_000, None) for _ in range(2))
    await old.start()
    await old.begin()
    sent = await old.send(topic, SHARD, [(b"k", b"old", ())], now)
    await old.delivered([future for future, _ in sent])
    await new.start()
    with pytest.raises(Fenced):
        await old.commit()
    await new.begin()
    sent = await new.send(topic, SHARD, [(b"k", b"new", ())], now)
    await new.delivered([future for future, _ in sent])
    await new.commit()
    found = await committed(kafka, "tracking.events")
    assert [(record.value, record.timestamp) for record in found] == [(b"new", now)]
    await old.stop()
    await new.stop()


async def test_effects_run_after_the_commit_in_order_and_are_told_once(kafka):
    """Repeatable or not, in the order of staging for each key; a destination that asks to wait is asked again."""
    made = []

    async def call(effect):
        made.append(effect.id)
        again = effect.id == "call-1" and made.count("call-1") == 1
        return EffectOutcome(
            effect=effect.id, agent=effect.agent, kind=effect.kind, store=effect.store, key=effect.key,
            destination=effect.destination, status="retry" if again else "done", at=to_text(int(time.time() * 1000)),
        )  # fmt: skip

    async with running(kafka, {"test": call}) as worker:
        await put(kafka, b"call-1", b"call-once-2", b"call-3")
        await until("three told", lambda: len(rows(worker, HEARD).get("all", [])) == 3)
        assert rows(worker, HEARD)["all"] == [["call-1", "done"], ["call-once-2", "done"], ["call-3", "done"]]
    assert made == ["call-1", "call-1", "call-once-2", "call-3"]


async def test_expired_keys_leave_the_changelog_too(kafka):
    """Their tombstones are written in a tick's transaction, also for keys that were restored."""
    async with running(kafka) as worker:
        await put(kafka, b"1", b"2")
        await until("two rows", lambda: len(rows(worker, SHORT)) == 2)
    async with running(kafka) as worker:
        await until("no rows", lambda: worker.engine.part(SHORT.name, SHARD).count() == 0)
        assert rows(worker, COUNTS) == {"n": 2}
    last = {record.key: record.value for record in await committed(kafka, f"streams.{SHORT.name}-changelog")}
    assert set(last.values()) == {None}


async def test_an_agent_that_fails_on_everything_is_stopped_and_told(kafka):
    """Its topic is not drained, the other topics go on, and health says what to do."""
    async with running(kafka) as worker:
        await put(kafka, *[b"bug"] * 80)
        await until("the topic is halted", lambda: "pixel.events" in worker.engine.halted)
        assert not worker.health.healthy
        (wait,) = [wait for wait in worker.health.waits() if wait.who == "topic pixel.events"]
        assert "looks like a bug" in wait.whom
    assert await committed(kafka, "dead.letters") == []


async def test_a_lone_event_does_not_wait(kafka):
    """With a wait of ten seconds, a lone event is through in well under one."""
    async with running(kafka, wait_ms=10_000) as worker:
        await put(kafka, b"1")
        started = time.monotonic()
        await until("counted", lambda: rows(worker, COUNTS).get("n") == 1)
        assert time.monotonic() - started < 5


async def test_topics_of_unequal_size_are_refused(kafka):
    """A shard is one partition number of all topics: the message names the counts."""
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    await admin.create_partitions({kafka.topic("tracking.events"): NewPartitions(7)})
    await admin.close()
    sources = [kafka.topic("pixel.events"), kafka.topic("tracking.events")]
    with pytest.raises(Fatal, match="differ in their number of partitions"):
        await ensure_changelogs(kafka.options(), sources, [])
