"""What an event costs beside many keys: `python -m bench.peers.table_cost memory|disk|dict KEYS`.

Prints CPU microseconds of the main thread, without Kafka: of an event of job (b) (95 % of the ids are new, 5 % among
all that were seen), and of reading and writing one key chosen at random among all: the worst that can be asked.
`dict` is Python's own, without an engine: what the processor's caches miss there, every table in memory misses.
"""

import asyncio
import gc
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from schemas import topics
from streams.engine.agent import RAW, Agent, Batch, Shard, Table
from streams.engine.disk import DiskPart
from streams.engine.parts import Part
from streams.engine.registry import Parts
from streams.engine.testing import MemoryShard
from streams.engine.worker import GC_THRESHOLD

BATCH = 5_000
TURNS = 40
FILLED_AT = 1_800_000_000_000


def _name(number: int) -> str:
    return f"store/{number:012}"


class Deduplicate(Agent):
    """Job (b), as in `engine_worker`, on a table of ids that expire."""

    name, inputs = "deduplicate", (topics.PIXEL_EVENTS,)

    def __init__(self, table: Table) -> None:
        self.tables = (table,)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Forward what is new."""
        seen = shard.table(self.tables[0])
        for record in batch:
            event = (record.value or b"").decode()
            if event in seen:
                batch.duplicate(record, event)
            else:
                seen[event] = b"1"
                shard.send(topics.TRACKING_EVENTS, record.key, record.value)


def fill(part: Part, keys: int) -> None:
    """Put so many keys into a table, and wait until RocksDB has put them in order: nobody writes so many at once."""
    for first in range(0, keys, 10_000):
        part.apply(dict.fromkeys(map(_name, range(first, min(keys, first + 10_000))), b"1"), FILLED_AT, 0)
    while isinstance(part, DiskPart) and part.compacting:
        time.sleep(0.1)
    gc.collect()  # what a worker does as it goes


def told(keys: int) -> Iterator[list[bytes]]:
    """Yield the ids of each batch, beside so many that were seen."""
    chance, new = random.Random(7), keys
    for _ in range(TURNS):
        ids = []
        for _ in range(BATCH):
            old = chance.random() < 0.05
            ids.append(_name(chance.randrange(new) if old else new).encode())
            new += not old
        yield ids


async def event(table: Table, folder: Path, keys: int) -> float:
    """Return the cost of an event of job (b) beside so many ids."""
    parts = Parts({table.name: table}, folder)
    fill(parts.of(table.name, 0), keys)
    parts.close()
    del parts
    shard = MemoryShard([Deduplicate(table)], now=FILLED_AT + 1, folder=folder)
    if not table.disk:
        fill(shard._parts[table.name], keys)  # noqa: SLF001  a bench may
    spent = 0.0
    for ids in told(keys):
        for one in ids:
            shard.put(topics.PIXEL_EVENTS, b"store/1", one)
        started = time.thread_time()
        await shard.run()
        spent += time.thread_time() - started
    shard.close()
    return spent / (TURNS * BATCH) * 1e6


def key(table: Table, folder: Path, keys: int) -> float:
    """Return the cost of a read and a write of a key chosen at random."""
    parts = Parts({table.name: table}, folder)
    part = parts.of(table.name, 0)
    fill(part, keys)
    chance, spent = random.Random(7), 0.0
    for turn in range(TURNS):
        wanted = [_name(chance.randrange(keys)) for _ in range(BATCH)]
        started = time.thread_time()
        for name in wanted:
            part.get(name, -1)
        part.apply(dict.fromkeys(wanted, b"2"), FILLED_AT, keys + turn)
        spent += time.thread_time() - started
    parts.close()
    return spent / (TURNS * BATCH) * 1e6


def bare(keys: int) -> tuple[float, float]:
    """Return both costs of a dict alone."""
    rows = {_name(number): (FILLED_AT, b"1") for number in range(keys)}
    spent = {"event": 0.0, "key": 0.0}
    for ids in told(keys):
        started = time.thread_time()
        for one in ids:
            name = one.decode()
            if name not in rows:
                rows[name] = (FILLED_AT, b"1")
        spent["event"] += time.thread_time() - started
    chance = random.Random(7)
    for _ in range(TURNS):
        wanted = [_name(chance.randrange(keys)) for _ in range(BATCH)]
        started = time.thread_time()
        for name in wanted:
            rows.get(name)
        rows.update(dict.fromkeys(wanted, (FILLED_AT, b"2")))
        spent["key"] += time.thread_time() - started
    return spent["event"] / (TURNS * BATCH) * 1e6, spent["key"] / (TURNS * BATCH) * 1e6


def main() -> None:
    """Measure both, each in a folder of its own, with the garbage collector set as in a worker."""
    gc.set_threshold(*GC_THRESHOLD)
    kind, keys = sys.argv[1], int(sys.argv[2])
    if kind == "dict":
        for cost in bare(keys):
            print(f"{cost:.3f}", flush=True)
        return
    for measure in (lambda folder: asyncio.run(event(_table(kind, ttl=True), folder, keys)),
                    lambda folder: key(_table(kind, ttl=False), folder, keys)):  # fmt: skip
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        try:
            print(f"{measure(folder):.3f}", flush=True)
        finally:
            shutil.rmtree(folder)


def _table(kind: str, *, ttl: bool) -> Table:
    return Table("ids", RAW, ttl=timedelta(days=7) if ttl else None, disk=kind == "disk")


if __name__ == "__main__":
    main()
