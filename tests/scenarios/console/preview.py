"""Look at the console with a shop's life in it: `python -m tests.scenarios.console.preview [port]`.

Starts an embedded broker, writes the rows of shop_rows.py and serves the console until it is interrupted. For people
and screenshots; no test runs it.
"""

import asyncio
import sys
from collections.abc import Iterable

from aiokafka import AIOKafkaProducer

from connectors.console.serve import run_console
from connectors.console.settings import ConsoleSettings
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.provisioning import provision
from connectors.kafka.secrets import SecretBox
from schemas.partition import shard_of
from tests.scenarios.console.shop_rows import Row, shop_rows

PARTITIONS = 4


async def write_rows(connection: KafkaConnection, rows: Iterable[Row], partitions: int = PARTITIONS) -> None:
    """Write rows, each into its store's shard."""
    producer = AIOKafkaProducer(acks="all", linger_ms=5, **connection.options())
    await producer.start()
    try:
        for topic, key, value in rows:
            shard = shard_of(key.partition(b"/")[0].decode(), partitions)
            await producer.send(connection.topic(topic.name), value, key=key, partition=shard)
        await producer.flush()
    finally:
        await producer.stop()


async def main(port: int) -> None:
    """Serve until interrupted."""
    kafka = await EmbeddedKafka().start()
    try:
        connection = KafkaConnection(kafka.bootstrap_servers)
        await provision(connection, partitions=PARTITIONS, replication=1)
        if "empty" not in sys.argv:
            origins = ("https://www.acme.com.br",)
            await write_rows(connection, shop_rows("acme", backfilling=True, origins=origins))
            await write_rows(connection, shop_rows("casa-linho", seed=11, campaigns=140, customers=900))
        settings = ConsoleSettings(port=port)
        box = SecretBox(SecretBox.generate_key())
        await run_console(connection, box, settings, ready=print, stop=asyncio.Event())
    finally:
        await kafka.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8091))
