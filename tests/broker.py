"""Starts a broker that ends with another process than the one that started it: `python -m tests.broker OWNER HEAP`.

The last line that it prints is where the broker listens; then it ends, and leaves the broker to its owner.
"""

import asyncio
import os
import sys

from connectors.kafka.embedded import EmbeddedKafka


def main(owner: int, heap: str) -> None:
    """Start it."""
    kafka = asyncio.run(EmbeddedKafka(heap=heap, owner=owner).start())
    sys.stdout.write(f"{kafka.bootstrap_servers}\n")
    sys.stdout.flush()
    os._exit(0)  # an orderly end would complain of a process that still runs: it is meant to


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
