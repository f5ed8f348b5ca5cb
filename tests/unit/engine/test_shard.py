"""A shard at work when its transactions go wrong: it exits, or stands still, and leaves no trace in its tables."""

import asyncio
from types import SimpleNamespace

import pytest

from schemas import topics
from streams.engine.agent import JSON, Agent, NotYet, Record, Table
from streams.engine.errors import Fatal, Fenced, TooLargeForBroker
from streams.engine.fuse import Fuses
from streams.engine.metrics import Metrics
from streams.engine.milestones import Unwatched
from streams.engine.parts import memory_part
from streams.engine.settings import EngineSettings
from streams.engine.shard import ShardAtWork, Surroundings
from streams.engine.state import Arrived, Line, ShardState
from streams.engine.transaction import EXIT_BROKEN_CHAIN, EXIT_COMMIT_UNKNOWN, Transaction
from streams.engine.turn import Turn

COUNTS = Table("shard.counts", JSON)


class Counting(Agent):
    name, inputs, tables = "counting", (topics.PIXEL_EVENTS,), (COUNTS,)

    def __init__(self):
        self.asked = 0

    async def prepare(self):
        self.asked += 1
        raise ConnectionError

    def process(self, batch, shard):
        counts = shard.table(COUNTS)
        for record in batch:
            counts["n"] = counts.get("n", 0) + 1
            if record.value == b"later":
                raise NotYet(self.prepare)


class ScriptedTransaction:
    """Commits, or does what the script says instead."""

    def __init__(self, *script):
        self.script = list(script)
        self.committed = []
        self.producer = SimpleNamespace(stop=self._stop)

    async def _stop(self):
        """Have nothing to stop."""

    async def commit(self, turn):
        act = self.script.pop(0) if self.script else None
        if act is not None:
            raise act
        self.committed.append(dict(turn.offsets))
        return {name: len(writes) for name, writes in turn.changelogs().items()}


class Bench:
    """A shard that starts at offset 10 of its only topic, and what it told its worker."""

    def __init__(self, *script):
        self.agent, self.fatal = Counting(), []
        line = Line([self.agent])
        self.parts = {name: memory_part(table) for name, table in line.tables.items()}
        self.transaction = ScriptedTransaction(*script)
        self.fenced = []
        around = Surroundings(
            settings=EngineSettings(tick_ms=60_000), milestones=Unwatched(), metrics=Metrics(), halted={},
            freed=lambda: None, outbox_changed=lambda *_: None, fatal=self.fatal.append, fenced=self.fenced.append,
        )  # fmt: skip
        self.shard = ShardAtWork(ShardState(0, line, self.parts, Fuses()), self.transaction, around)
        self.shard.start({topics.PIXEL_EVENTS.name: 10, topics.EFFECTS_OUTCOMES.name: 0})

    def put(self, first, *values):
        records = [Record(b"acme/k", value, first + n, 0) for n, value in enumerate(values)]
        self.shard.arrived(Arrived(topics.PIXEL_EVENTS, records, first, first + len(values)))

    @property
    def counted(self):
        raw = self.parts[COUNTS.name].get("n", 0)
        return 0 if raw is None else int(raw)


@pytest.fixture
async def bench_of():
    """Return what makes a bench, and closes it in the end."""
    made = []

    def make(*script):
        made.append(Bench(*script))
        return made[-1]

    yield make
    for bench in made:
        await bench.shard.close()


async def until(holds):
    """Let the shard work until something holds."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  the shard works in this loop
            await asyncio.sleep(0.001)


async def test_batches_that_follow_one_another_are_committed(bench_of):
    """Each starts where the last one ended, also behind control records."""
    bench = bench_of()
    bench.put(10, b"1", b"2")
    await until(lambda: bench.counted == 2)
    bench.shard.skipped(topics.PIXEL_EVENTS.name, 12, 14)
    bench.put(14, b"3")
    await until(lambda: bench.counted == 3)
    name = topics.PIXEL_EVENTS.name
    assert [offsets[name] for offsets in bench.transaction.committed if offsets] == [12, 15]


@pytest.mark.parametrize("first", [9, 11])
async def test_a_batch_that_does_not_start_at_the_committed_offset_ends_the_worker(bench_of, first):
    """Before it, something would be counted twice; after it, not at all."""
    bench = bench_of()
    bench.put(first, b"1")
    await until(lambda: bench.fatal)
    assert [error.code for error in bench.fatal] == [EXIT_BROKEN_CHAIN]
    assert (bench.counted, bench.transaction.committed) == (0, [])


async def test_a_fenced_shard_stands_still_and_keeps_nothing(bench_of):
    """It waits for the rebalance: no other turn runs, and its tables are as they were."""
    bench = bench_of(Fenced("another owner"))
    bench.put(10, b"1")
    await until(bench.shard._task.done)
    assert bench.shard.fenced_since is not None
    assert bench.fenced == [0]
    bench.put(10, b"1")
    assert (bench.counted, bench.transaction.committed, bench.fatal) == (0, [], [])


@pytest.mark.parametrize("error", [Fatal(EXIT_COMMIT_UNKNOWN, "the broker went away"), RuntimeError("a bug")])
async def test_a_commit_that_ends_unknown_ends_the_worker(bench_of, error):
    """Whether it was committed is read back after the restart; nothing reaches the tables before."""
    bench = bench_of(error)
    bench.put(10, b"1")
    await until(lambda: bench.fatal)
    assert [error.code for error in bench.fatal] == [EXIT_COMMIT_UNKNOWN]
    assert bench.counted == 0


async def test_what_cannot_be_prepared_is_dead_lettered_and_the_rest_goes_on(bench_of):
    """Preparing fails twice, for the batch and for the record; neither blocks the shard."""
    bench = bench_of()
    bench.put(10, b"1", b"later", b"3")
    await until(lambda: bench.counted == 2)
    assert bench.agent.asked == 2


async def test_a_turn_that_takes_long_is_given_longer_polls(bench_of):
    """A fetch in between would only take the interpreter from it; a short one is looked at again at once."""
    bench = bench_of()
    bench.put(10, b"1")
    bench.shard.turn_since = 100.0
    assert bench.shard.wants_in(100.001) == pytest.approx(0.003)
    assert bench.shard.wants_in(100.2) == pytest.approx(0.1)


class RefusingProducer:
    """A producer whose broker finds a batch too large; its abort ends as told."""

    def __init__(self, abort_ends=None):
        self.aborted = False
        self._abort_ends = abort_ends

    async def begin(self):
        """Begin."""

    async def send_offsets(self, partition, offsets, group):
        """Take the offsets."""

    async def delivered(self, futures):
        raise TooLargeForBroker("a batch")

    async def abort(self):
        self.aborted = True
        if self._abort_ends is not None:
            raise self._abort_ends


def a_turn():
    """Return a turn that has consumed something and writes nothing."""
    turn = Turn(0, {}, {}, now=0, sequence=1, record_limit=1_000_000)
    turn.offsets["pixel.events"] = 11
    return turn


@pytest.mark.parametrize(("abort_ends", "raised"), [(None, TooLargeForBroker), (Fenced("another owner"), Fenced)])
async def test_a_transaction_that_is_too_large_is_aborted_by_its_own_epoch(abort_ends, raised):
    """A new producer would fence whoever has taken the shard meanwhile; the abort is refused then."""
    producer = RefusingProducer(abort_ends)
    names = SimpleNamespace(topic=str, changelog=str, group="group")
    transaction = Transaction(0, producer, names, timeout_s=5, milestones=Unwatched())
    with pytest.raises(raised):
        await transaction.commit(a_turn())
    assert producer.aborted
