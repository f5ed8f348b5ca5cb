"""What each fact adds to which cell (docs/kpis.md, Cells). Pure.

A fact "as counted" is a small row, from which its part of the cells follows; subtracting the old and adding the new
is all that a correction takes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas.money import is_currency
from streams.journeys import messages
from streams.journeys.messages import REACHED, STATUSES

Counted = dict[str, Any]
Sums = dict[str, int]
ALL: Final = "all"


class Slot(NamedTuple):
    """A cell before it is split by currency."""

    campaign: str
    basis: str
    date: str


class Part(NamedTuple):
    """What a fact adds: sums to cells, and landings to visitors by (campaign, date, visitor)."""

    sums: Mapping[Slot, Sums]
    visitors: Mapping[tuple[str, str, str], int]


NOTHING: Final = Part({}, {})


def total(campaign: str) -> Slot:
    """Return the slot of a campaign's total."""
    return Slot(campaign, "total", ALL)


def count_message(
    row: Mapping[str, Any] | None, visitors: Mapping[str, int], clicks: int, timezone: str
) -> Counted | None:
    """Return a message as it counts, or None when it has no campaign or no report.

    Args:
        row: the message's facts.
        visitors: who landed from it, with the number of their landings.
        clicks: its click reports.
        timezone: the store's.
    """
    day = messages.day(row, timezone) if row else None
    if row is None or day is None or not row.get("c"):
        return None
    counted: Counted = {"c": row["c"], "d": day, "s": row["s"], "h": row.get("h", "")}
    if clicks:
        counted["k"] = clicks
    if visitors:
        counted["v"] = dict(visitors)
    if "p" in row and is_currency(row["p"][3]):
        counted["p"] = row["p"][2:]
    return counted


def message_part(counted: Counted | None) -> Part:
    """Return what a message adds: itself, and the landings that it brought."""
    if counted is None:
        return NOTHING
    statuses, visitors = counted["s"], counted.get("v", {})
    reached = int(bool(statuses & REACHED))
    clicks = counted.get("k", 0) or sum(visitors.values())
    sums = {
        "held": 1,
        "sent": 1,
        "delivered": reached,
        "failed": int(bool(statuses & STATUSES["failed"]) and not reached),
        "seen": int(bool(statuses & STATUSES["seen"])),
        "clicks": clicks,
        "engaged": int(clicks > 0),
    }
    daily = {**sums, f"got.{counted['h']}": reached}
    if "p" in counted:
        micros, currency = counted["p"]
        sums["priced"] = 1
        daily |= {f"price.{currency}": micros, f"priced.{currency}": 1}
    return _delivery_part(counted["c"], counted["d"], sums, daily, visitors)


def landing_part(campaign: str, counted: Counted | None) -> Part:
    """Return what a landing without a known message adds; another one is the message's."""
    if counted is None or counted["m"] is not None:
        return NOTHING
    sums = {"held": 1, "clicks": 1, "engaged": 1}
    return _delivery_part(campaign, counted["d"], sums, sums, {counted["v"]: 1})


def _delivery_part(campaign: str, day: str, sums: Sums, daily: Sums, visitors: Mapping[str, int]) -> Part:
    cells = {Slot(campaign, "delivery", day): daily, total(campaign): sums}
    return Part(cells, {(campaign, date, one): n for date in (day, ALL) for one, n in visitors.items()})


def count_order(attribution: Mapping[str, Any] | None) -> Counted | None:
    """Return an order as it counts, or None when no campaign explains it."""
    if not attribution or attribution["explanation"] != "campaign" or not attribution.get("winner"):
        return None
    winner = attribution["winner"]
    return {
        "c": winner["campaign"],
        "d": winner["day"],
        "o": attribution["order_day"],
        "u": attribution["currency"],
        "x": [attribution[name] for name in ORDER_SUMS],
        "t": attribution.get("time_to_conversion"),
    }


ORDER_SUMS: Final = ("conversions", "amount", "refunded", "net")


def order_part(counted: Counted | None) -> Part:
    """Return what an order adds, under names that end in its currency."""
    if counted is None:
        return NOTHING
    currency, campaign = counted["u"], counted["c"]
    sums = {f"{name}.{currency}": value for name, value in zip(ORDER_SUMS, counted["x"], strict=True)}
    sums[f"orders.{currency}"] = 1
    if counted["t"]:
        sums[f"ttc.{counted['t']}.{currency}"] = counted["x"][0]
    slots = (Slot(campaign, "delivery", counted["d"]), Slot(campaign, "purchase", counted["o"]), total(campaign))
    return Part(dict.fromkeys(slots, sums), {})


def differences(old: Part, new: Part) -> Iterator[tuple[Slot, Sums]]:
    """Yield what a change of a fact changes in each cell."""
    for part, sign in ((old, -1), (new, 1)):
        for slot, sums in part.sums.items():
            yield slot, {name: sign * value for name, value in sums.items() if value}


def add(sums: Sums, change: Mapping[str, int]) -> None:
    """Add a change to sums; what comes to nothing leaves."""
    for name, value in change.items():
        new = sums.get(name, 0) + value
        if new:
            sums[name] = new
        else:
            sums.pop(name, None)
