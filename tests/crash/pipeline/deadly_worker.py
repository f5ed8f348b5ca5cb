"""A worker of the product that kills itself at points of its transactions: `run_worker`, watched by a `SelfKiller`."""

import argparse
import os
import sys
from pathlib import Path

import httpx
import uvloop

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from streams.calls import handlers
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from streams.pipeline import agents
from streams.stores import Stores
from tests.crash.engine.shop_worker import SelfKiller


async def run(args: argparse.Namespace) -> int:
    """Run until killed or stopped."""
    folder = Path(os.environ["STATE_FOLDER"])
    connection = KafkaConnection(os.environ["KAFKA_BOOTSTRAP_SERVERS"], os.environ["TOPIC_PREFIX"])
    box = SecretBox(os.environ["SECRETS_KEY"])
    settings = EngineSettings(instance=args.instance, state_folder=folder / "tables" / args.instance)
    killer = SelfKiller(args.self_kill, args.seed, None, folder / "deaths")
    async with StoreDirectory(connection) as directory, httpx.AsyncClient() as http:
        stores = Stores(directory, box.unseal)
        worker = Worker(connection, agents(stores), handlers(stores, http), settings, milestones=killer)
        return await worker.run()


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instance", required=True)
    parser.add_argument("--self-kill", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    return uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
