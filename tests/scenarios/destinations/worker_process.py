"""A worker of the destinations in a process of its own, to be killed: `python worker_process.py JSON`."""

import asyncio
import json
import sys
from pathlib import Path

import httpx

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from streams.call_rates import GATHERED
from streams.calls import handlers
from streams.engine.settings import EffectSettings, EngineSettings
from streams.engine.worker import Worker
from streams.forward import ForwardAgent
from streams.messages import MessagesAgent
from streams.profiles import ProfilesAgent
from streams.stores import Stores


async def main(options: dict[str, str]) -> int:
    """Run until SIGTERM; whoever does not answer within half a second is not waited for."""
    connection = KafkaConnection(options["bootstrap"], options["prefix"])
    effects = EffectSettings(rate=400.0, concurrent=16, gathered=GATHERED, breaker_after=50, breaker_first_s=0.2)
    settings = EngineSettings(instance="destinations", state_folder=Path(options["state"]), effects=effects)
    async with StoreDirectory(connection) as directory, httpx.AsyncClient(timeout=0.5) as http:
        stores = Stores(directory, SecretBox(options["key"]).unseal)
        agents = [ProfilesAgent(stores), ForwardAgent(stores), MessagesAgent(stores)]
        worker = Worker(connection, agents, handlers(stores, http), settings)
        return await worker.run(on_ready=lambda: print("ready", flush=True))  # noqa: T201  for the log


if __name__ == "__main__":
    sys.exit(asyncio.run(main(json.loads(sys.argv[1]))))
