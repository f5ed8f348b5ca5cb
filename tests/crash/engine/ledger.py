"""The truth of a chaos run: what was put in, and what a `read_committed` reader finds afterwards."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.kafka.audit import audit
from connectors.kafka.connection import KafkaConnection
from schemas import topics
from schemas.partition import shard_of
from tests.crash.engine.sample import GIANT, POISON
from tests.crash.herd import PARTITIONS, Findings, changelog, committed

STORES = [f"store{n}" for n in range(23)]


@dataclass
class Load:
    """What a run puts in.

    Attributes:
        events: distinct ids.
        keys: over which they are spread.
        seed: of everything random.
        first: number of the first event.
    """

    events: int
    keys: int
    seed: int
    first: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    put: int = 0
    dead: int = 0

    def add(self, other: "Load") -> None:
        """Take in what another load has put."""
        self.counts += other.counts
        self.ids |= other.ids
        self.put += other.put
        self.dead += other.dead

    def records(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Yield (shard, key, value): 5 % come twice at once, 1 % again later, a few are poison or giants."""
        chance = random.Random(self.seed)
        late: list[tuple[int, bytes, bytes]] = []
        for number in range(self.first, self.first + self.events):
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


async def verify(options: dict[str, Any], prefix: str, load: Load, calls: list[str]) -> Findings:
    """Compare what a run left behind with the truth."""
    found = Findings()
    await _once(options, prefix, load, found)
    await _counts(options, prefix, load, found)
    await _fates(options, prefix, load, found)
    await _effects(options, prefix, load, calls, found)
    await audited(options, prefix, load.put, found)
    return found


async def audited(options: dict[str, Any], prefix: str, put: int, found: Findings) -> None:
    """Have the product's own `audit` prove from the topics that every record has one fate."""
    report = await audit(KafkaConnection(options["bootstrap_servers"], prefix))
    taken_in = [balance for by_topic in report.stores.values() for balance in by_topic.values()]
    between = [balance for by_topic in report.agents.values() for balance in by_topic.values()]
    found.expect("audit is balanced", report.balanced, expected=True)
    found.expect("audit: accepted", sum(balance.accepted for balance in taken_in), put)
    found.expect("audit: in flight", sum(balance.in_flight for balance in (*taken_in, *between)), 0)
    found.lost += sum(balance.lost for balance in (*taken_in, *between))
    found.doubled += sum(balance.doubled for balance in (*taken_in, *between))


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
    counts = await changelog(options, prefix, "chaos.counts")
    found.expect("counts in the changelog", {key: int(raw) for key, raw in counts.items()}, dict(load.counts))
    found.expect("ids in the changelog", (await changelog(options, prefix, "chaos.seen")).keys(), load.ids)


async def _fates(options: dict[str, Any], prefix: str, load: Load, found: Findings) -> None:
    totals: dict[str, Counter[str]] = defaultdict(Counter)
    async for record in committed(options, prefix + topics.EVENT_FATES.name):
        summary = orjson.loads(record.value)
        totals[summary["agent"]].update(summary["counts"])
    balance = totals["tracking"]
    found.expect("fates of all that was put", sum(balance.values()), load.put)
    found.expect("fates counted", balance["counted"], len(load.ids))
    found.expect("fates dead", balance["dead"], load.dead)
    found.expect("fates counted by the second agent", totals["count"]["counted"], len(load.ids))
    letters = [record.key async for record in committed(options, prefix + topics.DEAD_LETTERS.name)]
    found.expect("dead letters", len(letters), load.dead)
    found.expect("dead letters, each once", len(set(letters)), load.dead)


async def _effects(options: dict[str, Any], prefix: str, load: Load, calls: list[str], found: Findings) -> None:
    told = {key: orjson.loads(raw) for key, raw in (await changelog(options, prefix, "chaos.told")).items()}
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
    found.expect("rows left in the outbox", await changelog(options, prefix, "engine.outbox"), {})
