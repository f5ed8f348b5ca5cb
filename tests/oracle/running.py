"""Runs the agents on a world's records in some order, and reads what stands in their outputs in the end."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

import orjson

from schemas import topics
from schemas.topics import Topic
from streams.attribution import AttributionAgent
from streams.customers import CustomersAgent
from streams.engine.testing import MemoryShard
from streams.kpis import KpisAgent
from streams.orders import OrdersAgent
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.oracle.worlds import NOW, Record

Rows = dict[bytes, dict[str, Any]]


def agents(stores: Stores) -> list[Any]:
    """Return the agents in their order."""
    return [AttributionAgent(stores), KpisAgent(stores)]


def whole_way(stores: Stores) -> list[Any]:
    """Return the agents from VTEX's reads and pages' events to figures, in their order."""
    return [CustomersAgent(stores), OrdersAgent(stores), TrackingAgent(stores), *agents(stores)]


def shuffled(records: list[Record], random: Random) -> list[Record]:
    """Return the records in another order, some of them twice."""
    told = [*records, *random.sample(records, k=len(records) // 3)]
    random.shuffle(told)
    return told


def run(line: list[Any], told: list[Record], random: Random, now: int = NOW) -> MemoryShard:
    """Return the shard of some agents after the records have come, in batches of any size."""
    shard = MemoryShard(line, now=now)
    asyncio.run(_run(shard, told, random))
    return shard


async def _run(shard: MemoryShard, told: list[Record], random: Random) -> None:
    waiting = list(told)
    while waiting:
        size = random.randrange(1, 9)
        for topic, key, value in waiting[:size]:
            shard.put(topic, key, value)
        del waiting[:size]
        await (shard.run() if random.random() < 0.5 else shard.settle())
    await shard.settle()


def standing(shard: MemoryShard, topic: Topic) -> Rows:
    """Return the last row of each key that was not removed."""
    last: dict[bytes, bytes | None] = dict(shard.outputs(topic))
    return {key: orjson.loads(value) for key, value in last.items() if value is not None}


def cells(shard: MemoryShard) -> dict[tuple[str, str, str, str], dict[str, Any]]:
    """Return the cells by campaign, basis, date and currency."""
    found = {}
    for row in standing(shard, topics.KPI_CAMPAIGNS).values():
        place = tuple(row.pop(name) for name in ("campaign", "basis", "date", "currency"))
        del row["store"], row["updated_at"]
        found[place] = row
    return found  # type: ignore[return-value]  a tuple of four


def attributions(shard: MemoryShard) -> dict[str, dict[str, Any]]:
    """Return the attributions by order."""
    return {row["order"]: row for row in standing(shard, topics.ATTRIBUTIONS).values()}


def fates(shard: MemoryShard, agent: str) -> Iterable[dict[str, Any]]:
    """Return the fate summaries of an agent."""
    rows = (orjson.loads(value or b"{}") for _, value in shard.outputs(topics.EVENT_FATES))
    return [row for row in rows if row["agent"] == agent]
