"""The overview of a store: its campaigns' figures, their sums, and revenue over time."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.console.chart import Chart, Day, revenue_chart
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
PERIODS: Final = (30, 90, 365)
BASES: Final = {"purchase": "by purchase date", "delivery": "by delivery date"}
_NO_DELIVERIES: Final = "no delivery is known"
_NO_COST: Final = "no cost is known"


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign in one currency."""

    campaign: str
    name: str
    note: str
    currency: str
    cells: dict[str, Shown]
    rank: float


def overview(
    model: ReadModel, figures: Figures, store: StoreView, *, basis: str, days: int, sort: str
) -> dict[str, Any]:
    """Return what the overview's template needs.

    Args:
        basis: of the chart, a key of `BASES`.
        days: length of the chart.
        sort: a column by which campaigns are ordered, the largest first.
    """
    totals = total_cells(model, store)
    rows = sorted(
        (campaign_row(model, figures, store, cell, sort) for cell in totals),
        key=lambda row: (-row.rank, row.name, row.currency),
    )
    own = [cell for cell in totals if cell.currency == store.currency]
    return {
        "columns": COLUMNS,
        "rows": rows,
        "sums": sum_cells(own, figures, store.currency),
        "tiles": _tiles(own, figures, store),
        "explained": explained_orders(model, figures, store),
        "chart": store_chart(model, figures, store, model.cells[store.store].values(), basis=basis, days=days),
        "left_out": model.cells_left_out,
    }


def total_cells(model: ReadModel, store: StoreView) -> list[CampaignKpis]:
    """Return each campaign's totals; a campaign that is only known by name has one with nothing in it."""
    cells = model.cells[store.store]
    found = [cell for of in cells.values() for (basis, _, _), cell in of.items() if basis == "total"]
    told = {cell.campaign for cell in found}
    for campaign in model.campaigns[store.store]:
        if campaign not in told:
            found.append(empty_cell(store, campaign))
    return found


def empty_cell(store: StoreView, campaign: str) -> CampaignKpis:
    """Return the totals of a campaign of which nothing is known yet."""
    return CampaignKpis(
        store=store.store, campaign=campaign, basis="total", date="all", currency=store.currency,
        updated_at=datetime.now(UTC),
    )  # fmt: skip


def campaign_row(model: ReadModel, figures: Figures, store: StoreView, cell: CampaignKpis, sort: str) -> Row:
    """Return a campaign's row of the table."""
    known = model.campaigns[store.store].get(cell.campaign)
    parts = (
        [known.channel.capitalize() if known.channel == "whatsapp" else known.channel.upper()]
        if (known and known.channel)
        else []
    )
    if known:
        parts.append(figures.day(known.day))
    value = getattr(cell, "cost_micros" if sort == "cost" else sort, None)
    return Row(
        cell.campaign,
        known.name if known else cell.campaign,
        " · ".join(parts),
        cell.currency,
        show_cell(cell, figures),
        float("-inf") if value is None else float(value),
    )


def show_cell(cell: CampaignKpis, figures: Figures) -> dict[str, Shown]:
    """Return a cell's figures as text, by column."""
    rate = _NO_DELIVERIES if not cell.delivered else "no click is known"
    return {
        "sent": figures.count(cell.sent),
        "delivered": figures.count(cell.delivered),
        "failed": figures.count(cell.failed),
        "seen": figures.count(cell.seen),
        "clicks": figures.count(cell.clicks, "no click report or landing has been seen"),
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
    """Return the sums of campaigns in one currency.

    A sum adds what is known and says how many campaigns it leaves out. A rate is taken over the campaigns for which
    both of its parts are known, never over a part of one.
    """
    shown = {
        name: _sum(cells, name, figures.count)
        for name in ("sent", "delivered", "clicks", "conversions")
    }  # fmt: skip
    for name in ("revenue", "refunded", "net"):
        shown[name] = figures.money(sum(getattr(cell, name) for cell in cells), currency)
    shown["cost"] = _sum(cells, "cost_micros", lambda value: figures.cost(value, currency))
    shown["ctr"] = _rate(cells, "engaged", "delivered", lambda value: figures.percent(value, _NO_DELIVERIES))
    shown["conversion_rate"] = _rate(
        cells, "conversions", "delivered", lambda value: figures.percent(value, _NO_DELIVERIES)
    )
    costed = [cell for cell in cells if cell.cost_micros]
    cost = float(sum(micros_to_minor(cell.cost_micros or 0, currency) for cell in costed))
    net = sum(cell.net for cell in costed)
    shown["roas"] = _partial(figures.ratio(net / cost if cost else None, _NO_COST), len(cells) - len(costed))
    shown["roi"] = _partial(figures.percent((net - cost) / cost if cost else None, _NO_COST), len(cells) - len(costed))
    return shown


def _sum(cells: list[CampaignKpis], name: str, show: Any) -> Shown:
    known = [value for cell in cells if (value := getattr(cell, name)) is not None]
    found: Shown = show(sum(known) if known else None)
    return _partial(found, len(cells) - len(known))


def _rate(cells: list[CampaignKpis], above: str, below: str, show: Any) -> Shown:
    pairs = [(getattr(cell, above), getattr(cell, below)) for cell in cells]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    total = sum(b for _, b in known)
    found: Shown = show(sum(a for a, _ in known) / total if total else None)
    return _partial(found, len(cells) - len(known))


def _partial(shown: Shown, missing: int) -> Shown:
    if not missing or not shown.known:
        return shown
    campaigns = "1 campaign" if missing == 1 else f"{missing} campaigns"
    return Shown(shown.text, title=f"Without {campaigns} of which this is unknown")


def _tiles(cells: list[CampaignKpis], figures: Figures, store: StoreView) -> list[tuple[str, Shown, str]]:
    sums = sum_cells(cells, figures, store.currency)
    orders = sum(cell.conversions for cell in cells)
    net = sum(cell.net for cell in cells)
    average = figures.money(net / orders if orders else None, store.currency, "there is no order yet")
    return [
        ("Net revenue", sums["net"], f"{sums['refunded'].text} refunded" if any(c.refunded for c in cells) else ""),
        ("Orders", sums["conversions"], f"{average.text} on average" if orders else ""),
        ("Cost", sums["cost"], sums["cost"].title),
        ("ROAS", sums["roas"], f"ROI {sums['roi'].text}" if sums["roi"].known else ""),
    ]


def explained_orders(model: ReadModel, figures: Figures, store: StoreView) -> list[tuple[str, Shown, Shown]]:
    """Return how many orders each kind of explanation has, and what they brought, in the store's currency."""
    names = {"campaign": "by a campaign", "external": "by another source", "none": "by nothing we know"}
    shares = model.orders.shares(store.store)
    return [
        (name, figures.count(share.orders), figures.money(share.net, store.currency))
        for kind, name in names.items()
        if (share := shares.get((kind, store.currency)))
    ]


def store_chart(
    model: ReadModel,
    figures: Figures,
    store: StoreView,
    campaigns: Iterable[dict[tuple[str, str, str], CampaignKpis]],
    *,
    basis: str,
    days: int,
) -> Chart:
    """Return revenue over time of some campaigns of a store, in the store's currency."""
    del model
    sums: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for cells in campaigns:
        for (of, day, currency), cell in cells.items():
            if of == basis and currency == store.currency:
                for place, value in enumerate((cell.net, cell.refunded, cell.conversions)):
                    sums[date.fromisoformat(day)][place] += value
    today = datetime.now(ZoneInfo(store.timezone)).date()
    last = max([today, *sums])
    shown = {day: Day(*values) for day, values in sums.items() if any(values)}
    return revenue_chart(shown, last - timedelta(days=days - 1), last, store.currency, figures)
