"""What is made of what was fetched: the trouble of one partition is no other's, and no move is silent."""

import asyncio
import contextlib
from time import monotonic
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import TopicAuthorizationFailedError, UnsupportedCodecError
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from streams.engine import refusals
from streams.engine.consumer import BatchConsumer
from streams.engine.errors import Fatal
from streams.engine.fetch import Fetched, FetchThread
from streams.engine.metrics import Metrics
from streams.engine.refusals import Refusals
from streams.engine.transaction import EXIT_BROKEN_CHAIN
from tests.unit.engine.test_unpack import data, result_of

GOOD, BAD = TopicPartition("pixel.events", 0), TopicPartition("pixel.events", 1)
ALL = 1_000_000


class Bench:
    """A consumer's thread that has fetched something of two partitions."""

    def __init__(self):
        self.assignment = Assignment([GOOD, BAD])
        self.thread = FetchThread.__new__(FetchThread)
        self.thread.positions, self.thread.refusals = {GOOD: 0, BAD: 0}, Refusals()
        for tp in (GOOD, BAD):
            self.state(tp).reset_to(0)
        self.notified = 0
        self.fetcher = SimpleNamespace(_records={}, _wait_consume_future=None, _notify=self._notify)

    def _notify(self, _):
        self.notified += 1

    def state(self, tp):
        """Return aiokafka's state of a partition."""
        return self.assignment.state_value(tp)

    def fetched(self, tp, raw):
        """Have fetched bytes of a partition."""
        self.fetcher._records[tp] = result_of(tp, self.assignment, raw, self.state(tp).position)

    def drain(self, *, changelog=False):
        """Take what there is."""
        active = [tp for tp in (BAD, GOOD) if not self.thread.refusals.resting(tp)]
        for tp in active:
            if self.state(tp).paused:
                self.state(tp).resume()
        return self.thread._drain(self.fetcher, self.assignment, active, lambda _: changelog, ALL)


@pytest.fixture
async def bench():
    """Return one."""
    return Bench()


def damaged(base_offset):
    """Return a batch with a flipped bit."""
    raw = bytearray(data(base_offset, range(5)))
    raw[-1] ^= 1
    return bytes(raw)


async def test_a_damaged_batch_stops_its_partition_only(bench, monkeypatch):
    """What stands before it is taken, the others go on, it is told, and tried again later."""
    bench.fetched(BAD, data(0, range(5)) + damaged(5))
    assert len(bench.drain()[BAD].records) == 5
    bench.fetched(BAD, damaged(5))
    bench.fetched(GOOD, data(0, range(3)))
    out = bench.drain()
    assert set(out) == {GOOD}
    assert (bench.state(BAD).position, bench.state(BAD).paused, bench.fetcher._records) == (5, True, {})
    ((whom, _),) = bench.thread.refusals.waits().values()
    assert "the batch at offset 5, which is damaged" in whom
    assert bench.thread.refusals.resting(BAD)
    later = monotonic() + refusals.REST_S
    monkeypatch.setattr(refusals, "monotonic", lambda: later)
    bench.fetched(BAD, data(5, range(5)))
    assert [record.offset for record in bench.drain()[BAD].records] == [5, 6, 7, 8, 9]
    assert not bench.thread.refusals


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TopicAuthorizationFailedError("pixel.events"), "grant READ"),
        (UnsupportedCodecError("zstd"), "UnsupportedCodec"),
    ],
)
async def test_a_partition_that_is_refused_stops_nobody_else(bench, error, told):
    """An ACL that is taken away under the worker: the partition waits until it is given back."""
    bench.fetcher._records[BAD] = FetchError(error=error, backoff=0)
    bench.fetched(GOOD, data(0, range(3)))
    assert set(bench.drain()) == {GOOD}
    ((whom, _),) = bench.thread.refusals.waits().values()
    assert told in whom
    assert bench.fetcher._records == {}


@pytest.mark.parametrize("position", [3, 7])
async def test_a_position_that_aiokafka_has_moved_is_told(bench, position):
    """There was nothing at ours: it went to the first record there is, and says so nowhere."""
    bench.thread.positions[BAD] = 5
    bench.state(BAD).seek(position)
    bench.fetched(BAD, data(position, range(2)))
    out = bench.drain()
    assert out[BAD] == ([], 5, position, True)
    assert [record.offset for record in bench.drain()[BAD].records] == [position, position + 1]


async def test_changelogs_are_sought_by_faust(bench):
    """What moves them is no accident."""
    bench.state(BAD).seek(3)
    assert not bench.drain(changelog=True)[BAD].moved


async def test_an_input_that_ends_before_what_was_consumed_ends_the_worker():
    """Read again from its beginning, everything in it would be counted twice; what retention took is only told."""
    consumer = BatchConsumer.__new__(BatchConsumer)
    topics = {"pixel.events": SimpleNamespace(name="pixel.events")}
    metrics = Metrics()
    consumer.app = SimpleNamespace(engine=SimpleNamespace(source_topics=topics, metrics=metrics))
    consumer._moved(BAD, 5, 7)
    assert metrics.lost.labels("pixel.events")._value.get() == 2
    with pytest.raises(Fatal, match="ends before offset 5") as caught:
        consumer._moved(BAD, 5, 3)
    assert caught.value.code == EXIT_BROKEN_CHAIN


async def test_a_broker_that_does_not_tell_what_is_committed_ends_the_worker(monkeypatch):
    """Faust would end its recovery without a word, and the worker would hold its shards and do nothing."""

    async def silent(*_):
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr("streams.engine.consumer.SEEK_S", 0.01)
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer.app = SimpleNamespace(engine=SimpleNamespace(epoch=1, live=True, source_topics={}))
    consumer._thread = SimpleNamespace(seek_to_consumed=silent, assignment=set)
    with pytest.raises(Fatal, match="did not tell"):
        await consumer.perform_seek()
    assert not consumer.app.engine.live


async def test_a_seek_that_outlives_its_assignment_does_nothing(monkeypatch):
    """What is assigned by then was not asked for: it would be sought to its beginning, and be told as forgotten."""
    engine = SimpleNamespace(epoch=1, live=True, source_topics={"pixel.events": None}, begin=None)
    assignment = {TP(*GOOD)}

    async def slow(inputs, current):
        assert (inputs, current()) == ([GOOD], True)
        engine.epoch = 2
        assignment.add(TP(*BAD))
        assert not current()
        return {GOOD: 3}

    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer.app = SimpleNamespace(engine=engine)
    consumer._thread = SimpleNamespace(seek_to_consumed=slow, assignment=lambda: assignment)
    await consumer.perform_seek()


@pytest.mark.parametrize("current", [True, False])
async def test_what_is_being_consumed_by_now_is_not_sought(bench, monkeypatch, current):
    """A call to the thread goes on when the rebalance has come and who called waits no more."""

    async def committed(inputs):
        assert inputs == [GOOD, BAD]
        return {GOOD: OffsetAndMetadata(0, "")}

    sought = []
    bench.fetcher.seek_to = lambda tp, offset: sought.append((tp, offset))
    coordinator = SimpleNamespace(fetch_committed_offsets=committed)
    monkeypatch.setattr(
        FetchThread, "_ensure_consumer", lambda _: SimpleNamespace(_fetcher=bench.fetcher, _coordinator=coordinator)
    )
    assert await bench.thread._seek_to_consumed([GOOD, BAD], lambda: current) == {GOOD: 0}
    assert sought == [(GOOD, 0)] * current


async def test_what_a_partition_that_moved_away_waits_for_is_somebody_elses(bench):
    """A worker that stands by would be unhealthy for ever."""
    bench.thread.refusals.note(BAD, 5, TopicAuthorizationFailedError("pixel.events"))
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer._thread = bench.thread
    consumer.app = SimpleNamespace(engine=SimpleNamespace(restoring=False, shards={1: None}))
    assert set(consumer.refused()) == {("pixel.events", 1)}
    consumer.app.engine.shards = {0: None}
    assert consumer.refused() == {}


async def test_what_comes_while_a_rebalance_has_come_and_gone_is_left_to_who_asks_next(bench, monkeypatch):
    """It stands behind the seek: taken by the fetch from before, it would be dropped, and missing in a table."""
    subscriptions = SimpleNamespace(
        subscription=SimpleNamespace(assignment=bench.assignment), reassignment_in_progress=False,
        fetch_context=contextlib.nullcontext,
    )  # fmt: skip
    bench.fetcher._subscriptions = subscriptions
    monkeypatch.setattr(FetchThread, "_ensure_consumer", lambda _: SimpleNamespace(_fetcher=bench.fetcher))
    bench.thread._freed = asyncio.Event()
    generations = [1]

    async def rebalance(*_):
        generations.append(2)
        bench.fetched(GOOD, data(0, range(3)))

    monkeypatch.setattr(bench.thread, "_until_new", rebalance)

    def fetch(generation):
        return bench.thread._fetch(
            lambda tp: tp == GOOD, lambda _: True, lambda: generations[-1] == generation, seconds=60, max_records=ALL
        )

    assert await fetch(1) == {}
    assert bench.state(GOOD).position == 0
    assert len((await fetch(2))[GOOD].records) == 3


async def test_a_changelog_tells_its_position_in_each_assignment_anew(bench):
    """Recovery waits for it, and what was told before may have been dropped on its way."""
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer._thread = bench.thread
    bench.thread.positions[GOOD] = 3
    bench.state(GOOD).seek(3)
    assert GOOD not in bench.drain(changelog=True)
    consumer.forget_positions()
    assert bench.drain(changelog=True)[GOOD].position == 3


async def test_changelogs_are_restored_before_an_input_is_on_its_way():
    """Whoever takes an input is awaited, and a rebalance may come meanwhile: nothing of before it is handed on."""
    table = TopicPartition("counts-changelog", 0)
    record = SimpleNamespace(offset=0, timestamp=0)
    fetched = {tp: Fetched([record], 0, 1) for tp in (GOOD, BAD, table)}

    async def fetch(*_, **__):
        return fetched

    restored = []
    tables = SimpleNamespace(
        _changelogs={table.topic: SimpleNamespace(name="counts", restore=lambda *args: restored.append(args))},
        recovery=SimpleNamespace(reached=lambda *_: None),
    )
    engine = SimpleNamespace(live=True, epoch=1, settings=SimpleNamespace(batch_records=ALL), metrics=Metrics())
    consumer = BatchConsumer.__new__(BatchConsumer)
    consumer.app = SimpleNamespace(engine=engine, tables=tables, consumer_generation_id=1)
    consumer._thread, consumer._on_their_way, consumer.flow_active = SimpleNamespace(fetch=fetch), set(), True
    consumer._stopped = asyncio.Event()
    consumer._crashed = asyncio.Event()
    getting = consumer.getmany(1.0)
    assert (await anext(getting))[0] == (GOOD.topic, GOOD.partition)
    assert restored == [(0, [record], 1)]
    engine.epoch = 2  # in the same generation: that goes on when a member joins anew and gets what it had
    assert [tp async for tp, _ in getting] == []


async def test_a_worker_that_stops_in_a_rebalance_closes_its_consumer_in_the_consumers_thread(bench, monkeypatch):
    """Its connections belong to that loop; uvloop crashes the process when another thread closes them."""
    closed, done = [], asyncio.Event()

    async def close_coordinator():
        closed.append(("coordinator", asyncio.get_running_loop()))

    async def close_client():
        closed.append(("client", asyncio.get_running_loop()))
        done.set()

    consumer = SimpleNamespace(
        _coordinator=SimpleNamespace(close=close_coordinator), _client=SimpleNamespace(close=close_client)
    )
    monkeypatch.setattr(FetchThread, "_ensure_consumer", lambda _: consumer)
    bench.thread.thread_loop = asyncio.get_running_loop()
    await asyncio.to_thread(bench.thread.close)
    await asyncio.wait_for(done.wait(), 5)
    assert closed == [(name, bench.thread.thread_loop) for name in ("coordinator", "client")]
