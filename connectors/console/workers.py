"""Do the workers get on? Judged from their committed offsets and the ends of what they read; pure.

A worker that is gone, hangs or is too slow shows in what waits before it: nothing is asked of the worker itself.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from connectors.kafka.reader import Place
from schemas.partition import shard_of

ABSENT: Final = timedelta(seconds=20)
"""A worker that is restarted is back before: its session is kept for 6 s."""
STILL: Final = timedelta(seconds=60)
"""Far more than a batch takes, and than a rebalance with its restore usually does."""
BEHIND: Final = timedelta(minutes=2)
MANY: Final = 1_000
"""Fewer records than these wait for a moment only."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a shard.

    Attributes:
        records: how many.
        since: when some were first seen to wait; nothing was caught up with meanwhile.
        still_since: when one was last seen to be consumed.
    """

    records: int
    since: datetime
    still_since: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is the matter with the workers of a store.

    Attributes:
        kind: absent (none runs), still (nothing is consumed), behind (too slow), busy (at work).
        records: that wait.
        since: when it began.
    """

    kind: Literal["absent", "still", "behind", "busy"]
    records: int
    since: datetime


@dataclass(slots=True)
class Workers:
    """What is known of the workers; empty until they were first looked at."""

    partitions: int = 0
    members: int | None = None
    absent_since: datetime | None = None
    backlogs: dict[int, Backlog] = field(default_factory=dict)
    _committed: dict[Place, int] = field(default_factory=dict)

    def observe(
        self, now: datetime, members: int, committed: Mapping[Place, int], ends: Mapping[Place, int],
        empty: Collection[Place] = (),
    ) -> None:  # fmt: skip
        """Take note of a look.

        Args:
            now: when it was.
            members: workers that run.
            committed: where they go on in what they read.
            ends: of every topic.
            empty: places in which no record is left, only what ends a transaction.
        """
        self.partitions = 1 + max((number for _, number in ends), default=-1)
        self.members = members
        self.absent_since = None if members else self.absent_since or now
        waiting: defaultdict[int, int] = defaultdict(int)
        moved = set()
        for place, lag in self._lags(committed, ends).items():
            waiting[place[1]] += 0 if place in empty else lag
            if committed.get(place) != self._committed.get(place):
                moved.add(place[1])
        self.backlogs = {
            number: self._backlog(number, records, now, moved=number in moved)
            for number, records in waiting.items() if records
        }  # fmt: skip
        self._committed = dict(committed)

    def unseen(self) -> None:
        """Forget everything: nobody can be looked at."""
        self.members, self.absent_since, self.backlogs, self._committed = None, None, {}, {}

    def still(self, committed: Mapping[Place, int], ends: Mapping[Place, int]) -> list[Place]:
        """Return the places where something seems to wait and nothing was consumed since the last look."""
        lags = self._lags(committed, ends)
        return [place for place, lag in lags.items() if lag and committed.get(place) == self._committed.get(place)]

    def trouble(self, store: str, now: datetime) -> Trouble | None:
        """Return what is the matter with the workers of a store; None while they are up to date, or not known."""
        if self.members is None or not self.partitions:
            return None
        backlog = self.backlogs.get(shard_of(store, self.partitions))
        records = backlog.records if backlog else 0
        absent = self.absent(now)
        if absent is not None:
            return Trouble("absent", records, absent.since)
        if backlog is None:
            return None
        if now - backlog.still_since >= STILL:
            return Trouble("still", records, backlog.still_since)
        if now - backlog.since >= BEHIND and records >= MANY:
            return Trouble("behind", records, backlog.since)
        return Trouble("busy", records, backlog.since) if records >= MANY else None

    def absent(self, now: datetime) -> Trouble | None:
        """Return that no worker runs, with all that waits; None while one does, or when that is not known."""
        if self.absent_since is None or now - self.absent_since < ABSENT:
            return None
        return Trouble("absent", sum(backlog.records for backlog in self.backlogs.values()), self.absent_since)

    def _backlog(self, number: int, records: int, now: datetime, *, moved: bool) -> Backlog:
        old = self.backlogs.get(number)
        if old is None:
            return Backlog(records, now, now)
        return Backlog(records, old.since, now if moved else old.still_since)

    @staticmethod
    def _lags(committed: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, int]:
        """Return how far the workers are from the ends of the topics that they read."""
        read = {topic for topic, _ in committed}
        return {
            place: max(0, end - committed.get(place, 0)) for place, end in ends.items() if place[0] in read
        }  # fmt: skip
