"""Rows of compacted topics, as the console and the CLI write them."""

import pytest
from aiokafka import AIOKafkaProducer

from connectors.console import rows
from connectors.kafka.reader import latest_by_key
from schemas import topics
from schemas.messages import Campaign

pytestmark = pytest.mark.broker


async def test_ten_thousand_campaigns_are_one_errand(kafka, monkeypatch):
    """A producer for each took ten milliseconds a row: a minute and a half for a large shop's history."""
    started = []

    class Counted(AIOKafkaProducer):
        async def start(self):
            started.append(self)
            await super().start()

    monkeypatch.setattr(rows, "AIOKafkaProducer", Counted)
    written = {
        (f"c/{number}",): Campaign(store="acme", campaign=f"c/{number}", name="Sale", day="2026-11-27")
        for number in range(10_000)
    }

    await rows.write_rows(kafka, topics.CAMPAIGNS, "acme", written)

    there = await latest_by_key(kafka, topics.CAMPAIGNS.name)
    assert there.keys() == {topics.CAMPAIGNS.key("acme", *parts) for parts in written}
    assert len(started) == 1
