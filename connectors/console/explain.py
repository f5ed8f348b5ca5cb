"""Every cent of a campaign: its cells of each day, the orders behind them, and whether all of it adds up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from connectors.console.book import Sums
from connectors.console.cells import empty_cell, show_cell, sum_cells
from connectors.console.figures import Figures, Shown
from connectors.console.state import CellKey, ReadModel, StoreView
from schemas.kpis import Attribution, CampaignKpis, Touch

DAYS_SHOWN: Final = 120
ORDERS_SHOWN: Final = 25
_BUCKETS: Final = {
    "same_day": "Same day", "d1_3": "1 to 3 days", "d4_7": "4 to 7 days", "d8_30": "8 to 30 days",
    "d30_plus": "Later",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class DayRow:
    """A cell of one day."""

    day: str
    cells: dict[str, Shown]


@dataclass(frozen=True, slots=True)
class DayTable:
    """The days of one basis, the latest first, and their sum."""

    basis: str
    rows: tuple[DayRow, ...]
    sums: dict[str, Shown]
    left_out: int


@dataclass(frozen=True, slots=True)
class ProofRow:
    """One way to add the money up; `agrees` with the total cell."""

    name: str
    conversions: Shown
    revenue: Shown
    refunded: Shown
    net: Shown
    agrees: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """Four ways to the same sums."""

    rows: tuple[ProofRow, ...]
    agrees: bool
    note: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """Orders that came so long after the touch; `width` of 100."""

    name: str
    orders: Shown
    width: float


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way from a message to an order; `width` of 100, None where the figure is unknown."""

    name: str
    shown: Shown
    share: Shown | None
    width: float | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order and why the campaign has it."""

    order: str
    ordered: str
    rule: str
    winner: str
    evidence: str
    losers: tuple[str, ...]
    amount: Shown
    refunded: Shown
    net: Shown
    cancelled: bool


def cells_of(model: ReadModel, store: StoreView, campaign: str) -> dict[CellKey, CampaignKpis]:
    """Return a campaign's cells; nothing where there are none."""
    return model.cells[store.store].get(campaign, {})


def currencies_of(model: ReadModel, store: StoreView, campaign: str) -> list[str]:
    """Return the currencies a campaign has figures in, the store's own first."""
    found = {currency for _, _, currency in cells_of(model, store, campaign)} | {store.currency}
    return sorted(found, key=lambda currency: (currency != store.currency, currency))


def total_of(model: ReadModel, store: StoreView, campaign: str, currency: str) -> CampaignKpis:
    """Return a campaign's total cell; one with nothing in it where there is none yet."""
    found = cells_of(model, store, campaign).get(("total", "all", currency))
    return found or empty_cell(store, campaign).model_copy(update={"currency": currency})


def day_table(
    model: ReadModel, figures: Figures, store: StoreView, campaign: str, currency: str, *, basis: str
) -> DayTable:
    """Return the cells of one basis."""
    cells = _days(model, store, campaign, currency, basis)
    rows = tuple(DayRow(figures.day(cell.date), show_cell(cell, figures)) for cell in cells[:DAYS_SHOWN])
    # Visitors of days do not add up to those of a campaign: by delivery date, the total cell knows.
    total = total_of(model, store, campaign, currency)
    sums = show_cell(total, figures) if basis == "delivery" else sum_cells(cells, figures, currency)
    return DayTable(basis, rows, sums, max(0, len(cells) - DAYS_SHOWN))


def _days(model: ReadModel, store: StoreView, campaign: str, currency: str, basis: str) -> list[CampaignKpis]:
    cells = cells_of(model, store, campaign).items()
    found = [cell for (of, _, money), cell in cells if of == basis and money == currency]
    return sorted(found, key=lambda cell: cell.date, reverse=True)


def proof(model: ReadModel, figures: Figures, store: StoreView, campaign: str, currency: str) -> Proof:
    """Add a campaign's money up in four ways and compare."""
    total = _of_cells([total_of(model, store, campaign, currency)])
    orders = model.orders.sums(store.store, campaign).get(currency, Sums())
    ways = [
        ("The campaign's total", total),
        ("All days, by delivery date", _of_cells(_days(model, store, campaign, currency, "delivery"))),
        ("All days, by purchase date", _of_cells(_days(model, store, campaign, currency, "purchase"))),
        (_orders_text(orders, figures), orders),
    ]
    rows = tuple(_proof_row(name, sums, total, figures, currency) for name, sums in ways)
    agrees = all(row.agrees for row in rows)
    note = "" if agrees else "What was just learned is still on its way through the topics; it will add up in a moment."
    if not agrees and (model.orders.left_out or model.cells_left_out):
        note = "The console keeps only the latest orders and days in memory: older ones are in the topics."
    return Proof(rows, agrees, note)


def _orders_text(orders: Sums, figures: Figures) -> str:
    text = "The order below" if orders.orders == 1 else f"The {figures.count(orders.orders).text} orders below"
    cancelled = orders.orders - orders.conversions
    return f"{text}, {figures.count(cancelled).text} of them cancelled" if cancelled else text


def _of_cells(cells: Iterable[CampaignKpis]) -> Sums:
    sums = Sums()
    for cell in cells:
        sums.conversions += cell.conversions
        sums.revenue += cell.revenue
        sums.refunded += cell.refunded
        sums.net += cell.net
    return sums


def _proof_row(name: str, sums: Sums, total: Sums, figures: Figures, currency: str) -> ProofRow:
    compared = ("conversions", "revenue", "refunded", "net")
    return ProofRow(
        name,
        figures.count(sums.conversions),
        figures.money(sums.revenue, currency),
        figures.money(sums.refunded, currency),
        figures.money(sums.net, currency),
        agrees=all(getattr(sums, part) == getattr(total, part) for part in compared),
    )


def funnel(cell: CampaignKpis, figures: Figures) -> tuple[Step, ...]:
    """Return the way from messages to orders; each step as a share of those delivered."""
    steps = (
        ("Sent", cell.sent), ("Delivered", cell.delivered), ("Seen", cell.seen), ("Clicked", cell.engaged),
        ("Ordered", cell.conversions),
    )  # fmt: skip
    top = max((value for _, value in steps if value), default=0)
    return tuple(
        Step(
            name,
            figures.count(value),
            figures.percent(value / cell.delivered, "") if place and value is not None and cell.delivered else None,
            None if value is None or not top else round(100 * value / top, 2),
        )
        for place, (name, value) in enumerate(steps)
    )


def buckets(cell: CampaignKpis, figures: Figures) -> tuple[Bucket, ...]:
    """Return how long after its touch each order came."""
    counts: dict[str, int] = {str(name): count for name, count in cell.time_to_conversion.items()}
    top = max(counts.values(), default=0)
    return tuple(
        Bucket(name, figures.count(counts.get(key, 0)), round(100 * counts.get(key, 0) / top, 2) if top else 0.0)
        for key, name in _BUCKETS.items()
    )


def order_rows(rows: Iterable[Attribution], figures: Figures, store: StoreView, name: Any) -> Iterator[OrderRow]:
    """Yield orders as people read them; `name` turns a campaign into what people call it."""
    for row in rows:
        yield OrderRow(
            row.order,
            figures.moment(row.ordered_at, store.timezone),
            rule_text(row.rule),
            touch_text(row.winner, figures, store) if row.winner else "",
            evidence_text(row.winner) if row.winner else "",
            tuple(f"{touch_text(touch, figures, store)}: {name(touch.campaign)}" for touch in row.losers),
            figures.money(row.amount, row.currency),
            figures.money(row.refunded, row.currency),
            figures.money(row.net, row.currency),
            row.conversions == 0,
        )


def rule_text(rule: str) -> str:
    """Return a rule in words; one that is not known as it is."""
    first, _, rest = rule.partition(":")
    if first == "replacement" and rest:
        return f"Replaces an order: {rule_text(rest).lower()}"
    return {"click": "Latest click", "delivery": "Latest delivery"}.get(rule, rule)


def touch_text(touch: Touch, figures: Figures, store: StoreView) -> str:
    """Return a touch in words: Click, 24 Nov 2026, 14:05."""
    return f"{touch.kind.capitalize()}, {figures.moment(touch.at, store.timezone)}"


def evidence_text(touch: Touch) -> str:
    """Return what proves a touch."""
    what = {"report": "report of message", "landing": "landing in session", "marketing_data": "the order's own UTM"}
    known = touch.message if touch.evidence == "report" else touch.session if touch.evidence == "landing" else None
    return f"{what[touch.evidence]} {known or ''}".strip()
