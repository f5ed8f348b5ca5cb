"""The worker around the shards: whole shards only, names, health, and what agents may not share."""

import asyncio
import time
import weakref
from dataclasses import astuple
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from structlog.testing import capture_logs

from schemas import topics
from streams.engine import agent as interface
from streams.engine.agent import JSON, TEXT, Agent, Table
from streams.engine.assignor import ShardedAssignor
from streams.engine.disk import STALE_MS
from streams.engine.engine import Engine
from streams.engine.errors import Fatal
from streams.engine.fetch import FetchThread
from streams.engine.health import Health
from streams.engine.metrics import Metrics
from streams.engine.milestones import Unwatched
from streams.engine.names import StreamNames
from streams.engine.registry import Parts
from streams.engine.settings import EngineSettings
from streams.engine.state import Line
from streams.engine.transaction import EXIT_CRASHED, EXIT_SPLIT_SHARD
from streams.engine.worker import Worker
from tests.unit.engine.test_unpack import data, fetched


class Broker:
    """How to reach a broker that no test here reaches."""

    def options(self):
        return {"bootstrap_servers": "127.0.0.1:1"}

    def topic(self, name):
        return f"test-{name}"


class Reading(Agent):
    name = "reading"
    inputs = (topics.PIXEL_EVENTS, topics.TRACKING_EVENTS)

    def process(self, batch, shard):
        """Do nothing."""


def raising(error):
    """Raise instead of leaving the process."""
    raise error


def a_shard():
    """Return what health sees of a shard at work."""
    return SimpleNamespace(
        number=1, committed={"pixel.events": 7}, fenced_since=None, turn_since=None,
        state=SimpleNamespace(failed_ticks=[]),
    )  # fmt: skip


@pytest.fixture
def engine():
    """An engine whose fatal errors can be caught."""
    worker = Worker(Broker(), [Reading()], {}, EngineSettings())
    return Engine(
        line=worker.line, names=worker.names, options=worker.options, settings=worker.settings,
        effects=worker.effects, metrics=Metrics(), milestones=Unwatched(), fatal=raising,
    )  # fmt: skip


class TestShards:
    """A shard is one partition number of every topic."""

    async def test_a_worker_without_a_shard_is_ready(self, engine):
        """More workers than partitions: it stands by, and whoever started it need not wait for it."""
        await engine.assign([])

        assert (engine.live, engine.restoring, engine.wants("test-pixel.events", 0)) == (True, False, False)

    async def test_a_split_shard_ends_the_worker(self, engine):
        """Two workers with half a shard each would fence each other for ever."""
        names = ("pixel.events", "tracking.events", "effects.outcomes", "streams.engine.outbox-changelog")
        whole = [(f"test-{name}", 1) for name in names]
        assert engine._whole_shards([*whole, ("test-streams.x-changelog", 2)]) == {1}
        with pytest.raises(Fatal, match=r"without \['test-tracking.events'\]") as caught:
            engine._whole_shards([part for part in whole if "tracking" not in part[0]])
        assert caught.value.code == EXIT_SPLIT_SHARD

    async def test_a_shard_that_cannot_be_fenced_ends_the_worker(self, engine, monkeypatch):
        """Aiokafka would log that, and the worker would hold the shard and do nothing, for ever."""

        async def broken(_):
            raise KafkaError("Connection at 127.0.0.1:1 closed")

        monkeypatch.setattr("streams.engine.producer.ShardProducer.start", broken)
        names = ("pixel.events", "tracking.events", "effects.outcomes", "streams.engine.outbox-changelog")
        with pytest.raises(Fatal, match=r"shards \[1\] could not be fenced") as caught:
            await engine.assign([(f"test-{name}", 1) for name in names])
        assert caught.value.code == EXIT_CRASHED

    async def test_a_worker_that_is_stopped_while_it_fences_stops(self, engine, monkeypatch):
        """Aiokafka would ask for its producer's id for ever, and nobody would end the worker but SIGKILL."""

        class Asking:
            started = 0

            def __init__(self, **_):
                """Take any options."""

            async def start(self):
                type(self).started += 1
                await asyncio.get_running_loop().create_future()

            async def stop(self):
                """Have nothing to stop."""

        monkeypatch.setattr("streams.engine.producer.AIOKafkaProducer", Asking)
        names = ("pixel.events", "tracking.events", "effects.outcomes", "streams.engine.outbox-changelog")
        fencing = asyncio.create_task(engine.assign([(f"test-{name}", 1) for name in names]))
        while not Asking.started:  # noqa: ASYNC110  it sets no event
            await asyncio.sleep(0)
        await engine.revoke()
        await asyncio.wait_for(fencing, 5)
        assert not engine.restoring

    async def test_a_worker_that_is_stopped_while_shards_are_taken_from_it_fences_nobody(self, engine, monkeypatch):
        """Whoever has them by then would be fenced, and no rebalance would follow."""
        fenced, going = [], asyncio.Event()

        async def start(producer):
            fenced.append(producer)

        monkeypatch.setattr("streams.engine.producer.ShardProducer.start", start)
        monkeypatch.setattr(engine.effects, "let_go", going.wait)
        names = ("pixel.events", "tracking.events", "effects.outcomes", "streams.engine.outbox-changelog")
        assigning = asyncio.create_task(engine.assign([(f"test-{name}", 1) for name in names]))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(engine.revoke())
        await asyncio.sleep(0)
        going.set()
        await asyncio.gather(assigning, stopping)
        assert fenced == []
        assert not engine.restoring

    async def test_what_was_fetched_before_a_rebalance_is_let_go(self, engine):
        """Aiokafka drops it, two megabytes a partition, and it holds itself; rebalances may follow one another."""
        result, _ = fetched(data(0, range(5)), 0)
        left = weakref.ref(result._partition_records)
        del result
        engine.begin({}, engine.epoch)
        assert left() is None

    async def test_a_worker_that_slept_for_a_day_reads_its_tables_anew(self, engine, monkeypatch):
        """Compaction may have taken tombstones that it has not seen."""
        engine.check()
        later = time.time() + STALE_MS / 1000 + 60
        monkeypatch.setattr("streams.engine.engine.time", lambda: later)
        with pytest.raises(Fatal, match="did not run for 12 hours"):
            engine.check()

    async def test_a_shard_without_its_tables_ends_the_worker(self, engine):
        """It would count from nothing."""
        inputs = [(f"test-{name}", 1) for name in ("pixel.events", "tracking.events", "effects.outcomes")]
        with pytest.raises(Fatal, match=r"without \['test-streams.engine.outbox-changelog'\]"):
            engine._whole_shards(inputs)

    def test_topics_that_the_metadata_do_not_know_yet_are_assigned(self):
        """A changelog that was created a moment ago moves with its inputs, all in one group."""
        app = SimpleNamespace(tables=None, conf=SimpleNamespace(topic_partitions=4))
        topics_of = {"inputs", "streams.new-changelog"}
        unknowing = SimpleNamespace(partitions_for_topic=lambda _: None)
        groups = ShardedAssignor(app)._get_copartitioned_groups(topics_of, unknowing, {"worker": sorted(topics_of)})
        assert {number: list(found) for number, found in groups.items()} == {4: [topics_of]}

    async def test_batches_for_shards_that_have_gone_are_dropped(self, engine):
        """They are not committed, so their next owner gets them."""
        engine.deliver("test-pixel.events", 3, [object()], 0, 1)
        assert not engine.wants("test-pixel.events", 3)
        assert engine.shards == {}


async def test_a_worker_that_cannot_stop_in_order_ends_and_says_why(monkeypatch):
    """The consumer's thread would keep its process alive, for ever and without a word."""

    async def broken():
        raise OSError("No space left on device")

    monkeypatch.setattr("streams.engine.worker.leave", raising)
    with pytest.raises(Fatal, match="could not stop in order: OSError"):
        await Worker(Broker(), [Reading()], {}, EngineSettings())._stop(SimpleNamespace(stop=broken))


async def test_a_worker_that_cannot_start_ends_with_its_code(monkeypatch):
    """A topic is missing: that is told in a line, and no traceback."""

    async def missing(*_):
        raise Fatal(EXIT_SPLIT_SHARD, "topics ['pixel.events'] do not exist")

    left = []

    def leaving(error):
        left.append(error.code)
        raise error

    monkeypatch.setattr("streams.engine.worker.ensure_changelogs", missing)
    monkeypatch.setattr("streams.engine.worker.leave", leaving)
    with pytest.raises(Fatal):
        await Worker(Broker(), [Reading()], {}, EngineSettings()).run()
    assert left == [EXIT_SPLIT_SHARD]


class TestHealth:
    """Health is derived from progress."""

    async def test_a_new_worker_waits_for_its_assignment(self, engine):
        """It is not ready, but nobody has to look yet."""
        health = Health(engine)
        (wait,) = health.waits()
        assert (health.ready, health.healthy, wait.who) == (False, True, "worker")

    async def test_a_halted_topic_needs_somebody(self, engine):
        """The message is the one that the breaker wrote."""
        engine.live = True
        engine.halted["pixel.events"] = "repair it"
        health = Health(engine)
        health.observe({})
        assert not health.healthy
        assert [wait.whom for wait in health.waits()] == ["repair it"]

    async def test_records_that_wait_without_a_commit_need_somebody(self, engine, monkeypatch):
        """A shard that has stopped says nothing: that nothing is committed does."""
        now = [1000.0]
        monkeypatch.setattr("streams.engine.health.monotonic", lambda: now[0])
        engine.live = True
        engine.shards[1] = a_shard()
        health = Health(engine)
        health.observe({("pixel.events", 1): 5})
        now[0] += 60
        health.observe({("pixel.events", 1): 5})
        assert [wait.who for wait in health.waits()] == ["pixel.events in shard 1"]
        engine.shards[1].committed["pixel.events"] = 8
        health.observe({("pixel.events", 1): 4})
        assert health.healthy

    async def test_what_waited_in_a_shard_that_moved_away_is_somebody_elses(self, engine, monkeypatch):
        """However fast it was taken away."""
        now = [1000.0]
        monkeypatch.setattr("streams.engine.health.monotonic", lambda: now[0])
        engine.live = True
        engine.shards[1] = a_shard()
        health = Health(engine)
        health.observe({("pixel.events", 1): 5})
        del engine.shards[1]
        now[0] += 60
        health.observe({})
        assert health.healthy

    async def test_a_broker_that_does_not_answer_needs_somebody(self, engine, monkeypatch):
        """Without answers nobody knows of a lag: all would look as if nothing was new."""
        now = [1000.0]
        monkeypatch.setattr("streams.engine.health.monotonic", lambda: now[0])
        engine.live = True
        health = Health(engine)
        health.observe({}, {("pixel.events", 1): 7, ("tracking.events", 1): 7})
        now[0] += 60
        health.observe({}, {("pixel.events", 1): 7, ("tracking.events", 1): 8})
        assert [(wait.who, wait.healthy) for wait in health.waits()] == [("1 input partitions", False)]
        health.observe({}, {("pixel.events", 1): 9, ("tracking.events", 1): 9})
        assert health.healthy

    async def test_what_ails_a_worker_stands_in_its_log_too(self, engine, monkeypatch):
        """A broker that is away for ten minutes: a few lines, and one when it is back."""
        now = [1000.0]
        monkeypatch.setattr("streams.engine.health.monotonic", lambda: now[0])
        engine.live = True
        health = Health(engine)
        with capture_logs() as told:
            for second in range(600):
                now[0] = 1000.0 + second
                health.observe({}, {("pixel.events", 1): 7})
            health.observe({}, {("pixel.events", 1): 8})
            health.observe({}, {("pixel.events", 1): 9})
        assert [line["event"] for line in told] == ["this worker is not healthy"] * 14 + [
            "this worker is healthy again"
        ]
        (waits,) = told[0]["waits"]
        assert waits.startswith("1 input partitions: an answer of their broker to a fetch: look at the broker")
        assert waits.endswith("(31 s)")

    async def test_a_partition_of_which_nothing_can_be_had_needs_somebody(self, engine):
        """It waits for what its message says."""
        health = Health(engine)
        engine.live = True
        health.observe({}, refused={("pixel.events", 1): ("permission to read it", time.monotonic() - 5)})
        ((who, whom, seconds, healthy),) = map(astuple, health.waits())
        assert (who, whom, round(seconds), healthy) == (
            "pixel.events in shard 1", "permission to read it", 5, False,
        )  # fmt: skip

    def test_a_consumer_that_starts_has_been_told_nothing(self):
        """Whoever watches asks from the first moment on, in another thread."""
        thread = FetchThread.__new__(FetchThread)
        thread._consumer = None
        place = TopicPartition("pixel.events", 1)
        assert (thread.partitions_of("pixel.events"), thread.last_answer(place), thread.last_stable(place)) == (
            None, 0, None,
        )  # fmt: skip

    async def test_what_was_measured_of_shards_goes_with_them(self, engine):
        """Else a worker would tell for ever of a lag and a breaker that are somebody else's."""
        engine.metrics.lag.labels("pixel.events", 1).set(500)
        engine.metrics.breakers.labels("acme", "hellotext").set(1)
        await engine.revoke()
        told = {sample.name for metric in engine.metrics.registry.collect() for sample in metric.samples}
        assert not told & {"streams_lag_records", "streams_breaker_open"}


class TestLine:
    """What agents may not share."""

    def test_names_are_unique(self):
        """Fates and outcomes are told by agent."""
        with pytest.raises(ValueError, match="share a name"):
            Line([Reading(), Reading()])

    def test_a_table_name_is_one_table(self):
        """The same table may be shared, another one of its name may not."""

        class One(Agent):
            name, inputs, tables = "one", (), (Table("t", JSON),)

        class Two(Agent):
            name, inputs, tables = "two", (), (Table("t", TEXT),)

        with pytest.raises(ValueError, match="'t' but differ"):
            Line([One(), Two()])

    def test_disk_tables_need_a_folder(self):
        """Without one the worker does not start."""
        with pytest.raises(ValueError, match="no state folder"):
            Parts({"t": Table("t", disk=True)}, None)


def test_names_carry_the_prefix():
    """Group, changelogs and transactional ids."""
    names = StreamNames(Broker().topic)
    found = (names.group, names.changelog("seen"), names.transactional_id(3))
    assert found == ("test-streams", "test-streams.seen-changelog", "test-streams-3")


def test_the_interface_exports_what_agents_need():
    """A name that disappears breaks agents: this list is the contract."""
    assert set(interface.__all__) == {
        "JSON", "RAW", "TEXT", "Agent", "Batch", "Codec", "Effect", "EffectOutcome", "NotYet", "Poison", "Record",
        "Shard", "Table", "View",
    }  # fmt: skip
