"""A cell's sums as rows of `kpi.campaigns`: one for each currency, ratios included (docs/kpis.md, Cells). Pure."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.money import MICROS, exponent
from streams.figures.costs import Cost
from streams.figures.parts import ALL, Slot

Row = dict[str, Any]
_SENT: Final = ("sent", "delivered", "failed", "seen")
_CLICKED: Final = ("clicks", "engaged", "visitors")
_BUCKETS: Final = ("same_day", "d1_3", "d4_7", "d8_30", "d30_plus")


def rows(slot: Slot, sums: Mapping[str, int], cost: Cost, campaign: Mapping[str, Any], currency: str) -> dict[str, Row]:
    """Return what a cell publishes, by currency, without store and time.

    Args:
        slot: which cell.
        sums: its sums.
        cost: the day's, or the total's; the cell of basis `purchase` has none.
        campaign: its row of the table of campaigns.
        currency: the store's.
    """
    found = {}
    if _stands(slot, sums, cost, campaign, currency):
        found[currency] = _row(slot, sums, currency, cost.own, _counts(slot, sums, campaign))
    others = {name.removeprefix("orders.") for name in sums if name.startswith("orders.")} | set(cost.foreign)
    for other in sorted(others - {currency}):
        nothing = dict.fromkeys((*_SENT, *_CLICKED))
        found[other] = _row(slot, sums, other, cost.foreign.get(other), nothing)
    return found


def total_cost(sums: Mapping[str, int]) -> Cost:
    """Return the total's cost from the sums of its days."""
    foreign = {
        name.removeprefix("foreigns."): sums.get(name.replace("foreigns", "foreign", 1), 0)
        for name in sums
        if name.startswith("foreigns.")
    }
    hole = sums.get("holes", 0) > 0
    own = sums.get("own", 0) if sums.get("known") and not hole else None
    return Cost(own, hole, foreign)


def _stands(slot: Slot, sums: Mapping[str, int], cost: Cost, campaign: Mapping[str, Any], currency: str) -> bool:
    """Say whether something stands behind the cell in the store's currency."""
    behind = sums.get("held") or sums.get(f"orders.{currency}") or cost.own is not None
    return bool(behind) or (slot.basis != "purchase" and _row_tells(slot, campaign))


def _row_tells(slot: Slot, campaign: Mapping[str, Any]) -> bool:
    row = campaign.get("row")
    if not row or slot.date not in {ALL, row["day"]}:
        return False
    counts = row["recipients"] is not None or row["deliveries"] is not None
    return (counts and not campaign.get("reported")) or (row["cost_micros"] is not None and not campaign.get("priced"))


def _counts(slot: Slot, sums: Mapping[str, int], campaign: Mapping[str, Any]) -> Row:
    if slot.basis == "purchase":
        return dict.fromkeys((*_SENT, *_CLICKED))
    clicked = {name: sums.get(name, 0) for name in _CLICKED}
    if campaign.get("reported"):
        return {name: sums.get(name, 0) for name in _SENT} | clicked
    sent: Row = dict.fromkeys(_SENT)
    row = campaign.get("row")
    if row and slot.date in {ALL, row["day"]}:
        sent |= {"sent": row["recipients"], "delivered": row["deliveries"]}
    return sent | clicked


def _row(slot: Slot, sums: Mapping[str, int], currency: str, cost: int | None, counts: Row) -> Row:
    conversions, revenue, refunded, net = (
        sums.get(f"{name}.{currency}", 0) for name in ("conversions", "amount", "refunded", "net")
    )
    delivered, engaged = counts["delivered"], counts["engaged"]
    # Integers divide exactly rounded: net in minor units over micro-units of the same currency.
    scale = MICROS // 10 ** exponent(currency)
    buckets = {name: sums.get(f"ttc.{name}.{currency}", 0) for name in _BUCKETS}
    return {
        **slot._asdict(),
        "currency": currency,
        **counts,
        "conversions": conversions,
        "revenue": revenue,
        "refunded": refunded,
        "net": net,
        "cost_micros": cost,
        "ctr": _ratio(engaged, delivered),
        "conversion_rate": _ratio(conversions, delivered),
        "revenue_per_message": _ratio(net, delivered),
        "average_order_value": _ratio(net, conversions),
        "roas": _ratio(net * scale, cost),
        "roi": None if cost is None else _ratio(net * scale - cost, cost),
        "time_to_conversion": {name: count for name, count in buckets.items() if count},
    }


def _ratio(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None
