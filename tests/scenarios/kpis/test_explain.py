"""`kpis explain` reads a cell and its orders from the broker."""

import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.errors import TopicMissing
from connectors.kafka.explain import NoSuchCell, explain
from schemas import topics
from schemas.partition import shard_of
from streams.attribution import AttributionAgent
from streams.engine.testing import MemoryShard
from streams.kpis import KpisAgent
from tests.oracle.telling import EMAIL, landing, order
from tests.oracle.worlds import NOW
from tests.stores import stores_of

pytestmark = pytest.mark.broker


async def outputs() -> list[tuple[str, bytes, bytes | None]]:
    """Return what the agents write: an order that was won, one that was cancelled, one of another campaign."""
    stores = stores_of()
    shard = MemoryShard([AttributionAgent(stores), KpisAgent(stores)], now=NOW)
    for topic, key, value in (
        landing("s1", "spring/1", email_hash=EMAIL), landing("s2", "autumn"),
        order("1", email_hash=EMAIL), order("2", email_hash=EMAIL, at=NOW - 1, state="cancelled"),
        order("3", marketing={"utm_source": "hellotext", "utm_campaign": "autumn"}),
        order("4", currency="USD", marketing={"utm_source": "hellotext", "utm_campaign": "autumn"}),
    ):  # fmt: skip
        shard.put(topic, key, value)
    await shard.settle()
    written = (topics.ATTRIBUTIONS, topics.KPI_CAMPAIGNS)
    return [(topic.name, key, value) for topic in written for key, value in shard.outputs(topic)]


async def test_a_cell_with_its_orders(kafka):
    """The cancelled order is listed, too; the sums are the cell's; an absent cell names those that there are."""
    async with AIOKafkaProducer(acks="all", **kafka.options()) as producer:
        for name, key, value in await outputs():
            await producer.send_and_wait(kafka.topic(name), value, key=key, partition=shard_of("acme", 4))

    found = await explain(kafka, "acme", "spring/1", "purchase", "2027-01-15", "BRL")
    with pytest.raises(NoSuchCell, match="total/all/BRL"):
        await explain(kafka, "acme", "spring/1", "total", "all", "USD")
    with pytest.raises(NoSuchCell, match="no figure of that campaign"):
        await explain(kafka, "acme", "summer", "total", "all", "BRL")

    with pytest.raises(NoSuchCell, match="BRL, USD: say which"):
        await explain(kafka, "acme", "autumn", "total", "all", None)
    with pytest.raises(NoSuchCell, match="no cell acme/autumn/total/2027-01-15; the campaign has"):
        await explain(kafka, "acme", "autumn", "total", "2027-01-15", None)

    assert found.exact
    assert found == await explain(kafka, "acme", "spring/1", "purchase", "2027-01-15", None)
    assert [(row.order, row.net) for row in found.orders] == [("2", 0), ("1", 10_000)]
    assert found.cell.net == 10_000


async def test_without_topics_it_says_what_to_do(empty_kafka):
    """The prefix is wrong, or nobody has created them."""
    with pytest.raises(TopicMissing, match="topics create"):
        await explain(empty_kafka, "acme", "spring", "total", "all", "BRL")
