"""The effect runner: when a call is claimed, and that what was taken back is not made."""

import asyncio
from dataclasses import replace

import pytest
from aiokafka.errors import KafkaError

from schemas.fates import EffectOutcome
from streams.engine.effect import Effect
from streams.engine.effects import EffectRunner
from streams.engine.metrics import Metrics
from streams.engine.names import StreamNames
from streams.engine.outbox import row_key, staged_row
from streams.engine.settings import EffectSettings
from streams.engine.tenure import Tenure

CALL = Effect(id="call", agent="caller", kind="test", store="acme", destination="there", key="k", repeatable=False)
FOR_EVER, NEVER = float("inf"), float("-inf")
SETTINGS = EffectSettings(rate=1000.0, breaker_after=1, breaker_first_s=0.05, grace_s=0.0)


async def until(condition):
    """Wait until it holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  the runner has no event to wait for
            await asyncio.sleep(0.001)


class Bench:
    """A runner with one shard; what it tells and what it makes is kept."""

    def __init__(self, settings=SETTINGS):
        self.made = []
        self.told = []
        self.claimed = []
        self.answers = {}
        self.on_claim = lambda _: None
        names = StreamNames(lambda name: name)
        self.tenure = Tenure(6.0)
        self.tenure.confirm(FOR_EVER)
        self.runner = EffectRunner({"test": self.make}, settings, names, {}, Metrics(), tenure=self.tenure)
        self.runner._producer = self

    async def send_and_wait(self, topic, *, key, value, partition):
        """Keep what would go to `effects.outcomes`."""
        self.told.append(EffectOutcome.model_validate_json(value))

    async def make(self, effect):
        """Answer a call."""
        self.made.append(effect.id)
        return EffectOutcome(
            effect=effect.id, agent=effect.agent, kind=effect.kind, store=effect.store, destination=effect.destination,
            key=effect.key, status=self.answers.get(effect.id, "done"), at="2027-01-01T00:00:00Z",
        )  # fmt: skip

    async def claim(self, key):
        """Claim at once."""
        self.claimed.append(key)
        self.on_claim(key)

    def put(self, *effects):
        """Begin with what stands in the outbox."""
        rows = {row_key(one.store, one.id): staged_row(one, seq) for seq, one in enumerate(effects)}
        self.runner.take_over(0, rows, self.claim)


@pytest.fixture
async def bench():
    """A runner that is let go in the end."""
    bench = Bench()
    yield bench
    await bench.runner.let_go()


async def test_what_the_last_owner_has_left_is_counted_at_once(bench):
    """A backlog that waits for a destination shows, although nothing is added to it."""
    bench.put(*(replace(CALL, id=f"call-{n}", not_before=2**53) for n in range(3)))
    assert bench.runner._metrics.effects_waiting._value.get() == 3


async def test_what_was_taken_back_while_it_was_claimed_is_not_made(bench):
    """A message to somebody who is forgotten in the very transaction that would have claimed it."""
    bench.on_claim = lambda key: bench.runner.changed(0, {key: None}) if key == "acme/call" else None
    bench.put(CALL, replace(CALL, id="next"))
    await until(lambda: bench.told)
    assert bench.made == ["next"]


async def test_what_was_taken_back_while_the_breaker_was_open_is_not_made(bench):
    """Nobody calls for somebody who was forgotten meanwhile; and the breaker lets the next one try."""
    first = replace(CALL, id="first", key="a")
    bench.answers["first"] = "uncertain"
    bench.put(first)
    await until(lambda: len(bench.told) == 1)
    late, later = (replace(CALL, id=name, key=name, repeatable=True) for name in ("late", "later"))
    rows = {row_key("acme", one.id): staged_row(one, seq) for seq, one in enumerate((late, later), 1)}
    bench.runner.changed(0, {row_key("acme", "first"): None} | rows)
    await asyncio.sleep(0)
    await until(lambda: len(bench.runner._shards[0].calls) == 2)
    bench.runner.changed(0, {row_key("acme", "late"): None})
    await until(lambda: len(bench.told) == 2)
    assert bench.made == ["first", "later"]


async def test_nothing_is_claimed_before_it_can_be_made(bench):
    """Else a worker that stops while a destination is away would leave messages uncertain that nobody sent."""
    bench.answers["first"] = "uncertain"
    bench.put(replace(CALL, id="first", key="a"))
    await until(lambda: len(bench.told) == 1)
    bench.runner.changed(0, {row_key("acme", "second"): staged_row(replace(CALL, id="second", key="b"), 1)})
    await until(lambda: len(bench.runner._shards[0].calls) == 1)
    assert bench.claimed == ["acme/first"]
    await until(lambda: len(bench.told) == 2)
    assert bench.claimed == ["acme/first", "acme/second"]


async def test_a_fenced_shard_begins_no_more_calls(bench):
    """Its next owner makes them, and later ones after them: an older state must not come last."""
    first, waiting = replace(CALL, id="first", key="a"), replace(CALL, id="waiting", key="b", repeatable=True)
    bench.answers["first"] = "uncertain"
    bench.put(first)
    await until(lambda: len(bench.told) == 1)
    bench.runner.changed(0, {row_key("acme", "waiting"): staged_row(waiting, 1)})
    mine = bench.runner._shards[0]
    await until(lambda: mine.calls)
    bench.runner.fenced(0)
    await until(lambda: not mine.calls)
    assert bench.made == ["first"]
    assert all(pump.done() for pump in mine.pumps)


async def test_no_call_is_claimed_or_begun_while_nobody_knows_whose_the_shard_is(bench):
    """A worker that is cut off hears nothing of the next owner; one whose broker was restarted goes on where it was."""
    bench.tenure.confirm(NEVER)
    bench.put(CALL, replace(CALL, id="again", key="b", repeatable=True))
    await until(lambda: len(bench.runner._shards[0].calls) == 2)
    unknown = [wait for wait in bench.runner.waits() if wait.who == "effects"]
    assert [wait.healthy for wait in unknown] == [False]
    assert (bench.claimed, bench.made) == ([], [])
    bench.tenure.confirm(FOR_EVER)
    await until(lambda: len(bench.told) == 2)
    assert (bench.claimed, sorted(bench.made)) == (["acme/call"], ["again", "call"])
    assert bench.runner.waits() == []


async def test_a_call_that_waited_for_its_turn_is_not_begun_once_the_shard_may_be_anothers(bench):
    """Its next owner makes it, and later ones after it: an older state must not come last."""
    turn = asyncio.Event()

    async def hold(effect):
        await turn.wait()
        return await bench.make(effect)

    bench.runner._handlers["held"] = hold
    bench.runner._room = asyncio.Semaphore(1)
    bench.put(*(replace(CALL, id=name, key=name, kind=kind, repeatable=True)
                for name, kind in (("first", "held"), ("waiting", "test"))))  # fmt: skip
    await until(lambda: len(bench.runner._room._waiters or ()) == 1)
    bench.tenure.confirm(NEVER)
    turn.set()
    await until(lambda: len(bench.told) == 1)
    assert bench.made == ["first"]
    await bench.runner.let_go()
    assert bench.made == ["first"]


async def test_a_producer_that_will_never_send_again_is_replaced(bench, monkeypatch):
    """Its sender has died, and answers all with that error: no outcome would ever be told, and nothing would say so."""
    monkeypatch.setattr("streams.engine.effects.SEND_RETRY_S", 0.001)
    stopped = []

    class Dead:
        async def send_and_wait(self, *_, **__):
            raise KafkaError("Unexpected error during batch delivery")

        async def stop(self):
            stopped.append(self)

    async def start():
        """Have nothing to start."""

    dead = bench.runner._producer = Dead()
    bench.start = start
    bench.runner._new_producer = lambda: bench
    bench.put(CALL)
    await until(lambda: bench.told)
    assert (bench.made, stopped, bench.runner._producer) == (["call"], [dead], bench)


async def test_it_stops_also_when_no_broker_takes_the_last_outcome(bench, monkeypatch):
    """A worker that is told to stop while its broker is away would never end."""
    monkeypatch.setattr("streams.engine.effects.STOP_S", 0.001)

    class Waiting:
        async def stop(self):
            await asyncio.Event().wait()

    bench.runner._producer = Waiting()
    await asyncio.wait_for(bench.runner.stop(), 5)
    assert bench.runner._producer is None


@pytest.mark.parametrize("answer", ["nothing", "another's outcome", "a cancellation"])
async def test_a_handler_that_does_not_answer_leaves_its_effect_uncertain(bench, answer):
    """Its effect would count as under way for ever, and all that come after it under the same key."""

    async def handle(effect):
        if answer == "a cancellation":
            raise asyncio.CancelledError
        return await bench.make(replace(effect, id="another")) if answer == "another's outcome" else None

    bench.runner._handlers["broken"] = handle
    bench.put(replace(CALL, kind="broken", repeatable=True))
    await until(lambda: bench.told)
    assert [(outcome.effect, outcome.status) for outcome in bench.told] == [("call", "uncertain")]


async def test_calls_that_leave_together_wait_together():
    """Their handler sees as many as one request takes, however few calls may be under way otherwise."""
    settings = replace(SETTINGS, concurrent=1, per_destination=1, gathered={"together": 5})
    waiting, all_there = [], asyncio.Event()

    async def gather(effect):
        waiting.append(effect.id)
        await all_there.wait()
        return await Bench.make(bench, effect)

    bench = Bench(settings)
    bench.runner._handlers["test"] = gather
    bench.put(*(replace(CALL, id=f"call-{n}", key=f"k{n}", destination="together", repeatable=True) for n in range(9)))
    await until(lambda: len(waiting) == 5)
    await asyncio.sleep(0)
    assert len(waiting) == 5
    all_there.set()
    await until(lambda: len(bench.told) == 9)
    await bench.runner.let_go()
