"""The programs that pages show run as they stand there."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.connection import KafkaConnection
from schemas.topics import KPI_CAMPAIGNS, PIXEL_EVENTS
from streams.engine.testing import MemoryShard

DOCS = Path(__file__).parents[2] / "docs"


def _program(page: str, folder: Path) -> dict[str, Any]:
    """Return what a page's first Python block defines."""
    block = re.search(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert block is not None
    file = folder / "example.py"
    file.write_text(block[1], "utf-8")
    return runpy.run_path(str(file))


async def test_the_engines_example_counts(tmp_path: Path):
    """docs/engine.md: an agent."""
    names = _program("engine.md", tmp_path)
    shard = MemoryShard([names["Counts"]()])

    await shard.feed(PIXEL_EVENTS, (b"acme/1", b"{}"), (b"acme/2", b"{}"), (b"bela/1", b"{}"))

    assert shard.table(names["COUNTS"]) == {"acme": 2, "bela": 1}


@pytest.mark.broker
async def test_cells_are_read_from_kafka(kafka: KafkaConnection, tmp_path: Path):
    """docs/kpis.md: the last row of a key, without what was taken away, aborted or is still open."""
    topic = kafka.topic(KPI_CAMPAIGNS.name)
    options = kafka.options()
    async with AIOKafkaProducer(transactional_id=kafka.topic("kpis"), **options) as producer:
        for net in (b"1", b"2"):
            async with producer.transaction():
                await producer.send(topic, b'{"net":%s}' % net, b"acme/a")
                await producer.send(topic, b"{}" if net == b"1" else None, b"acme/b")
        await producer.begin_transaction()
        await producer.send(topic, b'{"net":3}', b"acme/a")
        await producer.abort_transaction()
        async with AIOKafkaProducer(transactional_id=kafka.topic("open"), **options) as other:
            await other.begin_transaction()
            await other.send_and_wait(topic, b'{"net":4}', b"acme/a")

            found = await _program("kpis.md", tmp_path)["cells"](options["bootstrap_servers"], topic)
            await other.abort_transaction()

    assert found == {"acme/a": {"net": 2}}
