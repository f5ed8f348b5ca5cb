"""A poller that joins its group: while the broker is away, and asked to end meanwhile."""

import asyncio
import contextlib
import socket
from functools import partial

import pytest
from structlog.testing import capture_logs

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable
from connectors.vtex import serve, store
from connectors.vtex.journal import Fenced, JournalBroken
from connectors.vtex.serve import Group
from connectors.vtex.settings import PollerSettings
from connectors.vtex.store import StorePoller
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import source_of, store_of


async def test_a_consumer_that_is_just_starting_is_closed():
    """The log of every stop at that moment complained of it: `Unclosed AIOKafkaConsumer`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        group = Group(KafkaConnection(f"127.0.0.1:{server.getsockname()[1]}"), PollerSettings(), None)
        running = asyncio.create_task(group.run(lambda: None))
        asked, _ = await asyncio.get_running_loop().sock_accept(server)  # a broker that says nothing
        with asked:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    assert group._consumer._closed


async def test_a_store_that_is_opened_again_and_again_is_told_seldom(monkeypatch):
    """All stores of a poller are, each two seconds, while its broker is away."""
    poller, opened, often = StorePoller(store_of(Shop("acme")), None, None, None), [], asyncio.Event()

    async def away():
        opened.append(poller)
        if len(opened) == 20:
            often.set()
        raise JournalBroken("away")

    monkeypatch.setattr(poller, "_open", away)
    monkeypatch.setattr(store, "REOPEN_S", 0)
    with capture_logs() as told:
        waiting = asyncio.create_task(poller.run())
        await often.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert [line["event"] for line in told] == ["a store is opened anew"]


@pytest.mark.parametrize("ends", [(JournalBroken, Fenced), (Fenced, JournalBroken), (JournalBroken,)])
async def test_a_store_whose_journal_fails_is_left_by_all_its_readers(monkeypatch, ends):
    """Fenced counts most; and the store's own task must not pass for cancelled when it is opened anew."""

    class Readers:
        def __init__(self, *_):
            """As the real ones."""

        def looks(self):
            return {kind.__name__: partial(_ended, kind) for kind in ends} | {"hints": asyncio.Event().wait}

    async def _ended(kind):
        raise kind("gone")

    monkeypatch.setattr(store, "Readers", Readers)
    poller, source = StorePoller(store_of(Shop("acme")), None, None, None), source_of(Shop("acme"))
    before = asyncio.all_tasks()
    with pytest.raises(Fenced if Fenced in ends else JournalBroken):
        await poller._read(source)
    assert asyncio.current_task().cancelling() == 0
    assert asyncio.all_tasks() == before


async def test_a_broker_that_is_away_is_told_seldom(monkeypatch):
    """It is asked each second; a line for each would be a night's log."""
    tries, often = [], asyncio.Event()

    @contextlib.asynccontextmanager
    async def away(connection):
        tries.append(connection)
        if len(tries) == 20:
            often.set()
        raise BrokerUnreachable("away")
        yield

    monkeypatch.setattr(serve, "open_admin", away)
    monkeypatch.setattr(serve, "RETRY_S", 0)
    with capture_logs() as told:
        waiting = asyncio.create_task(serve._partitions(KafkaConnection("nowhere:1")))
        await often.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert [line["event"] for line in told] == ["Kafka does not answer yet"]


async def test_a_broker_that_is_away_holds_up_no_end(monkeypatch):
    """Offsets of hints that it does not take are given up, and their hints read once more."""
    monkeypatch.setattr(serve, "PATIENCE_S", 0.01)
    group = Group(KafkaConnection("127.0.0.1:1"), PollerSettings(), None)
    monkeypatch.setattr(group._consumer, "commit", lambda _: asyncio.Event().wait())
    group._offsets.begun(0, 7)()
    with capture_logs() as told:
        await asyncio.wait_for(group._commit_now(), 60)
    assert [line["error"] for line in told] == ["TimeoutError"]
    await group._consumer.stop()
