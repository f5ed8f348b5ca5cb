"""Live pages: told of changes at once, of many changes seldom, and never more of them than allowed."""

import asyncio

import pytest

from connectors.console import live
from connectors.console.live import Viewers
from connectors.console.settings import ConsoleSettings
from connectors.console.state import ReadModel
from schemas import topics
from tests.scenarios.console.shop_rows import row
from tests.stores import a_store
from tests.unit.console.conftest import put


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
    put(model, [row(topics.STORES, "acme", value=a_store())])

    assert await anext(stream) == f"data: {watching.version('acme')}\n\n"  # a look later would come after a comment
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
