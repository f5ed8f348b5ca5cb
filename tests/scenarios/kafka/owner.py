"""A process that owns a broker, to be killed: `python owner.py DATA-FOLDER-OR-EMPTY`. Prints JSON when ready."""

import asyncio
import json
import sys
from pathlib import Path

from connectors.kafka.embedded import EmbeddedKafka


async def main(data: str) -> None:
    """Start a broker and hold it for ever."""
    kafka = await EmbeddedKafka(Path(data) if data else None).start()
    (node,) = kafka.nodes.values()
    sys.stdout.write(json.dumps([kafka.bootstrap_servers, node.pid, str(node.folder)]) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
