"""The overview of a store: its campaigns' figures, their sums, and revenue over time."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from connectors.console.cells import COLUMNS, campaign_name, campaign_note, show_cell, sum_cells, total_cells
from connectors.console.chart import Chart, Day, revenue_chart
from connectors.console.figures import Figures, Shown
from connectors.console.state import ReadModel, StoreView
from schemas.kpis import CampaignKpis

PERIODS: Final = (30, 90, 365)
BASES: Final = {"purchase": "by purchase date", "delivery": "by delivery date"}


KINDS: Final = {"campaign": "A campaign", "external": "Another source", "none": "Nothing we know"}
_PAGE: Final = re.compile(r"^[0-9]{1,6}$")
SHOWN: Final = 50
"""Campaigns on a page."""


@dataclass(frozen=True, slots=True)
class Row:
    """A campaign in one currency."""

    campaign: str
    name: str
    note: str
    currency: str
    cells: dict[str, Shown]


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that stands out."""

    name: str
    shown: Shown
    note: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A kind of explanation: its orders, what they brought, and its place in a bar of 100."""

    kind: str
    name: str
    orders: Shown
    net: Shown
    share: Shown
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class View:
    """What a person chose to see.

    Attributes:
        basis: of the chart, a key of `BASES`.
        days: length of the chart, one of `PERIODS`.
        sort: a column, or `name`.
        order: `asc` or `desc`; the unknown comes last in both.
        find: part of a campaign's name.
        page: of the table, from 1.
    """

    basis: str = "purchase"
    days: int = 30
    sort: str = "net"
    order: str = "desc"
    find: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "View":
        """Return what a query asks for; what it says wrongly is left at the default."""
        columns = {name for name, _, _ in COLUMNS} | {"name"}
        sort = query.get("sort", "")
        default = "asc" if sort == "name" else "desc"
        return cls(
            basis=_one_of(query.get("basis", ""), BASES, "purchase"),
            days=int(_one_of(query.get("days", ""), [str(days) for days in PERIODS], "30")),
            sort=_one_of(sort, columns, "net"),
            order=_one_of(query.get("order", ""), ("asc", "desc"), default),
            find=query.get("find", "").strip()[:100],
            page=int(query["page"]) if _PAGE.match(query.get("page", "")) else 1,
        )


def _one_of(value: str, allowed: Collection[str], default: str) -> str:
    return value if value in allowed else default


def overview(model: ReadModel, figures: Figures, store: StoreView, view: View) -> dict[str, Any]:
    """Return what the overview's template needs."""
    totals = total_cells(model, store)
    found = ordered(model, store, _found(model, store, totals, view), view)
    pages = max(1, -(-len(found) // SHOWN))
    page = min(max(view.page, 1), pages)
    own = [cell for cell in totals if cell.currency == store.currency]
    return {
        "columns": COLUMNS,
        "rows": [_row(model, figures, store, cell) for cell in found[(page - 1) * SHOWN : page * SHOWN]],
        "found": len(found),
        "page": page,
        "pages": pages,
        "campaigns": len(totals),
        "currencies": sorted({cell.currency for cell in totals}),
        "sums": sum_cells(own, figures, store.currency),
        "tiles": _tiles(own, figures, store),
        "explained": explained_orders(model, figures, store),
        "chart": store_chart(figures, store, model.cells[store.store].values(), basis=view.basis, days=view.days),
        "left_out": model.cells_left_out,
        "orders_left_out": model.orders.left_out,
    }


def _found(model: ReadModel, store: StoreView, cells: list[CampaignKpis], view: View) -> list[CampaignKpis]:
    if not view.find:
        return cells
    wanted = view.find.casefold()
    return [
        cell for cell in cells
        if wanted in cell.campaign.casefold() or wanted in campaign_name(model, store, cell.campaign).casefold()
    ]  # fmt: skip


def ordered(model: ReadModel, store: StoreView, cells: list[CampaignKpis], view: View) -> list[CampaignKpis]:
    """Return cells in the order that was chosen: equal ones by name, the unknown last."""
    by_name = sorted(cells, key=lambda cell: (campaign_name(model, store, cell.campaign).casefold(), cell.currency))
    down = view.order == "desc"
    if view.sort == "name":
        return by_name[::-1] if down else by_name
    field = "cost_micros" if view.sort == "cost" else view.sort
    known = [cell for cell in by_name if getattr(cell, field) is not None]
    unknown = [cell for cell in by_name if getattr(cell, field) is None]
    return sorted(known, key=lambda cell: getattr(cell, field) * (-1 if down else 1)) + unknown


def _row(model: ReadModel, figures: Figures, store: StoreView, cell: CampaignKpis) -> Row:
    return Row(
        cell.campaign,
        campaign_name(model, store, cell.campaign),
        campaign_note(model, figures, store, cell.campaign),
        cell.currency,
        show_cell(cell, figures),
    )


def _tiles(cells: list[CampaignKpis], figures: Figures, store: StoreView) -> list[Tile]:
    sums = sum_cells(cells, figures, store.currency)
    orders = sum(cell.conversions for cell in cells)
    average = sums["average_order_value"]
    refunds = f"{sums['refunded'].text} refunded" if any(cell.refunded for cell in cells) else "nothing refunded"
    return [
        Tile("Net revenue", sums["net"], refunds),
        Tile("Orders", sums["conversions"], f"{average.text} on average" if orders else "none yet"),
        Tile("Delivered", sums["delivered"], f"{sums['clicks'].text} clicks" if sums["clicks"].known else ""),
        Tile("Cost", sums["cost"], sums["cost"].title.removeprefix("Unknown, not zero: ")),
        Tile("ROAS", sums["roas"], f"ROI {sums['roi'].text}" if sums["roi"].known else "no cost is known"),
    ]


def explained_orders(model: ReadModel, figures: Figures, store: StoreView) -> list[Part]:
    """Return how many orders each kind of explanation has, and what they brought, in the store's currency."""
    shares = model.orders.shares(store.store)
    kinds = [
        (kind, name, share)
        for kind, name in KINDS.items()
        if (share := shares.get((kind, store.currency)))
    ]  # fmt: skip
    total = sum(share.orders for _, _, share in kinds)
    parts, x = [], 0.0
    for kind, name, share in kinds:
        width = 100 * share.orders / total
        parts.append(
            Part(
                kind,
                name,
                figures.count(share.orders),
                figures.money(share.net, store.currency),
                figures.percent(share.orders / total, ""),
                round(x, 3),
                round(width, 3),
            )
        )
        x += width
    return parts


def today(store: StoreView) -> date:
    """Return the day that it is for a store."""
    return datetime.now(ZoneInfo(store.timezone)).date()


def store_chart(
    figures: Figures,
    store: StoreView,
    campaigns: Iterable[dict[tuple[str, str, str], CampaignKpis]],
    *,
    basis: str,
    days: int,
    currency: str = "",
) -> Chart:
    """Return revenue over time of some campaigns of a store, in one currency: by default the store's."""
    money = currency or store.currency
    sums: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    for cells in campaigns:
        for (of, day, of_money), cell in cells.items():
            if of == basis and of_money == money:
                for place, value in enumerate((cell.net, cell.refunded, cell.conversions)):
                    sums[date.fromisoformat(day)][place] += value
    last = max([today(store), *sums])
    shown = {day: Day(*values) for day, values in sums.items() if any(values)}
    return revenue_chart(shown, last - timedelta(days=days - 1), last, money, figures)
