"""What an author of agents may get wrong: it is told, it costs its own record, and it ends no worker."""

import asyncio
import sys
from datetime import timedelta

import pytest

from schemas import topics
from schemas.fates import EffectOutcome
from streams.engine.agent import JSON, RAW, Agent, Effect, Table
from streams.engine.errors import AgentStopped
from streams.engine.fuse import BLOWS_AT
from streams.engine.state import Line
from streams.engine.testing import MemoryShard

ROWS = Table("mistakes.rows", JSON)
BYTES = Table("mistakes.bytes", RAW)
CALL = {"agent": "careless", "kind": "test", "store": "acme", "destination": "there", "key": "k"}


def ends(error):
    """Raise, in an expression."""
    raise error


def deep(depth=0):
    """Call itself for ever."""
    return deep(depth + 1)


MISTAKES = {
    "send: a text as key": lambda _, shard: shard.send(topics.TRACKING_EVENTS, "acme/k", b"v"),
    "send: a text as value": lambda _, shard: shard.send(topics.TRACKING_EVENTS, b"acme/k", "v"),
    "send: a number as value": lambda _, shard: shard.send(topics.TRACKING_EVENTS, b"acme/k", 5),
    "send: a header of text": lambda _, shard: shard.send(topics.TRACKING_EVENTS, b"acme/k", b"v", [("h", "x")]),
    "table: bytes as key": lambda _, shard: shard.table(ROWS).__setitem__(b"acme/k", 1),
    "table: nothing as key": lambda _, shard: shard.table(ROWS).__setitem__(None, 1),
    "table: half a character in a key": lambda _, shard: shard.table(ROWS).__setitem__("acme/\ud83d", 1),
    "table: half a character in a value": lambda _, shard: shard.table(ROWS).__setitem__("acme/k", "\ud83d"),
    "table: a set as JSON": lambda _, shard: shard.table(ROWS).__setitem__("acme/k", {1}),
    "table: a number as bytes": lambda _, shard: shard.table(BYTES).__setitem__("acme/k", 5),
    "effect: a number as id": lambda _, shard: shard.effect(Effect(id=5, **CALL)),
    "effect: no due time": lambda _, shard: shard.effect(Effect(id="x", not_before=None, **CALL)),
    "effect: half a second": lambda _, shard: shard.effect(Effect(id="x", not_before=0.5, **CALL)),
    "effect: a payload that is no JSON": lambda _, shard: shard.effect(Effect(id="x", payload={1: {2}}, **CALL)),
    "effect: a huge payload": lambda _, shard: shard.effect(Effect(id="x", payload={"t": "x" * 2_000_000}, **CALL)),
    "fates: two for one record": lambda batch, _: [batch.passed(batch.records[0]) for _ in range(2)] and None,
    "raises: an exit": lambda *_: sys.exit(0),
    "raises: a cancellation": lambda *_: ends(asyncio.CancelledError()),
    "raises: no memory": lambda *_: ends(MemoryError()),
    "raises: too deep": lambda *_: deep(),
    "returns: a generator": lambda batch, _: (1 for _ in batch),
}


class Careless(Agent):
    """Counts, and makes its mistake over a record that asks for it."""

    name, inputs, tables = "careless", (topics.PIXEL_EVENTS,), (ROWS, BYTES)

    def __init__(self, mistake):
        self.mistake = mistake

    def process(self, batch, shard):
        rows = shard.table(ROWS)
        for record in batch:
            rows["acme/n"] = rows.get("acme/n", 0) + 1
            if record.value == b"bad" and (returned := self.mistake(batch, shard)) is not None:
                return returned
        return None


async def feed(shard, *values):
    """Process the values in one turn."""
    return await shard.feed(topics.PIXEL_EVENTS, *((b"acme/k", value) for value in values))


def sendable(turn):
    """Say whether the producer can write all of it."""
    return all(
        type(key) is str and key.encode() and (value is None or type(value) is bytes)
        for writes in turn.changelogs().values()
        for key, value in writes.items()
    )


@pytest.mark.parametrize("name", MISTAKES)
async def test_a_mistake_costs_its_own_record(name):
    """It becomes a dead letter before anything is sent; the others are counted, and each has one fate."""
    shard = MemoryShard([Careless(MISTAKES[name])])
    assert sendable(await feed(shard, b"1", b"bad", b"2"))
    assert shard.table(ROWS) == {"acme/n": 2}
    assert len(shard.dead_letters()) == 1
    assert shard.fates() == {"counted": 2, "dead": 1}
    assert shard.effects() == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("send: a text as key", "not str and bytes"),
        ("table: bytes as key", "a key is no text"),
        ("effect: no due time", "'not_before': 'NoneType'"),
        ("returns: a generator", "returned a generator"),
        ("raises: an exit", "raised SystemExit"),
        ("fates: two for one record", "two fates"),
    ],
)
async def test_the_letter_tells_the_mistake(name, told):
    """In the engine's own words, which hold no value."""
    shard = MemoryShard([Careless(MISTAKES[name])])
    await feed(shard, b"bad")
    (letter,) = shard.dead_letters()
    assert told in letter["reason"]


async def test_a_mistake_over_everything_stops_the_agent():
    """A value that no codec takes is the agent's bug, not the records': they are not drained into dead letters."""
    shard = MemoryShard([Careless(MISTAKES["table: a set as JSON"])])
    with pytest.raises(AgentStopped, match="a value is no json"):
        await feed(shard, *[b"bad"] * BLOWS_AT)


async def _asynchronous(self, now, shard):
    """Never run."""


def _short(self, shard):
    """Takes one argument too few."""


def _lazy(self, batch, shard):
    yield from batch


SOUND = {
    "name": "sound",
    "inputs": (topics.PIXEL_EVENTS,),
    "tables": (ROWS,),
    "process": Agent.tick,
}


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"process": _lazy}, r"agent sound: process\(\) is a generator or a coroutine"),
        ({"tick": _asynchronous}, r"agent sound: tick\(\) is a generator or a coroutine"),
        ({"process": _short}, r"agent sound: process\(\) is called with \(batch, shard\)"),
        ({"tick": _short}, r"agent sound: tick\(\) is called with \(now, shard\)"),
        ({"name": None}, "agent Declared has no `name`"),
        ({"name": "effects"}, "'effects' is the engine's own"),
        ({"inputs": topics.PIXEL_EVENTS}, "agent sound: `inputs` is a tuple of Topic objects, .* not Topic"),
        ({"inputs": ("pixel.events",)}, "agent sound: `inputs` is a tuple of Topic objects"),
        ({"inputs": (topics.PIXEL_EVENTS, topics.PIXEL_EVENTS)}, "agent sound: `inputs` names one twice"),
        ({"tables": ROWS}, "agent sound: `tables` is a tuple of Table objects"),
    ],
)
async def test_an_agent_that_cannot_work_as_declared_does_not_start(declared, told):
    """Some would count nothing, one would count every record twice, the rest would fail on each."""
    agent = type("Declared", (Agent,), SOUND | declared)()
    with pytest.raises((TypeError, ValueError), match=told):
        Line([agent])
    Line([type("Declared", (Agent,), SOUND)()])


async def test_a_class_in_place_of_an_agent_does_not_start():
    """Its methods would take the batch for themselves."""
    with pytest.raises(TypeError, match="is no Agent: give an instance of it"):
        Line([Careless])


@pytest.mark.parametrize("ttl", [60, timedelta(0), timedelta(microseconds=1), timedelta(seconds=-1)])
async def test_a_time_to_live_that_is_none_is_refused(ttl):
    """Zero milliseconds would mean for ever."""
    with pytest.raises(TypeError, match="table short: `ttl` is a timedelta of a millisecond or more"):
        Table("short", ttl=ttl)


async def test_what_was_kept_from_an_earlier_turn_is_refused():
    """Views and shards are of one turn: what is staged in an old one would be lost, and nobody would say so."""

    class Keeping(Agent):
        name, inputs, tables = "keeping", (topics.PIXEL_EVENTS,), (ROWS,)
        view = shard = None

        def process(self, batch, shard):
            self.view = self.view if self.view is not None else shard.table(ROWS)
            self.shard = self.shard or shard
            for record in batch:
                if record.value == b"view":
                    self.view["acme/n"] = 1
                if record.value == b"read":
                    self.view.get("acme/n")
                if record.value == b"shard":
                    self.shard.send(topics.TRACKING_EVENTS, record.key, record.value)

    shard = MemoryShard([Keeping()])
    await feed(shard, b"view", b"read", b"shard")
    assert shard.dead_letters() == []
    await feed(shard, b"view", b"read", b"shard")
    assert len(shard.dead_letters()) == 3
    assert all("earlier turn" in letter["reason"] for letter in shard.dead_letters())


async def test_agents_of_a_topic_cannot_take_records_from_each_other():
    """They are given the same records, in what nobody can change."""

    class Emptying(Agent):
        name, inputs = "emptying", (topics.PIXEL_EVENTS,)

        def process(self, batch, shard):
            while batch.records:
                batch.records.pop()

    shard = MemoryShard([Emptying(), Careless(lambda *_: None)])
    await feed(shard, b"1", b"2")
    assert shard.table(ROWS) == {"acme/n": 2}


async def test_slashes_in_the_id_of_an_effect_are_part_of_it():
    """`profile/<customer>/<revision>` is one effect, and its outcome finds it."""
    heard = []

    class Calling(Agent):
        name, inputs = "careless", (topics.PIXEL_EVENTS,)

        def process(self, batch, shard):
            shard.effect(Effect(id="profile/a/b/1", **CALL))

        def outcome(self, outcome, shard):
            heard.append(outcome.effect)

    shard = MemoryShard([Calling()])
    await feed(shard, b"1")
    (effect,) = shard.effects()
    await shard.outcome(EffectOutcome(
        effect=effect.id, agent=effect.agent, kind=effect.kind, store=effect.store, destination=effect.destination,
        key=effect.key, status="done", at="2027-01-01T00:00:00Z",
    ))  # fmt: skip
    assert heard == ["profile/a/b/1"]
    assert shard.effects() == []
