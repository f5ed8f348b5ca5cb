"""From a page's request to `tracking.events`: the real collector, a real Kafka, a real worker, stopped midway."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from connectors.kafka.stores import StoreDirectory
from schemas.clock import to_text
from schemas.events import CloudEvent
from schemas.personal import hash_value
from schemas.pixel import TrackingEvent
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.pixel_collector import HASH_SECRET, Running, connect, connected, read_topic, running, secret_box

pytestmark = pytest.mark.broker

PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Mobile Safari/537.36"
)
S = "efa19728-461e-4982-8201-cb3a665ba04f"
U = {"source": "hellotext", "medium": "sms", "campaign": "C1"}
PAGE = {"url": "http://store1.myvtex.com/p?utm_source=hellotext&email=ana%40example.com", "title": "T", "path": "/p"}
ITEM = {"quantity": 2, "price": {"amount": 8990}, "product": {"reference": "P1", "source": "vtex"}}
ORDER = {"reference": "1415461749731", "amount": 17980, "currency": "BRL", "items": [ITEM]}
BODIES = {
    "/v1/public/acks": {"utm_params": U, "session": S, "at": to_text(time.time_ns() // 1_000_000 - 5_000)},
    "/v1/track/events": {"session": S, "action": "page.viewed", "page": PAGE, "utm_params": U, "event_id": "view-1"},
}


@contextlib.asynccontextmanager
async def worker(kafka, box, state: Path) -> AsyncIterator[None]:
    """A worker with the tracking agent alone, its disk tables in a folder."""
    async with StoreDirectory(kafka) as directory:
        agent = TrackingAgent(Stores(directory, box.unseal))
        settings = EngineSettings(instance=f"tracking-{os.getpid()}", state_folder=state)
        ready, stop = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(Worker(kafka, [agent], {}, settings).run(on_ready=ready.set, stop=stop))
        try:
            await asyncio.wait_for(ready.wait(), 40)
            yield
        finally:
            stop.set()
            assert await asyncio.wait_for(task, 40) == 0


async def fates(kafka, wanted: int, seconds: float = 60) -> dict[str, int]:
    """The sum of all fates, once so many records have one."""
    total: dict[str, int] = {}
    async with asyncio.timeout(seconds):
        while sum(total.values()) < wanted:
            total = {}
            for row in await read_topic(kafka, "event.fates"):
                for fate, count in row["counts"].items():
                    total[fate] = total.get(fate, 0) + count
    return total


async def visit(collector: Running) -> None:
    """A visit: an arrival, a view that is sent twice, a purchase told again on reload, a preview, a refusal."""
    headers = {"authorization": "Bearer BID123", "origin": "http://store1.myvtex.com", "user-agent": PHONE}
    preview = {**headers, "user-agent": "WhatsApp/2.24.5.76 A"}
    view = BODIES["/v1/track/events"]
    placed = {
        "session": S,
        "action": "order.placed",
        "object_parameters": ORDER,
        "user_parameters": {"email": "ana@example.com"},
    }
    batch = {
        "events": [
            {**placed, "event_id": "order.placed/1415461749731"},
            {**view, "event_id": "view-1", "object": "other"},
        ]
    }
    async with httpx.AsyncClient(base_url=collector.url) as shop:
        for path, body, sent in (
            ("/v1/public/acks", BODIES["/v1/public/acks"], headers),
            ("/v1/track/events", view, headers),
            ("/v1/track/events", view, headers),
            ("/v1/track/events", {"session": "S2", "action": "page.viewed", "utm_params": U}, preview),
            ("/v1/track/events", {"session": "S3", "action": "page.viewed", "consent": "denied"}, headers),
            ("/v1/track/events", placed, headers),
            ("/v1/track/batch", batch, headers),
        ):
            answer = await shop.post(path, json=body, headers=sent)
            assert answer.status_code == 200, answer.text


async def test_a_visit_becomes_tracking_events_once(kafka, tmp_path):
    """What was told twice, by machines or without consent has its fate; nothing that is told again counts again."""
    box = secret_box()
    await connect(kafka, connected(box))
    async with running(kafka, box, tmp_path / "spool") as collector:
        await collector.ready()
        await visit(collector)
        async with worker(kafka, box, tmp_path / "state"):
            first = await fates(kafka, 8)
        await visit(collector)
        async with worker(kafka, box, tmp_path / "other-state"):  # its tables come from the changelogs
            both = await fates(kafka, 16)

    assert first == {"counted": 3, "duplicate": 2, "filtered": 2, "dead": 1}
    assert both == {"counted": 3, "duplicate": 7, "filtered": 4, "dead": 2}
    rows = await read_topic(kafka, "tracking.events")
    events = [CloudEvent[TrackingEvent].model_validate_json(row["raw"]).data for row in rows]
    assert [(event.kind, event.action) for event in events] == [
        ("acknowledgement", None),
        ("event", "page.viewed"),
        ("event", "order.placed"),
    ]
    assert [event.landing is not None for event in events] == [True, False, False]
    assert (events[2].amount_minor, events[2].amount_currency, events[2].order) == (17980, "BRL", ORDER["reference"])
    assert events[2].email_hash == hash_value(HASH_SECRET.encode(), "email", "ana@example.com")
    assert not any(b"ana" in row["raw"] for row in rows)
    letters = await read_topic(kafka, "dead.letters")
    assert {letter["reason"] for letter in letters} == {"conflict"}
    assert json.loads(rows[0]["raw"])["source"] == "tracking"
