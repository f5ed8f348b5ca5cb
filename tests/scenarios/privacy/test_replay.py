"""A replay counts anew what is kept, beside a running house: nothing live changes, nobody is called."""

import asyncio
import json

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.admin import open_admin
from schemas import topics
from schemas.partition import shard_of
from tests.pixel_collector import PARTITIONS
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]
PATIENCE_S = 120.0
U = {"source": "hellotext", "medium": "sms", "campaign": "C1"}


@pytest.fixture
async def house(house):
    """A store with visits and orders, counted."""
    await lived(house)
    return house


async def lived(house):
    """Five visitors come from a campaign and buy; one cancels."""
    for number in range(5):
        email = f"person{number}@shop.example"
        customer = house.shop.put_customer({"email": email, "firstName": "Ana"})
        session = f"session-{number}"
        await house.tell("track/events", session=session, action="page.viewed", utm_params=U)
        await house.tell("public/identifications", session=session, user_id=customer, email=email)
        order = house.shop.place_order({"customer": customer, "items": [{"sku": "1", "price": 1000, "quantity": 1}]})
        if number == 4:
            house.shop.cancel_order(order)

    async def counted():
        orders = [row["conversions"] for row in await house.rows("attributions")]
        cells = {row["basis"]: row for row in await house.rows("kpi.campaigns")}
        total = cells.get("total", {})
        return (len(orders), sum(orders), total.get("conversions"), total.get("visitors")) == (5, 4, 4, 5)

    await until("all is counted, the cancelled order too", counted, PATIENCE_S)


async def topic_names(kafka):
    """Return every topic under the prefix, which the replay's own begins with; the broker has other tests' too."""
    async with open_admin(kafka) as admin:
        return {name for name in await admin.shapes() if name.startswith(kafka.topic_prefix)}


async def test_a_replay_tells_which_live_figure_is_not_what_is_kept_and_touches_nothing(house):
    """Exit code 1 names the figure; once it is put right, 0. Nothing live is written, nobody is called."""
    house.worker.terminate()  # so that whatever is called or written from here on is the replay's doing
    await asyncio.to_thread(house.worker.wait, PATIENCE_S)
    before, calls = await topic_names(house.kafka), len(house.business.told.get("events", []))
    await tamper(house, clicks=99)
    live = await house.standing()
    into = f"{house.kafka.topic_prefix}again."

    other = await asyncio.to_thread(house.run, "replay", "--into", into, "--json")

    assert other.code == 1, other.err
    assert [(one["figure"], one["live"], one["replay"]) for one in other.json["differences"]] == [("clicks", 99, 5)]
    assert other.json["compared"] >= 3
    after = await house.standing()
    assert [name for name in live if after[name] != live[name] and name not in {"vtex.cursors", "vtex.changes"}] == []
    assert len(house.business.told.get("events", [])) == calls
    await tamper(house, clicks=5)
    looked = await asyncio.to_thread(house.run, "replay", "--into", into, "--compare", "--json")
    assert (looked.code, looked.json["differences"]) == (0, []), looked.err
    shown = await asyncio.to_thread(house.run, "kpis", "show", "--json", TOPIC_PREFIX=into)
    assert [(cell["campaign"], cell["conversions"]) for cell in json.loads(shown.out)] == [("C1", 4)]
    taken = await asyncio.to_thread(house.run, "replay", "--into", into)
    assert (taken.code, "--drop" in taken.err) == (1, True)
    assert (await asyncio.to_thread(house.run, "replay", "--into", into, "--drop")).code == 0
    assert await topic_names(house.kafka) == before


async def tamper(house, **figures):
    """Write a live cell that the rules did not."""
    [total] = [row for row in await house.rows("kpi.campaigns") if row["basis"] == "total"]
    key = topics.KPI_CAMPAIGNS.key("acme", "C1", "total", "all", total["currency"])
    async with AIOKafkaProducer(**house.kafka.options()) as producer:
        await producer.send_and_wait(
            house.kafka.topic(topics.KPI_CAMPAIGNS.name), orjson.dumps(total | figures), key=key,
            partition=shard_of("acme", PARTITIONS),
        )  # fmt: skip
