"""Live pages: told of changes at once, of many changes seldom, and never more of them than allowed."""

import asyncio
import time

import pytest

from connectors.console import live
from connectors.console.backfill import Backfills, read_position
from connectors.console.live import Viewers
from connectors.console.settings import ConsoleSettings
from connectors.console.state import ReadModel
from schemas import topics
from schemas.vtex import Cursor
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store
from tests.unit.console.conftest import NOW, put


def viewers(limit=10):
    """Return a read model and the viewers of it."""
    model = ReadModel(ConsoleSettings())
    return model, Viewers(model, limit)


async def test_a_change_is_told_within_a_moment():
    """The first event names the present state, the next comes with a change of that store, not of others."""
    model, watching = viewers()
    stream = watching.stream("acme")
    assert (await anext(stream)).endswith(f"data: {watching.version('acme')}\n\n")
    before = watching.version("acme")
    put(model, [row(topics.STORES, "other", value=a_store("other"))])
    assert watching.version("acme") == before
    began = time.monotonic()
    put(model, [row(topics.STORES, "acme", value=a_store())])

    assert await anext(stream) == f"data: {watching.version('acme')}\n\n"
    assert time.monotonic() - began < 0.2
    assert watching.version("acme") != before
    await stream.aclose()
    assert watching.count == 0


async def test_a_burst_is_told_once_per_pause(monkeypatch):
    """A hundred changes in a pause are one event, and the last state is never missed."""
    monkeypatch.setattr(live, "PAUSE_S", 0.05)
    model, watching = viewers()
    stream = watching.stream("acme")
    await anext(stream)
    put(model, [row(topics.STORES, "acme", value=a_store())])
    await anext(stream)
    put(model, [row(topics.STORES, "acme", value=a_store(paused=bool(n % 2))) for n in range(100)])

    assert await anext(stream) == f"data: {watching.version('acme')}\n\n"
    waiting = asyncio.create_task(anext(stream))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    watching.close()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_a_quiet_stream_says_that_it_lives(monkeypatch):
    """So that a tab that was closed is found, and proxies keep the connection."""
    monkeypatch.setattr(live, "IDLE_S", 0.02)
    _, watching = viewers()
    stream = watching.stream("acme")
    await anext(stream)

    assert (await anext(stream)).startswith(":")
    await stream.aclose()


async def test_viewers_are_bounded():
    """One more than allowed gets 503; when one leaves there is room again; none when the console stops."""
    _, watching = viewers(limit=2)
    streams = [watching.stream("acme") for _ in range(2)]
    for stream in streams:
        await anext(stream)
    assert watching.answer("acme").status_code == 503
    late = watching.stream("acme")
    with pytest.raises(StopAsyncIteration):
        await anext(late)
    assert watching.count == 2

    await streams[0].aclose()
    assert watching.answer("acme").status_code == 200
    watching.close()
    assert watching.answer("acme").status_code == 503
    await streams[1].aclose()


async def test_versions_of_another_life_differ():
    """A page that outlived its console asks for itself again."""
    assert viewers()[1].version("acme") != viewers()[1].version("acme")


def _cursor(seconds, resource="customers.backfill", **position):
    at = NOW.timestamp() + seconds
    return Cursor(store="acme", resource=resource, position=position, updated_at=at)


def test_a_backfill_tells_rate_and_time_left():
    """Of the last minute; none before there are two positions; at the end it is whole."""
    backfills = Backfills()
    backfills.apply(_cursor(0, done=0, total=6000))
    assert backfills.of("acme")[0].rate is None
    assert backfills.of("acme")[0].share == 0
    for second in range(1, 121):
        backfills.apply(_cursor(second, done=second * 10 if second < 60 else 600 + (second - 60) * 40, total=6000))
    latest = backfills.of("acme")[0]
    assert (latest.resource, latest.rate, latest.done) == ("customers", 40.0, 3000)
    assert latest.left.total_seconds() == 75

    backfills.apply(_cursor(130, done=5990, total=6000, finished=True))
    assert (backfills.of("acme")[0].share, backfills.of("acme")[0].left) == (1.0, None)
    backfills.forget("acme", "customers.backfill")
    assert backfills.of("acme") == ()


def test_a_backfill_that_begins_anew_has_no_rate_yet():
    """Instead of a negative one."""
    backfills = Backfills()
    for second, done in ((0, 100), (1, 900), (2, 10)):
        backfills.apply(_cursor(second, done=done, total=1000))

    assert backfills.of("acme")[0].rate is None


@pytest.mark.parametrize(("position", "read"), [
    ({"done": 5, "total": 9}, (5, 9, False)), ({"backfill": {"done": 5}}, (5, None, False)), ({}, None),
    ({"done": True}, None), ({"done": -1}, None), ({"done": "5"}, None), ({"done": 5, "total": 0}, (5, None, False)),
    ({"done": 5, "total": 4, "finished": True}, (5, 4, True)), ({"settled": 1}, None),
    ({"backfill": 3, "done": 1}, (1, None, False)),
])  # fmt: skip
def test_positions_are_the_pollers_own(position, read):
    """Only what is about a backfill is read, and nothing in it can harm."""
    assert read_position(position) == read
