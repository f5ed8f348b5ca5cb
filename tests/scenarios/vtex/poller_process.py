"""A poller in a process of its own, to be killed: `python poller_process.py JSON`."""

import asyncio
import json
import signal
import sys
from dataclasses import replace

import uvloop

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.vtex.serve import run_poller
from tests.scenarios.vtex.shops import FAST


async def main(options: dict[str, str]) -> None:
    """Poll until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = replace(
        FAST, instance=options["instance"], session_timeout=6.0,
        customers=replace(FAST.customers, scan_first=1.0, scan_every=2.0),
    )  # fmt: skip
    connection = KafkaConnection(options["bootstrap"], options["prefix"])
    box = SecretBox(options["key"].encode())
    await run_poller(connection, box, settings, ready=lambda: print("ready", flush=True), stop=stop)  # noqa: T201


if __name__ == "__main__":
    uvloop.run(main(json.loads(sys.argv[1])))
