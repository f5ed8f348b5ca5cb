"""A worker in the test's own process, on the real broker, with an agent that obeys what the records tell it."""

import asyncio
import contextlib
import os
import time
from datetime import timedelta

from aiokafka import AIOKafkaProducer

from connectors.kafka.reader import CommittedReader
from connectors.kafka.watermarks import high_watermarks
from schemas import topics
from schemas.clock import to_text
from streams.engine.agent import JSON, Agent, Effect, EffectOutcome, Table
from streams.engine.settings import EffectSettings, EngineSettings
from streams.engine.worker import Worker

COUNTS = Table("worker.counts", JSON)
SHORT = Table("worker.short", JSON, ttl=timedelta(seconds=2))
SHORT_ON_DISK = Table("worker.short-on-disk", JSON, ttl=timedelta(seconds=2), disk=True)
HEARD = Table("worker.heard", JSON)
SHARD = 2
DEADLINE_S = 60.0


class Counting(Agent):
    """Counts, forwards, and lets values swell."""

    name = "counting"
    inputs = (topics.PIXEL_EVENTS,)
    tables = (COUNTS, SHORT, SHORT_ON_DISK, HEARD)

    def process(self, batch, shard):
        counts, short, on_disk = shard.table(COUNTS), shard.table(SHORT), shard.table(SHORT_ON_DISK)
        for record in batch:
            counts["n"] = counts.get("n", 0) + 1
            short[f"{record.offset}"] = on_disk[f"{record.offset}"] = 1
            swell = 300_000 if record.value == b"swell" else 1
            if record.value == b"bug":
                raise RuntimeError
            if record.value.startswith(b"call"):
                name, _, destination = record.value.decode().partition("@")
                shard.effect(Effect(
                    id=name, agent=self.name, kind="test", store="acme", destination=destination or "nowhere",
                    key=name if destination else record.key.decode(), repeatable=not name.startswith("call-once"),
                ))  # fmt: skip
            shard.send(topics.TRACKING_EVENTS, record.key, record.value * swell)

    def outcome(self, outcome, shard):
        heard = shard.table(HEARD)
        heard["all"] = [*heard.get("all", []), [outcome.effect, outcome.status]]


@contextlib.asynccontextmanager
async def running(kafka, folder, handlers=None, agents=None, **settings):
    """Run a worker until the block ends; its state is under the folder."""
    instance = settings.pop("instance", f"test-{os.getpid()}")
    effects = settings.pop("effects", EffectSettings(rate=1000.0, grace_s=0.1))
    given = EngineSettings(instance=instance, state_folder=folder / instance, effects=effects, **settings)
    worker = Worker(kafka, agents or [Counting()], handlers or {}, given)
    ready, stop = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(worker.run(on_ready=ready.set, stop=stop))
    await asyncio.wait_for(ready.wait(), DEADLINE_S)
    try:
        yield worker
    finally:
        stop.set()
        assert await asyncio.wait_for(task, DEADLINE_S) == 0


async def put(kafka, *values, key=b"acme/k", shard=SHARD):
    """Put records into the shard."""
    async with AIOKafkaProducer(**kafka.options()) as producer:
        for value in values:
            await producer.send(kafka.topic("pixel.events"), key=key, value=value, partition=shard)


async def committed(kafka, name, partition=SHARD):
    """Return the committed records of a topic's partition, once every transaction of now is decided.

    A broker answers a commit before it has written the marks that show it to readers.
    """
    async with CommittedReader(kafka, [name], partitions=[partition]) as reader:
        ends = await high_watermarks(kafka, name, [partition])
        return [record async for batch in reader.until(ends) for record in batch.records]


def rows(worker, table, shard=SHARD):
    """Return a table's committed rows in the shard."""
    return {key: table.codec.decode(raw) for key, raw in worker.engine.part(table.name, shard).items("", 0)}


def outcome_of(effect, status="done", **more):
    """Return the outcome of an effect."""
    return EffectOutcome(
        effect=effect.id, agent=effect.agent, kind=effect.kind, store=effect.store, key=effect.key,
        destination=effect.destination, status=status, at=to_text(int(time.time() * 1000)), **more,
    )  # fmt: skip
