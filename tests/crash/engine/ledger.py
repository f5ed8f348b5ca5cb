"""The truth of a chaos run: what was put in, and what a `read_committed` reader finds afterwards."""

import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import topics
from schemas.partition import shard_of
from tests.crash.engine.sample import GIANT, POISON

STORES = [f"store{n}" for n in range(23)]
PARTITIONS = 4


@dataclass
class Load:
    """What a run puts in.

    Attributes:
        events: distinct ids.
        keys: over which they are spread.
        seed: of everything random.
    """

    events: int
    keys: int
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    put: int = 0
    dead: int = 0

    def records(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (shard, key, value): 5 % come twice at once, 1 % again later, a few are poison or giants."""
        chance = random.Random(self.seed)
        late: list[tuple[int, bytes, bytes]] = []
        for number in range(self.events):
            name = chance.randrange(self.keys)
            store = STORES[name % len(STORES)]
            kind = POISON if number % 4001 == 17 else GIANT if number % 9001 == 23 else b"event"
            record = (shard_of(store, PARTITIONS), f"{store}/k{name}".encode(), b"%s-%d" % (kind, number))
            yield from self._put(record, kind, 1 + (chance.random() < 0.05), first=True)
            if chance.random() < 0.01:
                late.append(record)
            if late and chance.random() < 0.01:
                again = late.pop(0)
                yield from self._put(again, again[2].partition(b"-")[0], 1, first=False)
        for again in late:
            yield from self._put(again, again[2].partition(b"-")[0], 1, first=False)

    def _put(
        self, record: tuple[int, bytes, bytes], kind: bytes, times: int, *, first: bool
    ) -> Iterator[tuple[int, bytes, bytes]]:
        self.put += times
        if kind != b"event":
            self.dead += times
        elif first:
            self.ids.add(record[2].decode())
            self.counts[record[1].decode()] += 1
        for _ in range(times):
            yield record


@dataclass
class Findings:
    """What was found; `lost` and `doubled` are 0 when the engine keeps its word."""

    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: Any, expected: Any) -> None:
        """Note a difference."""
        if found != expected:
            self.wrong.append(f"{what}: found {found!r}, expected {expected!r}")


async def committed(options: dict[str, Any], topic: str) -> AsyncIterator[Any]:
    """Yield every committed record of a topic, partition by partition, in offset order."""
    consumer = AIOKafkaConsumer(**options, isolation_level="read_committed", enable_auto_commit=False,
                                auto_offset_reset="earliest")  # fmt: skip
    await consumer.start()
    try:
        parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        for part in parts:
            await consumer.seek_to_beginning(part)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()


async def verify(options: dict[str, Any], prefix: str, load: Load, calls: list[str]) -> Findings:
    """Compare what a run left behind with the truth."""
    found = Findings()
    await _once(options, prefix, load, found)
    await _counts(options, prefix, load, found)
    await _fates(options, prefix, load, found)
    await _effects(options, prefix, load, calls, found)
    return found


async def _once(options: dict[str, Any], prefix: str, load: Load, found: Findings) -> None:
    seen = Counter([
        record.value.decode() async for record in committed(options, prefix + topics.TRACKING_EVENTS.name)
    ])  # fmt: skip
    found.lost += len(load.ids - seen.keys())
    found.doubled += sum(count - 1 for count in seen.values())
    found.expect("ids nobody sent", sorted(seen.keys() - load.ids)[:5], [])


async def _counts(options: dict[str, Any], prefix: str, load: Load, found: Findings) -> None:
    last: dict[str, int] = {}
    async for record in committed(options, prefix + topics.PROFILES.name):
        key, count = record.key.decode(), int(record.value)
        if count <= last.get(key, 0):
            found.wrong.append(f"count of {key} goes from {last[key]} to {count}")
        last[key] = count
    for key, count in load.counts.items():
        found.lost += max(0, count - last.get(key, 0))
        found.doubled += max(0, last.get(key, 0) - count)
    changelog = await table(options, prefix, "chaos.counts")
    found.expect("counts in the changelog", {key: int(raw) for key, raw in changelog.items()}, dict(load.counts))
    found.expect("ids in the changelog", (await table(options, prefix, "chaos.seen")).keys(), load.ids)


async def table(options: dict[str, Any], prefix: str, name: str) -> dict[str, bytes]:
    """Return what a table's changelog says."""
    rows: dict[str, bytes | None] = {}
    async for record in committed(options, f"{prefix}streams.{name}-changelog"):
        rows[record.key.decode()] = record.value
    return {key: value for key, value in rows.items() if value is not None}


async def _fates(options: dict[str, Any], prefix: str, load: Load, found: Findings) -> None:
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    async for record in committed(options, prefix + topics.EVENT_FATES.name):
        summary = orjson.loads(record.value)
        totals[summary["agent"]].update(summary["counts"])
    balance = totals["deduplicate"]
    found.expect("fates of all that was put", sum(balance.values()), load.put)
    found.expect("fates counted", balance["counted"], len(load.ids))
    found.expect("fates dead", balance["dead"], load.dead)
    found.expect("fates counted by the second agent", totals["count"]["counted"], len(load.ids))
    letters = [record.key async for record in committed(options, prefix + topics.DEAD_LETTERS.name)]
    found.expect("dead letters", len(letters), load.dead)
    found.expect("dead letters, each once", len(set(letters)), load.dead)


async def _effects(options: dict[str, Any], prefix: str, load: Load, calls: list[str], found: Findings) -> None:
    told = {key: orjson.loads(raw) for key, raw in (await table(options, prefix, "chaos.told")).items()}
    numbers = [int(event.partition("-")[2]) for event in load.ids]
    expected = {number for number in numbers if number % 50 == 0}
    found.expect("effects told", len(told), len(expected))
    found.expect("effects told more than once", [key for key, statuses in told.items() if len(statuses) != 1][:5], [])
    made = Counter(calls)
    for key, statuses in told.items():
        repeatable = int(key.rpartition("-")[2]) % 100 == 0
        if not repeatable and made[key] > 1:
            found.doubled += made[key] - 1
        if statuses == ["done"] and not made[key]:
            found.lost += 1
        if repeatable and statuses != ["done"]:
            found.wrong.append(f"repeatable effect {key} ended {statuses}")
    found.expect("rows left in the outbox", await table(options, prefix, "engine.outbox"), {})
