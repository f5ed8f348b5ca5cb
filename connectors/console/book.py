"""The orders that the console can explain: the most recent rows of `attributions`, as they are, and their sums."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from schemas.kpis import Attribution
from schemas.partition import store_of


class _Entry(NamedTuple):
    ordered_at: str
    explanation: str
    campaign: str | None
    currency: str
    amount: int
    refunded: int
    net: int
    conversions: int
    raw: bytes


@dataclass(slots=True)
class Share:
    """What one kind of explanation brought, in one currency."""

    orders: int = 0
    net: int = 0


@dataclass(slots=True)
class Sums:
    """What a campaign's orders add up to, in one currency; `conversions` leaves out cancelled ones."""

    orders: int = 0
    conversions: int = 0
    revenue: int = 0
    refunded: int = 0
    net: int = 0


class OrderBook:
    """Keeps orders' explanations by store and campaign.

    Args:
        limit: orders kept, over all stores; the oldest go first, and `left_out` says so.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[bytes, _Entry] = {}
        self._by_campaign: defaultdict[tuple[str, str], set[bytes]] = defaultdict(set)
        self._shares: defaultdict[str, dict[tuple[str, str], Share]] = defaultdict(dict)
        self.left_out = False

    def apply(self, key: bytes, value: bytes | None) -> str:
        """Take in a row; returns its store."""
        store = store_of(key)
        self._forget(store, key)
        if value is not None:
            self._remember(store, key, _entry(orjson.loads(value), value))
        # A tenth over the limit before cutting, so that sorting happens seldom.
        if len(self._entries) > self._limit * 1.1:
            self._cut()
        return store

    def shares(self, store: str) -> dict[tuple[str, str], Share]:
        """Return what each explanation brought, by (explanation, currency)."""
        return {kind: share for kind, share in self._shares[store].items() if share.orders}

    def count(self, store: str, campaign: str) -> int:
        """Return how many orders of a campaign are known."""
        return len(self._by_campaign.get((store, campaign), ()))

    def sums(self, store: str, campaign: str) -> dict[str, Sums]:
        """Return what a campaign's orders add up to, by currency."""
        found: defaultdict[str, Sums] = defaultdict(Sums)
        for key in self._by_campaign.get((store, campaign), ()):
            entry, sums = self._entries[key], found[self._entries[key].currency]
            sums.orders += 1
            sums.conversions += entry.conversions
            sums.revenue += entry.amount
            sums.refunded += entry.refunded
            sums.net += entry.net
        return dict(found)

    def orders(self, store: str, campaign: str, *, skip: int = 0, count: int | None = None) -> Iterator[Attribution]:
        """Yield a campaign's orders, the latest first."""
        keys = self._by_campaign.get((store, campaign), ())
        latest = sorted(keys, key=lambda each: (self._entries[each].ordered_at, each), reverse=True)
        for key in latest[skip : None if count is None else skip + count]:
            yield Attribution.model_validate_json(self._entries[key].raw)

    def _remember(self, store: str, key: bytes, entry: _Entry) -> None:
        self._entries[key] = entry
        if entry.campaign is not None:
            self._by_campaign[store, entry.campaign].add(key)
        share = self._shares[store].setdefault((entry.explanation, entry.currency), Share())
        share.orders += entry.conversions
        share.net += entry.net

    def _forget(self, store: str, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        if entry.campaign is not None:
            self._by_campaign[store, entry.campaign].discard(key)
        share = self._shares[store][entry.explanation, entry.currency]
        share.orders -= entry.conversions
        share.net -= entry.net

    def _cut(self) -> None:
        self.left_out = True
        excess = len(self._entries) - self._limit
        for key in sorted(self._entries, key=lambda each: self._entries[each].ordered_at)[:excess]:
            self._forget(store_of(key), key)


def _entry(row: dict[str, Any], raw: bytes) -> _Entry:
    return _Entry(
        row["ordered_at"], row["explanation"], row.get("campaign"), row["currency"], int(row["amount"]),
        int(row.get("refunded", 0)), int(row.get("net", 0)), int(row["conversions"]), raw,
    )  # fmt: skip
