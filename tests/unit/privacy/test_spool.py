"""What a dead collector left in its spool is rewritten without the person; a living one is waited for."""

import asyncio

from connectors.pixel.frames import Placed, unpack
from connectors.pixel.records import Record
from connectors.pixel.spool import Spool
from connectors.privacy.spool import clear
from connectors.privacy.traces import Traces

EVENTS = [b'{"email":"ana@shop.com"}', b'{"email":"bob@shop.com"}', b'{"email":"ana@shop.com","n":2}']


def holds():
    """Return what looks for Ana."""
    traces = Traces("acme", b"secret", "BR")
    traces.ask(emails=["ana@shop.com"])
    return traces.searcher()


async def spooled(folder, store="acme"):
    """Have a collector accept events while Kafka is away."""
    spool = Spool(folder, limit=1 << 20, segment_size=1 << 16)
    await spool.append(
        [Placed(Record("pixel.identities", f"{store}/S".encode(), one, event=False), 2) for one in EVENTS]
    )
    return spool


def values(folder):
    """Return what waits."""
    segments = sorted(folder.rglob("*.spool"))
    return [one.record.value for segment in segments for one in unpack(segment.read_bytes())]


async def test_what_a_dead_collector_left_is_rewritten(tmp_path):
    """Others' events stay, in their order, and the next collector takes them over."""
    spool = await spooled(tmp_path)
    spool.close()

    assert await clear(tmp_path, "acme", holds()) == 0
    assert values(tmp_path) == [EVENTS[1]]
    assert [path.stat().st_mode & 0o777 for path in tmp_path.rglob("*.spool")] == [0o600]
    assert Spool(tmp_path, limit=1 << 20, segment_size=1 << 16).size > 0


async def test_a_living_collector_is_waited_for(tmp_path):
    """Its spool is its own: it drains, or the command says that records wait."""
    spool = await spooled(tmp_path)
    assert await clear(tmp_path, "acme", holds(), patience_s=0.0) == 2

    waiting = asyncio.create_task(clear(tmp_path, "acme", holds()))
    await asyncio.sleep(0)
    spool.remove(await spool.oldest())

    assert await waiting == 0
    spool.close()


async def test_looking_changes_nothing_and_other_stores_are_not_looked_at(tmp_path):
    """`--check` counts."""
    spool = await spooled(tmp_path)
    spool.close()

    assert await clear(tmp_path, "acme", holds(), patience_s=0.0, change=False) == 2
    assert await clear(tmp_path, "bela", holds()) == 0
    assert await clear(tmp_path / "nowhere", "acme", holds()) == 0
    assert values(tmp_path) == EVENTS
