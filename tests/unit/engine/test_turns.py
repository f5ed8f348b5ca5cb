"""What a turn does: savepoints, fates, dead letters, effects, ticks; without Kafka, on the code the worker runs."""

from datetime import timedelta

import orjson
import pytest

from schemas import topics
from schemas.fates import REDRIVEN, DeadLetter, EffectOutcome, FateSummary
from streams.engine.agent import JSON, RAW, Agent, Effect, NotYet, Poison, Table
from streams.engine.errors import AgentStopped
from streams.engine.fuse import BLOWS_AT
from streams.engine.outbox import OUTBOX
from streams.engine.testing import MemoryShard
from streams.engine.turn import OVERHEAD

COUNTS = Table("test.counts", JSON)
OTHER = Table("test.other", JSON)
SECRET = "maria@example.com"


def fail(error):
    """Raise, in an expression."""
    raise error


class Counter(Agent):
    """Counts by key; obeys what the values tell it."""

    name = "counter"
    inputs = (topics.PIXEL_EVENTS,)
    tables = (COUNTS, OTHER)

    def __init__(self):
        self.prepared = 0
        self.heard = []
        self.acts = {
            b"raise": lambda *_: fail(ValueError(SECRET)),
            b"poison": lambda *_: fail(Poison("never will be")),
            b"later": lambda *_: None if self.prepared else fail(NotYet(self.prepare)),
            b"never": lambda *_: fail(NotYet(self.prepare)),
            b"huge": lambda _, __, shard: shard.table(COUNTS).__setitem__("huge", "x" * 2_000_000),
            b"half": lambda _, __, shard: shard.table(OTHER).__setitem__("strange", object()),
            b"strange": lambda _, __, shard: shard.table(COUNTS).__setitem__("strange", object()),
            b"duplicate": lambda batch, record, _: batch.duplicate(record, "an-id"),
            b"filtered": lambda batch, record, _: batch.filtered(record, "an-id", "bot"),
            b"dead": lambda batch, record, _: batch.dead(record, "no such thing"),
            b"effect": lambda _, record, shard: shard.effect(an_effect(f"call-{record.offset}")),
        }

    async def prepare(self):
        self.prepared += 1

    def process(self, batch, shard):
        counts = shard.table(COUNTS)
        for record in batch:
            key = record.key.decode()
            counts[key] = counts.get(key, 0) + 1
            shard.send(topics.TRACKING_EVENTS, record.key, record.value)
            act = self.acts.get(record.value)
            if act:
                act(batch, record, shard)

    def outcome(self, outcome, shard):
        self.heard.append((outcome.effect, outcome.status))
        if outcome.reason == "raise":
            raise ValueError(SECRET)


class Forwarder(Agent):
    """A second agent on the same topic."""

    name = "forwarder"
    inputs = (topics.PIXEL_EVENTS,)

    def process(self, batch, shard):
        for record in batch:
            shard.send(topics.PROFILES, record.key, record.value)
            if record.value == b"second raises":
                raise RuntimeError


def an_effect(name, **changes):
    """Return an effect that the counter stages."""
    given = {"id": name, "agent": "counter", "kind": "test", "store": "acme", "destination": "nowhere", "key": "k"}
    return Effect(**given | changes)


def an_outcome(name, status="done", **changes):
    """Return an outcome for it."""
    given = {"effect": name, "agent": "counter", "kind": "test", "store": "acme", "destination": "nowhere", "key": "k"}
    return EffectOutcome.model_validate(given | {"status": status, "at": "2026-11-24T10:00:00Z"} | changes)


@pytest.fixture
def counter():
    """The agent under test."""
    return Counter()


@pytest.fixture
def shard(counter):
    """A shard that runs it before another agent."""
    return MemoryShard([counter, Forwarder()])


async def feed(shard, *values, key=b"acme/k"):
    """Process one record for each value, in one turn."""
    return await shard.feed(topics.PIXEL_EVENTS, *((key, value) for value in values))


class TestCulprits:
    """Whatever an agent raises stops only the record that made it raise."""

    @pytest.mark.parametrize("culprit", [b"raise", b"poison", b"huge", b"strange", b"half", b"never"])
    async def test_only_the_culprit_is_dead_lettered(self, shard, culprit):
        """The rest of the batch is counted and sent; nothing of the culprit's work remains."""
        await feed(shard, b"1", culprit, b"2")
        assert shard.table(COUNTS) == {"acme/k": 2}
        assert shard.outputs(topics.TRACKING_EVENTS) == [(b"acme/k", b"1"), (b"acme/k", b"2")]
        (letter,) = shard.dead_letters()
        assert (letter["topic"], letter["partition"], letter["offset"]) == ("pixel.events", 0, 1)
        assert letter["step"] == "counter"

    async def test_the_letter_can_be_read_and_tells_no_value(self, shard):
        """A letter fits its schema, holds the original bytes and the traceback, but not what the exception quotes."""
        await feed(shard, b"raise")
        (letter,) = shard.dead_letters()
        parsed = DeadLetter.model_validate(letter)
        assert parsed.letter == "counter/pixel.events/0/0"
        assert parsed.reason == "ValueError"
        assert "in process" in parsed.detail
        assert SECRET not in orjson.dumps(letter).decode()

    async def test_a_later_agents_failure_keeps_what_earlier_ones_settled(self, shard):
        """An agent's fates survive when the next agent on the same topic raises."""
        await feed(shard, b"1", b"second raises", b"2")
        assert shard.table(COUNTS) == {"acme/k": 3}
        assert shard.fates() == {"counted": 5, "dead": 1}
        assert [key for key, _ in shard.outputs(topics.PROFILES)] == [b"acme/k"] * 2

    async def test_keys_that_name_no_store_stop_nobody(self, shard):
        """A foreign key is processed under the store `unknown`."""
        await feed(shard, b"1", b"raise", key=b"No Store!/k")
        assert [letter["store"] for letter in shard.dead_letters()] == ["unknown"]
        stores = {orjson.loads(value)["store"] for _, value in shard.outputs(topics.EVENT_FATES)}
        assert stores == {"unknown"}

    async def test_a_strangers_giant_key_makes_a_letter_that_a_broker_takes(self, shard):
        """Else it would be refused again and again, and the worker with it."""
        await feed(shard, b"raise", key=b"acme/" + b"k" * 900_000)
        ((_, value),) = shard.outputs(topics.DEAD_LETTERS)
        assert len(value) < 100_000
        letter = DeadLetter.model_validate_json(value)
        assert "cut" in letter.obstacle
        assert (letter.value, letter.size) == ("cmFpc2U=", 5)  # the key's length takes nothing from the value

    async def test_a_letter_fits_where_its_record_did_not(self, shard):
        """Of a value that is too large for the broker's topics as much is kept as is not."""
        shard._state.record_limit = 100_000
        await feed(shard, b"v" * 900_000)
        letters = [value for _, value in shard.outputs(topics.DEAD_LETTERS)]
        assert [50_000 < len(value) < 100_000 for value in letters] == [True, True]
        assert {DeadLetter.model_validate_json(value).size for value in letters} == {900_000}


class TestNotYet:
    """An agent may ask for what is outside."""

    async def test_prepares_once_and_runs_again(self, shard, counter):
        """The batch runs again after the preparation, from its beginning, and counts once."""
        await feed(shard, b"1", b"later", b"2")
        assert counter.prepared == 1
        assert shard.table(COUNTS) == {"acme/k": 3}
        assert shard.dead_letters() == []

    async def test_a_record_that_asks_again_is_dead_lettered(self, shard, counter):
        """Once for the batch, once for the record; then the record is given up."""
        await feed(shard, b"1", b"never")
        assert counter.prepared == 2
        assert [letter["offset"] for letter in shard.dead_letters()] == [1]

    async def test_many_records_that_ask_are_prepared_for_together(self, shard, counter):
        """Ten thousand records of a store that was disconnected cost two more runs, not ten thousand."""
        await feed(shard, b"1", *[b"never"] * 300, b"poison", b"2")
        assert counter.prepared == 2
        assert len(shard.dead_letters()) == 301
        assert shard.table(COUNTS) == {"acme/k": 2}


class TestFates:
    """Every record has one fate for each agent."""

    async def test_every_record_is_accounted_for(self, shard):
        """Counted is whatever the agent did not call otherwise."""
        await feed(shard, b"1", b"duplicate", b"filtered", b"dead", b"raise")
        by_agent = {}
        for _, value in shard.outputs(topics.EVENT_FATES):
            summary = FateSummary.model_validate_json(value)
            by_agent[summary.agent] = summary
        assert by_agent["counter"].counts == {"counted": 1, "duplicate": 1, "filtered": 1, "dead": 2}
        assert by_agent["forwarder"].counts == {"counted": 5}
        fates = {(one.offset, one.fate, one.reason) for one in by_agent["counter"].uncounted}
        assert (2, "filtered", "bot") in fates
        assert (3, "dead", "no such thing") in fates
        assert len(shard.dead_letters()) == 2

    async def test_many_uncounted_are_spread_over_summaries(self, shard):
        """No summary outgrows what a broker takes, and their sum is right."""
        await feed(shard, b"1", *[b"duplicate"] * 2500)
        sizes = [len(value) for _, value in shard.outputs(topics.EVENT_FATES)]
        assert max(sizes) < 300_000
        assert shard.fates() == {"counted": 1 + 2501, "duplicate": 2500}

    @pytest.mark.parametrize("letter", ["я", "\U0001f600", "\x00"])
    async def test_long_ids_make_more_summaries_and_no_giant(self, shard, counter, letter):
        """A sender chooses its ids, and what no broker takes would end the worker again and again."""
        counter.acts[b"duplicate"] = lambda batch, record, _: batch.duplicate(record, letter * 512)
        await feed(shard, *[b"duplicate"] * 1000)
        sizes = [len(value) for _, value in shard.outputs(topics.EVENT_FATES)]
        assert max(sizes) < 500_000
        assert shard.fates() == {"counted": 1000, "duplicate": 1000}

    async def test_stores_are_summarised_apart(self, shard):
        """One summary for each store, with the offsets of its own records."""
        for number in range(6):
            shard.put(topics.PIXEL_EVENTS, b"acme/k" if number % 2 else b"other/k", b"1")
        await shard.run()
        spans = {
            (one["store"], one["first_offset"], one["last_offset"])
            for one in (orjson.loads(value) for _, value in shard.outputs(topics.EVENT_FATES))
        }
        assert spans == {("other", 0, 4), ("acme", 1, 5)}


class TestFuse:
    """A bug is not a thousand bad records."""

    async def test_an_agent_that_always_raises_is_stopped(self, shard):
        """The topic is not drained into dead letters: nothing of the turn is committed."""
        with pytest.raises(AgentStopped, match="looks like a bug"):
            await feed(shard, *[b"raise"] * (BLOWS_AT + 10))
        assert shard.dead_letters() == []
        assert shard.waiting == BLOWS_AT + 10

    async def test_poison_and_single_failures_do_not_stop_it(self, shard):
        """Poison is the record's fault, and a tenth of failures is not nearly everything."""
        await feed(shard, *[b"poison"] * 200)
        await feed(shard, *([b"raise"] + [b"1"] * 9) * 60)
        assert len(shard.dead_letters()) == 260

    async def test_one_store_does_not_stop_the_others(self, shard):
        """While the agent copes with another store, what it fails on is that store's matter: dead letters."""
        await feed(shard, b"1", key=b"other/k")
        await feed(shard, *[b"raise"] * (BLOWS_AT + 10))
        await feed(shard, b"1", key=b"other/k")
        assert len(shard.dead_letters()) == BLOWS_AT + 10
        assert shard.table(COUNTS)["other/k"] == 2
        with pytest.raises(AgentStopped):  # but not once it fails on every store
            await feed(shard, b"raise", key=b"other/k")


class TestEffects:
    """Effects are staged with everything else, and their outcomes are told once."""

    async def test_a_claim_may_make_a_row_longer_than_what_fits(self, shard):
        """It was accepted before: to refuse it now would end the worker again and again."""
        await feed(shard, b"effect")
        shard._state.record_limit = OVERHEAD + 10
        turn = shard._state.run(shard.now, claims=["acme/call-0"])
        assert turn.outbox_changes()["acme/call-0"]["state"] == "started"

    async def test_staged_effects_survive_a_restart_in_order(self, shard):
        """The outbox is a table like any other."""
        await feed(shard, b"effect", b"1", b"effect")
        shard.restart()
        assert [effect.id for effect in shard.effects()] == ["call-0", "call-2"]
        await feed(shard, b"effect")
        assert [effect.id for effect in shard.effects()] == ["call-0", "call-2", "call-3"]

    @pytest.mark.parametrize("value", [b"x", b"{}", None])
    async def test_what_is_no_outcome_says_so(self, shard, value):
        """The letter names what the record is not; nobody hears of it."""
        await shard.feed(topics.EFFECTS_OUTCOMES, (b"acme/call-0", value))
        assert [letter["reason"] for letter in shard.dead_letters()] == ["not an EffectOutcome"]

    async def test_an_outcome_is_told_once(self, shard, counter):
        """A second outcome for the same effect is a duplicate."""
        await feed(shard, b"effect")
        await shard.outcome(an_outcome("call-0"))
        await shard.outcome(an_outcome("call-0"))
        assert counter.heard == [("call-0", "done")]
        assert shard.effects() == []
        assert shard.fates()["duplicate"] == 1

    async def test_retry_keeps_the_effect_and_waits_longer(self, shard, counter):
        """The engine answers `retry` itself, with growing pauses, until the attempts are used up."""
        await feed(shard, b"effect")
        pauses = []
        for attempt in range(1, 12):
            await shard.outcome(an_outcome("call-0", "retry", attempt=attempt))
            (row,) = shard.table(OUTBOX).values()
            pauses.append(row["not_before"] - shard.now)
        assert counter.heard == []
        assert pauses[:4] == [1_000, 2_000, 4_000, 8_000]
        assert pauses[-1] == 300_000
        await shard.outcome(an_outcome("call-0", "retry", attempt=12))
        assert counter.heard == [("call-0", "retry")]

    async def test_an_outcome_of_an_earlier_attempt_is_no_news(self, shard, counter):
        """A worker that was frozen may tell late what it did; the row has moved on."""
        await feed(shard, b"effect")
        await shard.outcome(an_outcome("call-0", "retry", attempt=1))
        await shard.outcome(an_outcome("call-0", "retry", attempt=1))
        (row,) = shard.table(OUTBOX).values()
        assert row["attempt"] == 2
        assert counter.heard == []

    @pytest.mark.parametrize("changes", [{"reason": "raise"}, {"agent": "nobody"}])
    async def test_an_outcome_that_nobody_can_hear_frees_its_key(self, shard, changes):
        """It is dead-lettered, and the effect does not block those behind it for ever."""
        await feed(shard, b"effect")
        await shard.outcome(an_outcome("call-0", **changes))
        assert shard.effects() == []
        assert len(shard.dead_letters()) == 1

    async def test_an_outcome_that_was_redriven_is_told_although_its_row_is_gone(self, shard, counter):
        """Else its agent would wait for it for ever; coming back once more it is a duplicate again."""
        await feed(shard, b"effect")
        await shard.outcome(an_outcome("call-0", reason="raise"))
        counter.heard.clear()
        told = an_outcome("call-0").model_dump_json().encode()
        shard.put(topics.EFFECTS_OUTCOMES, b"acme/call-0", told, headers=[(REDRIVEN, b"effects/1")])
        shard.put(topics.EFFECTS_OUTCOMES, b"acme/call-0", told)
        await shard.run()
        assert counter.heard == [("call-0", "done")]
        assert shard.fates()["duplicate"] == 1

    async def test_what_is_no_outcome_is_dead_lettered(self, shard):
        """Nothing in a topic can stop a worker."""
        await shard.feed(topics.EFFECTS_OUTCOMES, (b"acme/x", b"not json"), (b"acme/y", None))
        assert len(shard.dead_letters()) == 2


class TestTicks:
    """A tick is a step like any other."""

    async def test_a_tick_that_raises_leaves_no_trace(self):
        """What it staged is undone; the next agent's tick goes on."""

        class Raising(Agent):
            name, inputs, tables = "raising", (), (COUNTS,)

            def tick(self, now, shard):
                shard.table(COUNTS)["a"] = now
                raise RuntimeError

        class Good(Agent):
            name, inputs, tables = "good", (), (COUNTS,)

            def tick(self, now, shard):
                shard.table(COUNTS)["b"] = now

        shard = MemoryShard([Raising(), Good()], now=5)
        await shard.tick()
        assert shard.table(COUNTS) == {"b": 5}

    async def test_expired_keys_are_removed_whatever_their_number(self, monkeypatch):
        """What one turn cannot remove the next ones do, whatever they are for, table by table in turn."""
        monkeypatch.setattr("streams.engine.process.EXPIRED_PER_TURN", 10)
        first, second = (Table(name, RAW, ttl=timedelta(hours=1)) for name in ("first", "second"))

        class Keeping(Agent):
            name, inputs, tables = "keeping", (topics.PIXEL_EVENTS,), (first, second)

            def process(self, batch, shard):
                for record in batch:
                    for table in self.tables:
                        shard.table(table)[f"{record.offset}"] = b"1"

        shard = MemoryShard([Keeping()])
        await feed(shard, *[b"1"] * 25)
        await shard.tick(2 * 3_600_000)
        assert [len(shard.changelog(table)) for table in (first, second)] == [15, 25]
        for _ in range(4):
            await feed(shard, b"1")
        left = [set(shard.changelog(table)) for table in (first, second)]
        assert left == [{"25", "26", "27", "28"}] * 2
        assert (await shard.run()).empty

    async def test_an_idle_tick_costs_no_transaction(self, shard):
        """Nothing to do is nothing to commit."""
        assert (await shard.tick()).empty


class TestTables:
    """What an agent may do to tables."""

    async def test_changing_a_value_in_place_changes_nothing(self):
        """A value that was read is a copy: only setting it writes it."""

        class InPlace(Agent):
            name, inputs, tables = "in-place", (topics.PIXEL_EVENTS,), (COUNTS,)

            def process(self, batch, shard):
                view = shard.table(COUNTS)
                view.get("a", {"n": 0})["n"] += 1
                if "a" not in view:
                    view["a"] = {"n": 0}

        shard = MemoryShard([InPlace()])
        await feed(shard, b"1")
        await feed(shard, b"2")
        assert shard.table(COUNTS) == {"a": {"n": 0}}

    async def test_views_see_what_is_staged_over_what_is_committed(self):
        """get, in, del, items and [] agree, inside and across turns."""
        seen = []

        class Looking(Agent):
            name, inputs, tables = "looking", (topics.PIXEL_EVENTS,), (COUNTS,)

            def process(self, batch, shard):
                view = shard.table(COUNTS)
                view[batch.records[0].value.decode()] = 1
                if "a" in view and "b" in view:
                    del view["a"]
                    with pytest.raises(KeyError):
                        view["a"]
                seen.append((dict(view.items()), "a" in view, view.get("a", "none")))

        shard = MemoryShard([Looking()])
        for value in (b"a", b"b", b"c"):
            await feed(shard, value)
        assert seen == [({"a": 1}, True, 1), ({"b": 1}, False, "none"), ({"b": 1, "c": 1}, False, "none")]

    async def test_a_changelog_that_begins_anew_is_told(self, capsys):
        """What it held stands in this worker only; the worker goes on, for what it writes again is safe again."""
        shard = MemoryShard([Counter()])
        await feed(shard, b"1")
        await feed(shard, b"2")
        assert "created anew" not in capsys.readouterr().out
        shard._changelogs[COUNTS.name].clear()
        await feed(shard, b"3")
        assert "a changelog was created anew or cut at the broker" in capsys.readouterr().out
        await feed(shard, b"4")
        assert "created anew" not in capsys.readouterr().out

    async def test_a_table_nobody_lists_is_refused(self):
        """The message says what to do."""

        class Careless(Agent):
            name, inputs = "careless", (topics.PIXEL_EVENTS,)

            def process(self, batch, shard):
                shard.table(COUNTS)

        shard = MemoryShard([Careless()])
        await feed(shard, b"1")
        (letter,) = shard.dead_letters()
        assert "no agent of this worker lists it in `tables`" in letter["reason"]
