"""A worker of the product that dies by its own hand in the middle of an erasure: `worker_process.py JSON`.

Whenever the file `deadly` is there: removed first, so that the next worker lives.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import httpx

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from streams.calls import handlers
from streams.engine.agent import Batch, Shard
from streams.engine.settings import EffectSettings, EngineSettings
from streams.engine.worker import Worker
from streams.pipeline import agents
from streams.privacy import ErasureAgent
from streams.stores import Stores


class Deadly:
    """Kills its worker between the last acknowledged record of an erasure's transaction and its commit."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.armed = False

    def reached(self, point: str, shard: int) -> None:
        """Die here, once."""
        if self.armed and point == "acknowledged" and self._file.exists():
            self._file.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


class Watched(ErasureAgent):
    """The erasure agent, that tells when it has something to erase."""

    deadly: Deadly

    def process(self, batch: Batch, shard: Shard) -> None:
        """Do it, and tell."""
        super().process(batch, shard)
        self.deadly.armed = any(record.value is not None for record in batch)


async def main(options: dict[str, str]) -> int:
    """Run until SIGTERM or death."""
    connection = KafkaConnection(options["bootstrap"], options["prefix"])
    settings = EngineSettings(
        instance="privacy", state_folder=Path(options["state"]) / "tables", effects=EffectSettings(rate=200.0)
    )
    async with StoreDirectory(connection) as directory, httpx.AsyncClient(timeout=5) as http:
        stores = Stores(directory, SecretBox(options["key"]).unseal)
        deadly = Deadly(Path(options["state"]) / "deadly")
        watched = Watched(stores)
        watched.deadly = deadly
        line = [watched if isinstance(agent, ErasureAgent) else agent for agent in agents(stores)]
        worker = Worker(connection, line, handlers(stores, http), settings, milestones=deadly)
        return await worker.run(on_ready=lambda: print("ready", flush=True))  # noqa: T201  for the log


if __name__ == "__main__":
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]))))
