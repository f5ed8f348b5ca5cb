"""What the engine promises beside exactness, on the real broker: who sees what, who waits, who takes over."""

import asyncio
import re
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, RecordsToDelete
from aiokafka.errors import KafkaError
from mode.utils.queues import FlowControlEvent

from connectors.kafka.admin import open_admin
from connectors.kafka.ports import free_ports
from connectors.kafka.reader import read_topic
from schemas import topics
from streams.engine.agent import Agent
from streams.engine.changelogs import ensure_changelogs
from streams.engine.errors import Fatal
from streams.engine.milestones import Unwatched
from streams.engine.names import StreamNames
from streams.engine.producer import ShardProducer
from streams.engine.settings import EffectSettings
from streams.engine.transaction import EXIT_CLOCK, EXIT_FENCED, Transaction
from streams.engine.turn import Turn
from streams.engine.twins import know_fenced_instances, reason_to_leave
from streams.engine.worker import Worker
from tests.crash.engine.running import COUNTS, HEARD, SHARD, Counting, committed, outcome_of, put, rows, running
from tests.waiting import until

pytestmark = pytest.mark.broker

DOCS = Path(__file__).parents[3] / "docs"


class Everything(Counting):
    """Reads many topics, of which all but one are idle."""

    inputs = (
        topics.PIXEL_EVENTS, topics.VTEX_CHANGES, topics.VTEX_CUSTOMERS, topics.VTEX_ORDERS, topics.MESSAGE_REPORTS,
        topics.MESSAGE_REQUESTS, topics.PIXEL_IDENTITIES, topics.CAMPAIGNS,
    )  # fmt: skip


async def for_ever(consumer):
    """Read until that raises."""
    while True:
        await consumer.getmany(timeout_ms=100)


async def a_producer(kafka, name="streams-test"):
    """Return a started producer with a transactional id of its own."""
    producer = ShardProducer(kafka.options(), kafka.topic(name), 20_000, None)
    await producer.start()
    return producer


async def test_nothing_is_visible_before_the_commit(kafka):
    """Everything is delivered, and a `read_committed` reader sees none of it; after the commit it sees all."""
    producer = await a_producer(kafka)
    await producer.begin()
    sent = await producer.send(kafka.topic("tracking.events"), SHARD, [(b"k", b"v", ())] * 100, int(time.time() * 1000))
    await producer.delivered([future for future, _ in sent])
    assert [batch async for batch in read_topic(kafka, "tracking.events")] == []
    await producer.commit()
    assert len(await committed(kafka, "tracking.events")) == 100
    await producer.stop()


async def test_recovery_ends_exactly_where_the_changelog_ends(kafka, tmp_path):
    """Aborted records and control records at its end are neither waited for nor applied."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, b"1", b"2", b"3")
        await until("three counted", lambda: rows(worker, COUNTS) == {"n": 3})
    changelog, now = kafka.topic(f"streams.{COUNTS.name}-changelog"), int(time.time() * 1000)
    producer = await a_producer(kafka)
    for _ in range(3):
        await producer.begin()
        sent = await producer.send(changelog, SHARD, [(b"n", b"999", ())] * 10, now)
        await producer.delivered([future for future, _ in sent])
        await producer.abort()
    await producer.stop()
    async with running(kafka, tmp_path) as worker:
        assert rows(worker, COUNTS) == {"n": 3}
        await put(kafka, b"4")
        await until("four counted", lambda: rows(worker, COUNTS) == {"n": 4})


async def test_the_next_owner_takes_over_the_outbox(kafka, tmp_path):
    """What was under way is made again if that is harmless, else it is told as uncertain; never both."""
    started, made = [], []

    async def hanging(effect):
        started.append(effect.id)
        await asyncio.Event().wait()

    async def call(effect):
        made.append(effect.id)
        return outcome_of(effect)

    async with running(kafka, tmp_path, {"test": hanging}):
        await put(kafka, b"call-once-1@there", b"call-2@there")
        await until("both under way", lambda: len(started) == 2)
    async with running(kafka, tmp_path, {"test": call}) as worker:
        await until("both told", lambda: len(rows(worker, HEARD).get("all", [])) == 2)
        assert sorted(rows(worker, HEARD)["all"]) == [["call-2", "done"], ["call-once-1", "uncertain"]]
    assert made == ["call-2"]


async def test_a_destination_that_fails_holds_up_no_other(kafka, tmp_path):
    """Its breaker opens and its calls wait; those to another destination of the same store go on."""
    made = []

    async def call(effect):
        made.append(effect.destination)
        return outcome_of(effect, "retry" if effect.destination == "broken" else "done")

    effects = EffectSettings(rate=1000.0, breaker_after=3, breaker_first_s=600.0, per_destination=1, grace_s=0.1)
    async with running(kafka, tmp_path, {"test": call}, effects=effects) as worker:
        await put(kafka, *[b"call-%d@%s" % (n, b"broken" if n % 2 else b"sound") for n in range(40)])
        await until("the sound half told", lambda: len(rows(worker, HEARD).get("all", [])) == 20)
        (wait,) = await until(
            "its breaker opens",
            lambda: [one for one in worker.health.waits() if one.who == "effects of acme to broken"],
        )
        assert wait.healthy
    assert made.count("broken") == 3


async def test_a_fetch_that_has_died_is_no_silence(kafka, tmp_path, monkeypatch):
    """Answers come while nothing is new; when they end, somebody has to look, although nobody knows of any lag."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, b"1")
        await until("counted", lambda: rows(worker, COUNTS).get("n") == 1)
        first, answers = worker._answers(), worker._answers
        await until(
            "answers without news", lambda: all(mark > first.get(place, 0) for place, mark in answers().items())
        )
        assert worker.health.healthy
        monkeypatch.setattr("streams.engine.health.SILENT_S", 1.5)
        thread = worker.app.consumer._thread
        thread.thread_loop.call_soon_threadsafe(thread._consumer._fetcher._fetch_task.cancel)
        await until("told", lambda: not worker.health.healthy)
        assert {wait.whom.partition(":")[0] for wait in worker.health.waits()} == {
            "an answer of their broker to a fetch"
        }


async def test_what_retention_has_deleted_is_told_and_holds_up_nothing(kafka, tmp_path):
    """The worker was away for too long: it counts what is missing, and goes on with what there is."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, b"1", b"2")
        await until("counted", lambda: rows(worker, COUNTS).get("n") == 2)
    await put(kafka, b"3", b"4", b"5")
    place = TopicPartition(kafka.topic("pixel.events"), SHARD)
    admin = AIOKafkaAdminClient(**kafka.options())
    await admin.start()
    await admin.delete_records({place: RecordsToDelete(before_offset=4)})
    await admin.close()
    async with running(kafka, tmp_path) as worker:
        await until("the fifth counted", lambda: rows(worker, COUNTS).get("n") == 3)
        assert worker.metrics.lost.labels("pixel.events")._value.get() == 2


async def test_input_that_a_broker_has_lost_is_told_and_not_counted_again(kafka, tmp_path, capsys):
    """What was consumed ends behind the end of the topic: from its beginning, all of it would be counted twice."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, b"1", b"2", b"3")
        await until("three counted", lambda: rows(worker, COUNTS).get("n") == 3)
    producer = await a_producer(kafka)
    await producer.begin()
    await producer.send_offsets(SHARD, {kafka.topic("pixel.events"): 100}, worker.names.group)
    await producer.commit()
    await producer.stop()
    place = TopicPartition(kafka.topic("pixel.events"), SHARD)
    async with open_admin(kafka) as admin:

        async def moved():
            return (await admin.committed(worker.names.group))[place] == 100

        await until("the offset has moved", moved)  # the broker completes a commit after it has answered
    async with running(kafka, tmp_path) as worker:
        assert "the broker has lost input that was consumed" in capsys.readouterr().out
        await put(kafka, b"4")
        await until("the fourth counted", lambda: rows(worker, COUNTS).get("n") == 4)
    async with running(kafka, tmp_path) as worker:
        assert "has lost" not in capsys.readouterr().out
        assert rows(worker, COUNTS) == {"n": 4}


async def test_offsets_that_a_broker_has_forgotten_are_told(kafka, tmp_path, capsys, monkeypatch):
    """A first start says nothing of it; a shard that has rows, and inputs that nobody has consumed, says it."""
    forgotten = "has forgotten how far"
    await put(kafka, b"1", b"2")
    async with running(kafka, tmp_path) as worker:
        await until("2 counted", lambda: rows(worker, COUNTS).get("n") == 2)
    async with running(kafka, tmp_path):
        assert forgotten not in capsys.readouterr().out
    monkeypatch.setattr(StreamNames, "group", kafka.topic("another"))  # as if nothing was ever committed
    async with running(kafka, tmp_path) as worker:
        await until("counted again", lambda: rows(worker, COUNTS).get("n") == 4)
    told = capsys.readouterr().out
    assert told.count(forgotten) == 1
    assert f"shards=[{SHARD}]" in told.partition(forgotten)[2]
    assert "topics=['pixel.events']" in told.partition(forgotten)[2]


async def test_tables_whose_changelogs_were_deleted_are_told(kafka, tmp_path, capsys):
    """They begin empty, while their inputs go on where they were: nobody would know that figures start from nothing."""
    async with running(kafka, tmp_path) as worker:
        await put(kafka, b"1", b"2")
        await until("two counted", lambda: rows(worker, COUNTS).get("n") == 2)
    assert "begin empty" not in capsys.readouterr().out
    changelog = kafka.topic(f"streams.{COUNTS.name}-changelog")
    async with open_admin(kafka) as admin:
        await admin.delete([changelog])
    async with running(kafka, tmp_path) as worker:
        told = capsys.readouterr().out
        assert "these tables begin empty" in told
        assert changelog in told
        await put(kafka, b"3")
        await until("it counts from nothing", lambda: rows(worker, COUNTS) == {"n": 1})


async def test_a_member_whose_name_was_taken_says_so(kafka):
    """Two workers of one name that start in the same moment: aiokafka ends one with an unknown error."""
    options = dict(
        kafka.options(), group_id=kafka.topic("twins"), group_instance_id="same", enable_auto_commit=False,
        heartbeat_interval_ms=30_000, session_timeout_ms=90_000,
    )  # fmt: skip
    know_fenced_instances()
    first, second = (AIOKafkaConsumer(kafka.topic("pixel.events"), **options) for _ in range(2))
    async with first:
        await first.getmany(timeout_ms=100)
        async with second:
            await second.getmany(timeout_ms=100)
            first._coordinator.request_rejoin()
            with pytest.raises(KafkaError) as caught:
                await asyncio.wait_for(for_ever(first), 20)
    fatal = reason_to_leave(caught.value)
    assert fatal.code == EXIT_FENCED
    assert "stop it, or give each a WORKER_INSTANCE of its own" in str(fatal)


async def test_a_topic_that_has_grown_under_a_worker_is_told(kafka, tmp_path):
    """Nobody reads its new partitions, and a store may be looked for in them."""
    async with running(kafka, tmp_path) as worker:
        assert worker.health.healthy
        admin = AIOKafkaAdminClient(**kafka.options())
        await admin.start()
        await admin.create_partitions({kafka.topic("pixel.events"): NewPartitions(total_count=7)})
        await admin.close()
        thread = worker.app.consumer._thread

        def told():  # the broker may hear of it later than it is asked: the client would ask again in five minutes
            thread.thread_loop.call_soon_threadsafe(thread._consumer._client.force_metadata_update)
            return "topic pixel.events" in {wait.who for wait in worker.health.waits()}

        await until("told", told)
        assert not worker.health.healthy


async def test_calls_keep_to_their_rate(kafka, tmp_path):
    """Of one store and destination: so many a second, with no more than a second's worth at once."""
    made = []

    async def call(effect):
        made.append(time.monotonic())
        return outcome_of(effect)

    async with running(kafka, tmp_path, {"test": call}, effects=EffectSettings(rate=5.0)):
        await put(kafka, *[b"call-%d@there" % n for n in range(20)])
        await until("all made", lambda: len(made) == 20)
    assert made[-1] - made[0] > 1.0  # three seconds, less what a busy machine makes of the first call


async def test_idle_topics_do_not_slow_a_busy_one(kafka, tmp_path):
    """Fetches may wait ten seconds for seven idle topics; events on the eighth are through long before."""
    async with running(kafka, tmp_path, agents=[Everything()], fetch_wait_ms=10_000) as worker:
        took = []
        for n in range(1, 10):
            started = time.monotonic()
            await put(kafka, b"1")
            await until("counted", lambda n=n: rows(worker, COUNTS).get("n") == n)
            took.append(time.monotonic() - started)
    assert sorted(took)[len(took) // 2] < 4


async def test_a_standby_takes_over_without_a_restore(kafka, tmp_path):
    """It has followed the changelog: when the owner goes, it has the rows already, and goes on counting."""
    settings = {"standby_replicas": 1, "session_timeout_ms": 6_000}
    async with running(kafka, tmp_path, instance="one", **settings) as heir:
        async with running(kafka, tmp_path, instance="two", **settings) as owner:
            await until("the shards are shared", lambda: heir.engine.shards and owner.engine.shards)
            shard = min(owner.engine.shards)
            await put(kafka, *[b"1"] * 500, shard=shard)
            await until("all counted", lambda: rows(owner, COUNTS, shard).get("n") == 500)
            await until("the standby has followed", lambda: rows(heir, COUNTS, shard).get("n") == 500)
            followed = heir.metrics.restored.labels(COUNTS.name)._value.get()
        await until("it has taken over", lambda: heir.engine.live and shard in heir.engine.shards)
        await put(kafka, b"1", shard=shard)
        await until("one more counted", lambda: rows(heir, COUNTS, shard).get("n") == 501)
        assert heir.metrics.restored.labels(COUNTS.name)._value.get() == followed


async def test_a_clock_far_ahead_ends_the_worker_and_writes_nothing(kafka):
    """The broker refuses records from the future; the exit code says that it is the clock."""
    names = StreamNames(kafka.topic)
    producer = await a_producer(kafka, "streams-clock")
    transaction = Transaction(SHARD, producer, names, timeout_s=20, milestones=Unwatched())
    ahead = int((time.time() + timedelta(hours=3).total_seconds()) * 1000)
    turn = Turn(SHARD, {}, {}, now=ahead, sequence=1, record_limit=1_000_000)
    turn.send(topics.TRACKING_EVENTS, b"acme/k", b"v")
    with pytest.raises(Fatal, match="clock") as caught:
        await transaction.commit(turn)
    await producer.stop()
    assert caught.value.code == EXIT_CLOCK
    assert await committed(kafka, "tracking.events") == []


async def test_pages_tell_health_and_every_metric_of_the_documentation(kafka, tmp_path):
    """`/health` and `/ready` answer 200 while all is well; `/metrics` has what docs/engine.md lists."""
    (port,) = free_ports(1)
    listed = re.findall(r"^\| `(streams_\w+)", (DOCS / "engine.md").read_text(), re.MULTILINE)
    async with running(kafka, tmp_path, web_port=port) as worker, httpx.AsyncClient() as http:
        await put(kafka, b"1")
        await until("counted", lambda: rows(worker, COUNTS).get("n") == 1)
        pages = {name: await http.get(f"http://127.0.0.1:{port}/{name}") for name in ("health", "ready", "metrics")}
    assert {page.status_code for page in pages.values()} == {200}
    assert pages["health"].json()["healthy"] is True
    assert len(listed) > 10
    assert [name for name in listed if f"# HELP {name.removesuffix('_total')}" not in pages["metrics"].text] == []


async def test_a_topic_that_is_missing_is_named(empty_kafka):
    """The worker does not start, and says which command creates it."""
    with pytest.raises(Fatal, match=r"pixel\.events.* do not exist: run `hellotext-vtex topics create`"):
        await ensure_changelogs(empty_kafka.options(), [empty_kafka.topic("pixel.events")], [], "group")


class Ticking(Agent):
    """Raises at every tick."""

    name = "ticking"
    inputs = (topics.PIXEL_EVENTS,)

    def process(self, batch, shard):
        for record in batch:
            shard.send(topics.TRACKING_EVENTS, record.key, record.value)

    def tick(self, now, shard):
        raise RuntimeError


async def test_a_tick_that_raises_stops_no_work_but_is_told(kafka, tmp_path):
    """Events go on; health names the agent."""
    async with running(kafka, tmp_path, agents=[Ticking()], tick_ms=50) as worker:
        await put(kafka, b"1")
        await until("health tells it", lambda: any("['ticking']" in wait.whom for wait in worker.health.waits()))
        assert not worker.health.healthy
        await until("it goes on", lambda: committed(kafka, "tracking.events"))


async def test_a_worker_goes_on_after_a_rebalance_that_came_while_nothing_did(kafka, tmp_path, monkeypatch):
    """A fetch that was waiting outlives it and takes nothing: a table would wait for what it dropped for ever."""
    monkeypatch.setattr("streams.engine.consumer.FETCH_S", 30.0)
    async with running(kafka, tmp_path, instance="one") as one:
        for shard in range(4):
            await put(kafka, b"1", shard=shard)
        await until("all counted", lambda: all(rows(one, COUNTS, shard).get("n") == 1 for shard in range(4)))
        async with running(kafka, tmp_path, instance="two") as two:
            await until("both are at work", lambda: all(each.engine.live and each.engine.shards for each in (one, two)))
            for shard in range(4):
                await put(kafka, b"1", shard=shard)

            def counted():
                return {
                    shard: rows(each, COUNTS, shard).get("n") for each in (one, two) for shard in each.engine.shards
                }

            await until("all counted", lambda: counted() == dict.fromkeys(range(4), 2))
            assert counted() == dict.fromkeys(range(4), 2)


async def test_no_batch_is_on_its_way_while_faust_empties_its_queues(kafka, tmp_path, monkeypatch):
    """It resumes its flow at the end of a recovery, and that empties them: the partition would wait for ever."""
    delivering, resume = [], FlowControlEvent.resume

    def resumed(flow):
        delivering.extend(worker.engine.live for worker in workers if worker.app and worker.app.flow_control is flow)
        resume(flow)

    workers, build = [], Worker.__init__

    def built(worker, *args, **kwargs):
        build(worker, *args, **kwargs)
        workers.append(worker)

    monkeypatch.setattr(FlowControlEvent, "resume", resumed)
    monkeypatch.setattr(Worker, "__init__", built)
    for _ in range(2):  # the second one restores its tables first
        async with running(kafka, tmp_path) as worker:
            before = rows(worker, COUNTS).get("n", 0)
            await put(kafka, b"1")
            await until("counted", lambda: rows(worker, COUNTS).get("n", 0) == before + 1)  # noqa: B023  awaited here
    assert delivering
    assert not any(delivering)
