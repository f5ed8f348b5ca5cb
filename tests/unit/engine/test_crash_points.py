"""Crash anywhere: random batches and random crash points, on the code that the worker runs."""

import asyncio
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from streams.engine.agent import JSON, TEXT, Agent, Poison, Table
from streams.engine.testing import MemoryShard

SEEN = Table("test.seen", TEXT, ttl=timedelta(days=1), disk=True)
COUNTS = Table("test.counts", JSON, disk=True)


class CrashError(Exception):
    """The process is gone."""


class CrashPlan:
    """Crashes at the given numbers of points passed."""

    def __init__(self, at):
        self._at = set(at)
        self._passed = 0

    def reached(self, point, shard):
        """Crash, or not."""
        self._passed += 1
        if self._passed in self._at:
            raise CrashError(point)


class Deduplicate(Agent):
    name, inputs, tables = "deduplicate", (topics.PIXEL_EVENTS,), (SEEN,)

    def process(self, batch, shard):
        seen = shard.table(SEEN)
        for record in batch:
            event = record.value.decode()
            if event in seen:
                batch.duplicate(record, event)
                continue
            seen[event] = "1"
            if event.endswith("7"):
                raise Poison("unlucky")
            shard.send(topics.TRACKING_EVENTS, record.key, record.value)


class Count(Agent):
    name, inputs, tables = "count", (topics.TRACKING_EVENTS,), (COUNTS,)

    def process(self, batch, shard):
        counts = shard.table(COUNTS)
        for record in batch:
            counts[record.key.decode()] = counts.get(record.key.decode(), 0) + 1


async def drive(events, crashes, most, folder=None):
    """Feed everything, crash as planned, restart, and go on until nothing waits."""
    shard = MemoryShard([Deduplicate(), Count()], milestones=CrashPlan(crashes), folder=folder)
    for number in events:
        shard.put(topics.PIXEL_EVENTS, b"acme/k%d" % (number % 5), b"%d" % number)
    for _ in range(1000):
        if not shard.waiting:
            return shard
        try:
            await shard.run(most=most)
        except CrashError:
            shard.restart()
    raise AssertionError("still waiting after 1000 turns")


@settings(deadline=None, max_examples=150)
@given(
    events=st.lists(st.integers(0, 60), max_size=80),
    crashes=st.sets(st.integers(1, 60), max_size=25),
    most=st.integers(1, 30),
)
def test_crashes_change_nothing(events, crashes, most):
    """Whatever crashes, every id is forwarded once, every count is exact, every record has one fate."""
    assert said(asyncio.run(drive(events, crashes, most))) == wanted(events)


@settings(deadline=None, max_examples=15)
@given(
    events=st.lists(st.integers(0, 60), min_size=10, max_size=80),
    crashes=st.sets(st.integers(1, 20), min_size=1, max_size=4),
    most=st.integers(5, 30),
)
def test_crashes_change_nothing_on_disk(events, crashes, most):
    """The same when tables are on disk: what a crash left there is brought up to date, not built anew."""
    with tempfile.TemporaryDirectory() as folder:
        shard = asyncio.run(drive(events, crashes, most, Path(folder)))
        assert said(shard) == wanted(events)
        shard.close()


def said(shard):
    """Return what came of the events; a table is what its changelog says, too."""
    for table in (SEEN, COUNTS):
        committed = shard.changelog(table)
        assert shard.table(table) == {key: table.codec.decode(raw) for key, raw in committed.items()}
    return {
        "forwarded": sorted(value for _, value in shard.outputs(topics.TRACKING_EVENTS)),
        "counts": shard.table(COUNTS),
        "poisoned": len(shard.dead_letters()),
        "fates": sum(shard.fates().values()),
    }


def wanted(events):
    """Return what must have come of them."""
    good = {number for number in events if not str(number).endswith("7")}
    return {
        "forwarded": sorted(b"%d" % number for number in good),
        "counts": dict(Counter(f"acme/k{number % 5}" for number in good)),
        "poisoned": sum(str(number).endswith("7") for number in events),
        "fates": len(events) + len(good),
    }
