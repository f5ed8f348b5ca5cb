"""A collector in a process of its own, to be killed: `python collector_process.py JSON`."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.pixel.serve import run_collector
from connectors.pixel.settings import CollectorSettings


async def main(options: dict[str, str]) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = CollectorSettings(
        port=int(options["port"]), spool=Path(options["spool"]), rate=1e9, burst=1e9, ack_timeout=1.0
    )
    connection = KafkaConnection(options["bootstrap"], options["prefix"])
    box = SecretBox(options["key"].encode())
    await run_collector(connection, box, settings, ready=sys.stdout.write, stop=stop)


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
