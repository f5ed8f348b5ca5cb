"""The subject: a worker of the engine."""

import asyncio
import sys
import time

import uvloop

from schemas import topics
from streams.engine.agent import JSON, RAW, Agent, Batch, Shard, Table
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker

COUNTS = Table("bench.counts", JSON)
SEEN = Table("bench.seen", RAW)


class Broker:
    """How to reach the broker."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap, self._prefix = bootstrap, prefix

    def options(self) -> dict[str, str]:
        """Return arguments for any aiokafka client."""
        return {"bootstrap_servers": self._bootstrap}

    def topic(self, name: str) -> str:
        """Return a prefixed name."""
        return self._prefix + name


class Count(Agent):
    """Job (a): count by key."""

    name, inputs, tables = "count", (topics.PIXEL_EVENTS,), (COUNTS,)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Count."""
        counts = shard.table(COUNTS)
        for record in batch:
            key = record.key.decode()
            counts[key] = counts.get(key, 0) + 1


class Deduplicate(Agent):
    """Job (b): forward each id once."""

    name, inputs, tables = "deduplicate", (topics.PIXEL_EVENTS,), (SEEN,)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Forward what is new."""
        seen = shard.table(SEEN)
        for record in batch:
            event = record.value[:12].decode()
            if event in seen:
                batch.duplicate(record, event)
            else:
                seen[event] = b"1"
                shard.send(topics.TRACKING_EVENTS, record.key, record.value)


class Clock:
    """Notes when recovery began."""

    fenced = 0.0

    def reached(self, point: str, shard: int) -> None:
        """Take the time."""
        del shard
        if point == "recovering" and not self.fenced:
            self.fenced = time.time()


async def main() -> None:
    """Run the job until all events are committed."""
    bootstrap, prefix, job, expected = sys.argv[1:5]
    agent = Count() if job == "a" else Deduplicate()
    clock = Clock()
    worker = Worker(Broker(bootstrap, prefix), [agent], {}, EngineSettings(instance="bench"), milestones=clock)
    stop = asyncio.Event()

    async def watch() -> None:
        counter = worker.metrics.events.labels(topics.PIXEL_EVENTS.name)
        while counter._value.get() < int(expected):  # noqa: ASYNC110, SLF001  prometheus_client has no reader
            await asyncio.sleep(0.005)
        print(f"END {time.time()}", flush=True)
        stop.set()

    def ready() -> None:
        rows = sum(worker.engine.parts.rows().values())
        print(f"RESTORED {rows} {time.time() - clock.fenced}", flush=True)
        print(f"START {time.time()}", flush=True)

    watching = asyncio.create_task(watch())
    await worker.run(on_ready=ready, stop=stop)
    watching.cancel()


uvloop.run(main())
