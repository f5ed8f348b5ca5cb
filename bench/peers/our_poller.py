"""The poller for bench.vtex: `python -m bench.peers.our_poller JSON`."""

import asyncio
import json
import sys

import structlog
import uvloop

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.vtex.serve import run_poller
from connectors.vtex.settings import CallSettings, PollerSettings


async def main(options):
    """Poll until killed."""
    settings = PollerSettings(calls=CallSettings(per_minute=options["per_minute"], floor=0.0, burst=options["burst"]))
    connection = KafkaConnection(options["bootstrap"], options["prefix"])
    box = SecretBox(options["key"].encode())
    await run_poller(connection, box, settings, ready=lambda: print("ready", flush=True), stop=asyncio.Event())


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    uvloop.run(main(json.loads(sys.argv[1])))
