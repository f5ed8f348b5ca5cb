"""The collector as `python -m bench.peers.our_collector BOOTSTRAP PREFIX KEY SPOOL PORT`."""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.pixel.serve import run_collector
from connectors.pixel.settings import CollectorSettings


async def main(bootstrap: str, prefix: str, key: str, spool: str, port: str) -> None:
    """Serve until SIGTERM; prints the address bound."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = CollectorSettings(port=int(port), spool=Path(spool), rate=1e9, burst=1e9)
    connection = KafkaConnection(bootstrap, prefix)
    ready = lambda url: print(url, flush=True)  # noqa: E731  one line tells the address
    await run_collector(connection, SecretBox(key.encode()), settings, ready=ready, stop=stop)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:6]))
