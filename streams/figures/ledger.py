"""The cells of one store in one transaction: changes are gathered, and each cell is written once.

A day's cost is reckoned when its cell is written, from the day's sums, the campaign's row and the store's prices and
rates; the total holds the sum of its days' costs, and is corrected when one of them changes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

import orjson

from schemas import topics
from schemas.clock import to_text
from streams.engine.agent import Shard
from streams.figures import cells
from streams.figures.costs import Cost, Tariff, day_cost
from streams.figures.parts import Part, Slot, Sums, add, differences, total
from streams.figures.tables import CAMPAIGNS, CELLS, VISITORS
from streams.journeys.limits import digest
from streams.journeys.tables import key

Row = dict[str, Any]


class Ledger:
    """Adds up what facts change.

    Args:
        shard: the transaction.
        store: its name.
        tariff: what its costs are reckoned with.
    """

    def __init__(self, shard: Shard, store: str, tariff: Tariff) -> None:
        self._shard = shard
        self._store = store
        self._tariff = tariff
        self._cells = shard.table(CELLS)
        self._campaigns = shard.table(CAMPAIGNS)
        self._visitors = shard.table(VISITORS)
        self._changes: defaultdict[str, defaultdict[Slot, Sums]] = defaultdict(lambda: defaultdict(dict))
        self._visits: Counter[tuple[str, str, str]] = Counter()  # landings more or fewer, by campaign, date, visitor
        self._anew: set[str] = set()

    def change(self, old: Part, new: Part) -> None:
        """Replace a fact's part of the cells by another."""
        for slot, sums in differences(old, new):
            add(self._changes[slot.campaign][slot], sums)
        self._visits.subtract(old.visitors)
        self._visits.update(new.visitors)

    def set_row(self, campaign: str, row: Row | None) -> None:
        """Replace what was imported of a campaign."""
        entry = self._campaigns.get(key(self._store, campaign)) or {}
        if entry.get("row") == row:
            return
        days = {*entry.get("days", ()), *([row["day"]] if row else [])}
        self._campaigns[key(self._store, campaign)] = {**entry, "row": row, "days": sorted(days)}
        self._anew.add(campaign)

    def reckon_anew(self, campaign: str) -> None:
        """Write all cells of a campaign again: prices or rates have changed."""
        self._anew.add(campaign)

    def write(self) -> None:
        """Write the cells that have changed, and publish what they say."""
        self._count_visitors()
        for campaign in sorted(self._changes.keys() | self._anew):
            changes = {slot: sums for slot, sums in self._changes.get(campaign, {}).items() if sums}
            if changes or campaign in self._anew:
                self._write_campaign(campaign, changes)
        self._changes.clear()
        self._anew.clear()

    def _count_visitors(self) -> None:
        for (campaign, date, visitor), change in self._visits.items():
            if not change:
                continue
            place = key(self._store, campaign, date, visitor)
            before = self._visitors.get(place, 0)
            self._visitors[place] = before + change or None
            basis = "total" if date == total(campaign).date else "delivery"
            add(self._changes[campaign][Slot(campaign, basis, date)], {
                "visitors": int(before + change > 0) - int(before > 0)
            })  # fmt: skip
        self._visits.clear()

    def _write_campaign(self, campaign: str, changes: Mapping[Slot, Sums]) -> None:
        entry, all_days = self._campaigns.get(key(self._store, campaign)) or {}, total(campaign)
        touched = {slot: self._cell(slot, sums) for slot, sums in changes.items()}
        whole = touched.get(all_days) or self._cell(all_days, {})
        days = {slot.date for slot in touched if slot.basis == "delivery"}
        sums = whole["n"]
        now = {
            "days": sorted(days.union(entry.get("days", ()))),
            "reported": sums.get("sent", 0) > 0,
            "priced": sums.get("priced", 0) > 0,
        }
        source_changed = any(entry.get(name, False) != now[name] for name in ("reported", "priced"))
        if any(entry.get(name) != value for name, value in now.items()):
            entry = {**entry, **now}
            self._campaigns[key(self._store, campaign)] = entry
        if source_changed or campaign in self._anew:
            untouched = {Slot(campaign, "delivery", day) for day in entry["days"]} - touched.keys()
            touched |= {slot: self._cell(slot, {}) for slot in sorted(untouched)}
        for slot, cell in touched.items():
            if slot.basis == "delivery":
                self._reckon(slot, cell, whole, entry)
        for slot, cell in {**touched, all_days: whole}.items():
            self._publish(slot, cell, entry)

    def _cell(self, slot: Slot, change: Sums) -> Row:
        cell = self._cells.get(key(self._store, *slot)) or {}
        sums = dict(cell.get("n", {}))
        add(sums, change)
        return {**cell, "n": sums}

    def _reckon(self, slot: Slot, cell: Row, whole: Row, entry: Row) -> None:
        old, new = _cost(cell), day_cost(slot.date, cell["n"], entry, self._tariff)
        if old == new:
            return
        cell["c"] = list(new)
        add(whole["n"], {name: -value for name, value in old.sums().items()})
        add(whole["n"], new.sums())

    def _publish(self, slot: Slot, cell: Row, entry: Row) -> None:
        cost = cells.total_cost(cell["n"]) if slot.basis == "total" else _cost(cell)
        found = cells.rows(slot, cell["n"], cost, entry, self._tariff.currency)
        said = {currency: digest(orjson.dumps(row).decode()) for currency, row in found.items()}
        before = cell.get("o", {})
        for currency in sorted(said.keys() | before.keys()):
            if said.get(currency) != before.get(currency):
                self._send(slot, currency, found.get(currency))
        new = {**cell, "o": said}
        # A cell that says nothing has nothing behind it.
        self._cells[key(self._store, *slot)] = new if said or cell["n"] else None

    def _send(self, slot: Slot, currency: str, row: Row | None) -> None:
        place = topics.KPI_CAMPAIGNS.key(self._store, *slot, currency)
        now = to_text(self._shard.now)
        value = None if row is None else orjson.dumps({"store": self._store, **row, "updated_at": now})
        self._shard.send(topics.KPI_CAMPAIGNS, place, value)


def _cost(cell: Row) -> Cost:
    return Cost(*cell["c"]) if "c" in cell else Cost()
