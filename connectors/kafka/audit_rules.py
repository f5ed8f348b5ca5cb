"""The balance of one store in one partition of a topic: its records against the fates that agents wrote. Pure.

An agent writes, in the transaction that consumes a batch, one summary for each store in it: the span of the store's
records, and how many had which fate (streams/engine/fates.py). Batches of a partition follow one another without gap
or overlap, so that

- a record below the committed offset that no span covers, or whose span has fewer fates than records, is **lost**;
- a span with more fates than records, or one that overlaps an earlier one, has **doubled** some;
- a record at or above the committed offset is **in flight**.

Compaction and retention remove records whose fates stay. There a surplus of fates means removal, not doubling: only
overlapping spans and repeated summaries tell of the latter. What was removed counts as accepted with its fate.
"""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.model import STORE_NAME

UNKNOWN: Final = "unknown"
FATES: Final = ("counted", "duplicate", "filtered", "dead")
_STORE: Final = re.compile(rf"{STORE_NAME}\Z".encode())


def store_in(key: bytes | None) -> str:
    """Return the store that a record key names, or `unknown`: as the agents' summaries name it."""
    name = (key or b"").partition(b"/")[0]
    return name.decode() if _STORE.match(name) else UNKNOWN


@dataclass(slots=True)
class Balance:
    """How many records were accepted, and what became of them."""

    accepted: int = 0
    counted: int = 0
    duplicate: int = 0
    filtered: int = 0
    dead: int = 0
    in_flight: int = 0
    lost: int = 0
    doubled: int = 0

    @property
    def balance(self) -> int:
        """Accepted minus everything that became of them: 0, or something is wrong."""
        return self.accepted - self.counted - self.duplicate - self.filtered - self.dead - self.in_flight

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not (self.lost or self.doubled or self.balance)

    def add(self, other: "Balance") -> None:
        """Add another balance to this one."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_json(self) -> dict[str, int]:
        """Return the figures by name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"balance": self.balance}


@dataclass(slots=True)
class Summary:
    """What an agent wrote of one store in one batch, or a part of it when very many records were not counted.

    Attributes:
        store: whose records.
        agent: who consumed them.
        topic: where from, without the prefix.
        first: offset of the store's first record in the batch.
        last: of its last.
        part: tells summaries of one span apart.
        counts: fate to number.
    """

    store: str
    agent: str
    topic: str
    first: int
    last: int
    part: str
    counts: Mapping[str, int]

    @classmethod
    def of(cls, key: bytes, row: Mapping[str, Any]) -> "Summary":
        """Return the summary in a record of `event.fates`: key `store/agent/topic/first/part`."""
        part = key.rpartition(b"/")[2].decode()
        return cls(
            row["store"], row["agent"], row["topic"], row["first_offset"], row["last_offset"], part, row["counts"]
        )


@dataclass(slots=True)
class _Span:
    first: int
    last: int
    again: int
    """Fates of it that stand for records which an earlier span covers, where records cannot tell."""
    fates: int = 0
    parts: set[tuple[str, str]] = field(default_factory=set)


class Ledger:
    """Takes a store's records and summaries in the order of their offsets, and keeps no more than one span of either.

    Args:
        start: offsets below are not judged: their records or fates may have been removed.
        committed: the group's committed offset, taken before any end was asked for.
        compacted: records may have been removed anywhere.
    """

    def __init__(self, start: int, committed: int, *, compacted: bool) -> None:
        self.balance = Balance()
        self.waiting: deque[int] = deque()
        """Offsets of records that no settled span has passed."""
        self._start = start
        self._committed = committed
        self._compacted = compacted
        self._span: _Span | None = None
        self._furthest = -1

    def record(self, offset: int) -> None:
        """Take in a record; those of a span come before `summary` is called for the next one."""
        self.waiting.append(offset)

    def summary(self, summary: Summary) -> None:
        """Take in a summary; what was committed after the snapshot is left out, its records are in flight."""
        if summary.first >= self._committed or summary.last < self._start:
            return
        number = sum(summary.counts.values())
        part = (summary.agent, summary.part)
        span = self._span
        if span is None or (span.first, span.last) != (summary.first, summary.last):
            span = self._open(summary, number)
        elif part in span.parts:
            span.again += number
        span.parts.add(part)
        span.fates += number
        for fate, count in summary.counts.items():
            setattr(self.balance, fate, getattr(self.balance, fate) + count)

    def _open(self, summary: Summary, number: int) -> _Span:
        again = 0
        if summary.last <= self._furthest:
            again = number
        elif summary.first <= self._furthest:
            again = min(number, max(1, sum(summary.first <= offset <= self._furthest for offset in self.waiting)))
        self._settle()
        self._span = _Span(summary.first, summary.last, again)
        self._furthest = max(self._furthest, summary.last)
        return self._span

    def _settle(self) -> None:
        """Compare the open span with its records."""
        span = self._span
        if span is None:
            return
        self._lose(self._take(span.first - 1))
        records = self._take(span.last)
        removed = self._compacted or span.first < self._start
        again = span.again if removed else max(0, span.fates - records)
        covered = span.fates - again
        self.balance.doubled += again
        self.balance.lost += max(0, records - covered)
        self.balance.accepted += max(records, covered)
        self._span = None

    def _lose(self, records: int) -> None:
        self.balance.lost += records
        self.balance.accepted += records

    def _take(self, last: int) -> int:
        waiting, number = self.waiting, 0
        while waiting and waiting[0] <= last:
            waiting.popleft()
            number += 1
        return number

    def close(self) -> Balance:
        """Return the balance, when every record up to the end and every summary was taken in."""
        self._settle()
        self._lose(self._take(self._committed - 1))
        self.balance.in_flight += len(self.waiting)
        self.balance.accepted += len(self.waiting)
        self.waiting.clear()
        return self.balance


class Account:
    """The ledgers of all stores in one partition of a topic, for one reader or for those who share its records.

    Args: as those of `Ledger`.
    """

    def __init__(self, start: int, committed: int, *, compacted: bool) -> None:
        self._terms = (start, committed, compacted)
        self._ledgers: dict[str, Ledger] = {}

    def of(self, store: str) -> Ledger:
        """Return a store's ledger."""
        ledger = self._ledgers.get(store)
        if ledger is None:
            start, committed, compacted = self._terms
            ledger = self._ledgers[store] = Ledger(start, committed, compacted=compacted)
        return ledger

    def beside(self) -> "Account":
        """Return the account of another reader of the same records, to whom those that wait here are new as well."""
        start, committed, compacted = self._terms
        other = Account(start, committed, compacted=compacted)
        for store, ledger in self._ledgers.items():
            other.of(store).waiting.extend(ledger.waiting)
        return other

    def close(self) -> dict[str, Balance]:
        """Return each store's balance."""
        return {store: ledger.close() for store, ledger in self._ledgers.items()}
