"""Cells of `kpi.campaigns` as a table shows them, one by one and in sums."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from connectors.console.figures import Figures, Shown
from connectors.console.state import ReadModel, StoreView
from schemas.kpis import CampaignKpis
from schemas.money import micros_to_minor

COLUMNS: Final = (
    ("sent", "Sent", "Messages handed to the channel"),
    ("delivered", "Delivered", "Messages that arrived"),
    ("clicks", "Clicks", "Distinct clicks; link previews and bots are not counted"),
    ("conversions", "Orders", "Orders this campaign explains, cancelled ones left out"),
    ("revenue", "Revenue", "Value of those orders"),
    ("refunded", "Refunded", "Given back since"),
    ("net", "Net", "Revenue minus refunds"),
    ("cost", "Cost", "What the messages cost"),
    ("ctr", "CTR", "Messages clicked / delivered"),
    ("conversion_rate", "Conv. rate", "Orders / delivered"),
    ("roi", "ROI", "(Net - cost) / cost"),
    ("roas", "ROAS", "Net / cost"),
)
_NO_DELIVERIES: Final = "no delivery is known"
_NO_COST: Final = "no cost is known"


def total_cells(model: ReadModel, store: StoreView) -> list[CampaignKpis]:
    """Return each campaign's totals; a campaign that is only known by name has one with nothing in it."""
    cells = model.cells[store.store]
    found = [cell for of in cells.values() for (basis, _, _), cell in of.items() if basis == "total"]
    told = {cell.campaign for cell in found}
    found += [empty_cell(store, name) for name in model.campaigns[store.store] if name not in told]
    return found


def empty_cell(store: StoreView, campaign: str) -> CampaignKpis:
    """Return the totals of a campaign of which nothing is known yet."""
    return CampaignKpis(
        store=store.store, campaign=campaign, basis="total", date="all", currency=store.currency,
        updated_at=datetime.now(UTC),
    )  # fmt: skip


def campaign_name(model: ReadModel, store: StoreView, campaign: str) -> str:
    """Return what people call a campaign."""
    known = model.campaigns[store.store].get(campaign)
    return known.name if known else campaign


def campaign_note(model: ReadModel, figures: Figures, store: StoreView, campaign: str) -> str:
    """Return a campaign's channel and day, as far as they are known."""
    known = model.campaigns[store.store].get(campaign)
    if known is None:
        return ""
    channel = {"whatsapp": "WhatsApp", "sms": "SMS"}.get(known.channel or "", "")
    return " \N{MIDDLE DOT} ".join(filter(None, (channel, figures.day(known.day))))


Show = Callable[[Any], Shown]


def show_cell(cell: CampaignKpis, figures: Figures) -> dict[str, Shown]:
    """Return a cell's figures as text, by column."""
    rate = _NO_DELIVERIES if not cell.delivered else "no click is known"
    return {
        "sent": figures.count(cell.sent),
        "delivered": figures.count(cell.delivered),
        "failed": figures.count(cell.failed),
        "seen": figures.count(cell.seen),
        "clicks": figures.count(cell.clicks, "no click report or landing has been seen"),
        "engaged": figures.count(cell.engaged, "no click report or landing has been seen"),
        "visitors": figures.count(cell.visitors, "no landing has been seen"),
        "conversions": figures.count(cell.conversions),
        "revenue": figures.money(cell.revenue, cell.currency),
        "refunded": figures.money(cell.refunded, cell.currency),
        "net": figures.money(cell.net, cell.currency),
        "cost": figures.cost(cell.cost_micros, cell.currency),
        "ctr": figures.percent(cell.ctr, rate),
        "conversion_rate": figures.percent(cell.conversion_rate, _NO_DELIVERIES),
        "roi": figures.percent(cell.roi, _NO_COST),
        "roas": figures.ratio(cell.roas, _NO_COST),
        "average_order_value": figures.money(cell.average_order_value, cell.currency, "there is no order yet"),
        "revenue_per_message": figures.money(cell.revenue_per_message, cell.currency, _NO_DELIVERIES),
    }


def sum_cells(cells: list[CampaignKpis], figures: Figures, currency: str) -> dict[str, Shown]:
    """Return the sums of campaigns in one currency. Visitors are distinct people: they do not add up.

    A sum adds what is known and says how many it leaves out. A rate is taken over those for which
    both of its parts are known, never over a part of one.
    """
    shown = {
        name: _sum(cells, name, figures.count)
        for name in ("sent", "delivered", "failed", "seen", "clicks", "engaged", "conversions")
    }
    for name in ("revenue", "refunded", "net"):
        shown[name] = figures.money(sum(getattr(cell, name) for cell in cells), currency)
    orders, net = sum(cell.conversions for cell in cells), sum(cell.net for cell in cells)
    average = net / orders if orders else None
    shown["average_order_value"] = figures.money(average, currency, "there is no order yet")
    shown["cost"] = _sum(cells, "cost_micros", lambda value: figures.cost(value, currency))
    shown["ctr"] = _rate(cells, "engaged", "delivered", lambda value: figures.percent(value, _NO_DELIVERIES))
    shown["conversion_rate"] = _rate(
        cells, "conversions", "delivered", lambda value: figures.percent(value, _NO_DELIVERIES)
    )
    costed = [cell for cell in cells if cell.cost_micros]
    cost = float(sum(micros_to_minor(cell.cost_micros or 0, currency) for cell in costed))
    earned = sum(cell.net for cell in costed)
    shown["roas"] = _partial(figures.ratio(earned / cost if cost else None, _NO_COST), len(cells) - len(costed))
    shown["roi"] = _partial(
        figures.percent((earned - cost) / cost if cost else None, _NO_COST), len(cells) - len(costed)
    )
    return shown


def _sum(cells: list[CampaignKpis], name: str, show: Show) -> Shown:
    known = [value for cell in cells if (value := getattr(cell, name)) is not None]
    found = show(sum(known) if known else None)
    return _partial(found, len(cells) - len(known))


def _rate(cells: list[CampaignKpis], above: str, below: str, show: Show) -> Shown:
    pairs = [(getattr(cell, above), getattr(cell, below)) for cell in cells]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    total = sum(b for _, b in known)
    found = show(sum(a for a, _ in known) / total if total else None)
    return _partial(found, len(cells) - len(known))


def _partial(shown: Shown, missing: int) -> Shown:
    if not missing or not shown.known:
        return shown
    campaigns = "1 campaign" if missing == 1 else f"{missing} campaigns"
    return Shown(shown.text, title=f"Without {campaigns} of which this is unknown")
