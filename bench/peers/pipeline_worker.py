"""The product's own worker on its real pipeline: `python -m bench.peers.pipeline_worker BOOTSTRAP PREFIX EVENTS`."""

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from bench.load import STORES
from connectors.kafka.connection import KafkaConnection
from schemas import topics
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from streams.figures.tables import CELLS
from streams.pipeline import agents
from streams.stores import Stores

QUIET_S = 3.0
"""Nothing has moved for so long: all is done. Not counted, neither by the clock nor as CPU."""


class Given:
    """The stores of the bench."""

    def __init__(self) -> None:
        self._stores = {name: _store(name) for name in STORES}

    def get(self, store: str) -> StoreConnection | None:
        """Return a store by its name."""
        return self._stores.get(store)

    async def catch_up(self) -> None:
        """Know what there is to know."""


def _store(name: str) -> StoreConnection:
    return StoreConnection(
        store=name, vtex=VtexAccess(account=name, url="http://127.0.0.1:1", app_key="k", app_token="t"),
        hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id=name, token="t"), country="BR",
        timezone="America/Sao_Paulo", currency="BRL", hash_secret="bench", hook_secret="h", server_token="s",
        forward=False, connected_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


async def main() -> None:
    """Run until every record has gone through every agent."""
    bootstrap, prefix, expected = sys.argv[1:4]
    stores = Stores(Given(), lambda sealed: sealed)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    settings = EngineSettings(instance="bench", state_folder=folder)
    worker = Worker(KafkaConnection(bootstrap, prefix), agents(stores), {}, settings)
    stop = asyncio.Event()
    begun = {"cpu": 0.0}

    def consumed(name: str) -> float:
        return worker.metrics.events.labels(name)._value.get()  # noqa: SLF001  prometheus_client has no reader

    async def watch() -> None:
        total, moved, spent = -1.0, time.time(), 0.0
        derived = (topics.TRACKING_EVENTS.name, topics.ATTRIBUTIONS.name)
        while True:
            now = consumed(topics.PIXEL_EVENTS.name) + sum(map(consumed, derived))
            if now != total:
                total, moved, spent = now, time.time(), time.process_time()
            elif consumed(topics.PIXEL_EVENTS.name) >= int(expected) and time.time() - moved > QUIET_S:
                break
            await asyncio.sleep(0.01)
        print(f"END {moved}", flush=True)
        print(f"CPU {spent - begun['cpu']}", flush=True)
        print(f"CELLS {worker.engine.parts.rows()[CELLS.name]}", flush=True)
        stop.set()

    def ready() -> None:
        begun["cpu"] = time.process_time()
        print(f"START {time.time()}", flush=True)

    watching = asyncio.create_task(watch())
    await worker.run(on_ready=ready, stop=stop)
    watching.cancel()
    shutil.rmtree(folder, ignore_errors=True)


uvloop.run(main())
