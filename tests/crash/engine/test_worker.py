"""A worker on the real broker: what only a broker can refuse, fence or expire."""

import asyncio
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from connectors.kafka.admin import open_admin
from streams.engine.changelogs import ensure_changelogs
from streams.engine.errors import Fatal, Fenced
from streams.engine.producer import ShardProducer
from tests.crash.engine.running import (
    COUNTS,
    HEARD,
    SHARD,
    SHORT,
    SHORT_ON_DISK,
    committed,
    outcome_of,
    put,
    rows,
    running,
)
from tests.waiting import until

pytestmark = pytest.mark.broker


async def test_a_batch_that_the_broker_refuses_costs_only_its_culprit(kafka, tmp_path):
    """The transaction is aborted, the limit halved until the culprit is found, and the rest is counted once."""
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    topic = kafka.topic("tracking.events")
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "150000"})])
    await admin.close()
    async with running(kafka, tmp_path) as worker:
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


async def test_effects_run_after_the_commit_in_order_and_are_told_once(kafka, tmp_path):
    """Repeatable or not, in the order of staging for each key; a destination that asks to wait is asked again."""
    made = []

    async def call(effect):
        made.append(effect.id)
        again = effect.id == "call-1" and made.count("call-1") == 1
        return outcome_of(effect, "retry" if again else "done")

    async with running(kafka, tmp_path, {"test": call}) as worker:
        await put(kafka, b"call-1", b"call-once-2", b"call-3")
        await until("three told", lambda: len(rows(worker, HEARD).get("all", [])) == 3)
        assert rows(worker, HEARD)["all"] == [["call-1", "done"], ["call-once-2", "done"], ["call-3", "done"]]
    assert made == ["call-1", "call-1", "call-once-2", "call-3"]


async def test_keys_expire_over_restarts_and_leave_the_changelogs_too(kafka, tmp_path):
    """In memory and on disk: tombstones are written in a tick's transaction, also for keys that were restored."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, b"1", b"2")
        await until("two counted", lambda: rows(worker, COUNTS) == {"n": 2})
    async with running(kafka, tmp_path) as worker:
        await until("no rows", lambda: not (rows(worker, SHORT) or rows(worker, SHORT_ON_DISK)))
        assert rows(worker, COUNTS) == {"n": 2}
    for table in (SHORT, SHORT_ON_DISK):
        last = {record.key: record.value for record in await committed(kafka, f"streams.{table.name}-changelog")}
        assert set(last.values()) == {None}


async def test_an_agent_that_fails_on_everything_is_stopped_and_told(kafka, tmp_path):
    """Its topic is not drained, the other topics go on, and health says what to do."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, *[b"bug"] * 80)
        await until("the topic is halted", lambda: "pixel.events" in worker.engine.halted)
        assert not worker.health.healthy
        (wait,) = [wait for wait in worker.health.waits() if wait.who == "topic pixel.events"]
        assert "looks like a bug" in wait.whom
    assert await committed(kafka, "dead.letters") == []


async def test_a_lone_event_does_not_wait(kafka, tmp_path):
    """With a wait of a minute, a lone event is through at once."""
    async with running(kafka, tmp_path, wait_ms=60_000) as worker:
        await put(kafka, b"1")
        started = time.monotonic()
        await until("counted", lambda: rows(worker, COUNTS).get("n") == 1)
        assert time.monotonic() - started < 30


async def test_topics_of_unequal_size_are_refused(kafka):
    """A shard is one partition number of all topics: the message names the counts."""
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    await admin.create_partitions({kafka.topic("tracking.events"): NewPartitions(7)})
    await admin.close()
    sources = [kafka.topic("pixel.events"), kafka.topic("tracking.events")]
    async with open_admin(kafka) as seeing:
        while (await seeing.shapes())[sources[1]].partitions != 7:  # noqa: ASYNC110  the broker spreads it
            await asyncio.sleep(0.02)
    with pytest.raises(Fatal, match="differ in their number of partitions"):
        await ensure_changelogs(kafka.options(), sources, [], "group")
