"""A small shop for crash tests: deduplicate, count, call a destination; with poison, giants and faulty agents."""

import random
from datetime import timedelta
from typing import Final

from schemas import topics
from streams.engine.agent import JSON, TEXT, Agent, Batch, Effect, EffectOutcome, Poison, Shard, Table

SEEN: Final = Table("chaos.seen", TEXT, ttl=timedelta(days=1))
COUNTS: Final = Table("chaos.counts", JSON, disk=True)
TOLD: Final = Table("chaos.told", JSON)
POISON: Final = b"poison"
GIANT: Final = b"giant"
CALL_EVERY: Final = 50


class UnreasonableError(Exception):
    """What a faulty agent raises, for no reason that a record gives."""


class Deduplicate(Agent):
    """Forwards every event once; now and then it raises over a whole batch, which must not matter.

    It bears the name of the agent in whose place it stands: `audit` holds that one accountable for the topic.
    """

    name = "tracking"
    inputs = (topics.PIXEL_EVENTS,)
    tables = (SEEN,)

    def __init__(self, fault: float, seed: int) -> None:
        self._fault = fault
        self._random = random.Random(seed)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Forward what was not seen."""
        seen = shard.table(SEEN)
        faulty = len(batch) > 1 and self._random.random() < self._fault
        for record in batch:
            event = (record.value or b"").decode()
            if event.startswith(POISON.decode()):
                raise Poison("poisoned on purpose")
            if event in seen:
                batch.duplicate(record, event)
                continue
            seen[event] = "1"
            if event.startswith(GIANT.decode()):
                shard.send(topics.TRACKING_EVENTS, record.key, b"x" * 2_000_000)
            shard.send(topics.TRACKING_EVENTS, record.key, record.value)
        if faulty:
            raise UnreasonableError


class Count(Agent):
    """Counts events by key on disk, tells the count, and makes a call now and then."""

    name = "count"
    inputs = (topics.TRACKING_EVENTS,)
    tables = (COUNTS, TOLD)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Count."""
        counts = shard.table(COUNTS)
        touched = {}
        for record in batch:
            key = record.key.decode()
            counts[key] = touched[key] = counts.get(key, 0) + 1
            number = int((record.value or b"").rpartition(b"-")[2])
            if number % CALL_EVERY == 0:
                shard.effect(Effect(
                    id=f"call-{number}", agent=self.name, kind="chaos.call", store=record.store, destination="nowhere",
                    key=key, payload={"number": number}, repeatable=number % (2 * CALL_EVERY) == 0,
                ))  # fmt: skip
        for key, count in touched.items():
            shard.send(topics.PROFILES, key.encode(), str(count).encode())

    def outcome(self, outcome: EffectOutcome, shard: Shard) -> None:
        """Note what a call ended with, and how often that was told."""
        told = shard.table(TOLD)
        key = f"{outcome.store}/{outcome.effect}"
        told[key] = [*told.get(key, []), outcome.status]
