"""What every KPI cell must say, computed once, at the end, from what really happened (docs/kpis.md, "Cells").

Another way than the product's: no increments, no joins, no hashes. For each cell the facts that belong to it are
listed, and its figures are counted from the list. Amounts are integers in minor units, costs in micro-units.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from sandbox.facts import CampaignRow, Facts, Message, Price, Purchase, Visit
from sandbox.verdicts import Court, Touch

ALL: Final = "all"
MICROS: Final = 1_000_000
_DIGITS: Final = {"CLP": 0, "JPY": 0, "KRW": 0, "PYG": 0, "VND": 0, "BHD": 3, "KWD": 3, "TND": 3}
_COUNTS: Final = ("sent", "delivered", "failed", "seen", "clicks", "engaged", "visitors")
_BUCKETS: Final = ((0, "same_day"), (3, "d1_3"), (7, "d4_7"), (30, "d8_30"))
Cell = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Landing:
    """A browser's arrival from a campaign's link."""

    visit: Visit
    campaign: str
    day: date
    message: Message | None


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase that a campaign explains, with its amounts in minor units.

    Attributes:
        day: the order's local day.
        touched: the local day of the winning touch, which is not always the day on which that touch counts.
    """

    purchase: Purchase
    winner: Touch
    day: date
    touched: date
    amount: int
    refunded: int
    conversions: int

    @property
    def bucket(self) -> str:
        """Return the bucket of the local days between the touch and the order."""
        passed = (self.day - self.touched).days
        return next((name for last, name in _BUCKETS if passed <= last), "d30_plus")


def digits(currency: str) -> int:
    """Return how many decimals a currency has (ISO 4217)."""
    return _DIGITS.get(currency, 2)


def minor(hundredths: int, currency: str) -> int:
    """Return VTEX's hundredths in minor units (12990 is 12990 centavos, and 130 Chilean pesos)."""
    return round(Fraction(hundredths * 10 ** digits(currency), 100))


class Ledger:
    """The figures of one store."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._court = Court(facts)
        self._purchases = {purchase.group: purchase for purchase in facts.purchases}
        self._landings = [
            Landing(visit, campaign, self._court.landing_day(visit, campaign), self._court.message_of(visit, campaign))
            for visit in facts.visits
            for campaign in visit.landings
        ]
        self._sales = [sale for purchase in facts.purchases if (sale := self._sale(purchase)) is not None]
        self._reported = {message.campaign for message in facts.messages if message.campaign is not None}
        self._priced = {m.campaign for m in facts.messages if _price(m)}
        self._rows = {row.campaign: row for row in facts.rows}

    def document(self) -> dict[str, Any]:
        """Return the store's part of `GET /control/ledger`."""
        verdicts = {p.group: self._court.judge(p) for p in self._facts.purchases}
        return {
            "cells": self.cells(),
            "customers": self._facts.customers,
            "deleted": self._facts.deleted,
            "guests": len(self._facts.guests),
            "profiles": self._facts.reachable + len(self._facts.guests),
            "orders": len(self._facts.purchases),
            "explanations": dict(sorted(Counter(verdict.explanation for verdict in verdicts.values()).items())),
            "verdicts": {
                group: {
                    "explanation": verdict.explanation,
                    "rule": verdict.rule,
                    "campaign": verdict.winner.campaign if verdict.winner else None,
                }
                for group, verdict in sorted(verdicts.items())
            },
        }

    def cells(self) -> list[Cell]:
        """Return every cell of every campaign: bases `delivery`, `purchase` and `total`."""
        cells = []
        for campaign in sorted(self._campaigns()):
            days = sorted(self._delivery_days(campaign))
            for day in days:
                cells += self._full(campaign, "delivery", day)
            cells += self._full(campaign, "total", None) if days else []
            for day in sorted({sale.day for sale in self._sales if sale.winner.campaign == campaign}):
                cells.append(self._purchase(campaign, day))
        return [cell for cell in cells if _holds_something(cell)]

    def _campaigns(self) -> set[str]:
        named = {landing.campaign for landing in self._landings} | {sale.winner.campaign for sale in self._sales}
        known = {row.campaign for row in self._facts.rows if self._row(row.campaign, None)}
        return named | known | self._reported

    def _delivery_days(self, campaign: str) -> set[date]:
        days = {self._court.message_day(message) for message in self._messages(campaign, None)}
        days |= {landing.day for landing in self._landings if landing.campaign == campaign}
        days |= {sale.winner.day for sale in self._sales if sale.winner.campaign == campaign}
        return days | {row.day for row in self._row(campaign, None)}

    def _full(self, campaign: str, basis: str, day: date | None) -> list[Cell]:
        """A cell in the store's currency, and one for each currency in which some of its cost stays."""
        home = self._facts.currency
        cost, foreign = self._cost(campaign, day)
        cell = self._empty(campaign, basis, day, home)
        cell |= self._sent(campaign, day) | self._clicked(campaign, day)
        sales = [s for s in self._sales if s.winner.campaign == campaign and day in {None, s.winner.day}]
        cells = [_with_ratios(cell | self._amounts(sales) | {"cost_micros": cost})]
        for currency, micros in sorted(foreign.items()):
            cells.append(_with_ratios(self._empty(campaign, basis, day, currency)) | {"cost_micros": micros})
        return cells

    def _purchase(self, campaign: str, day: date) -> Cell:
        sales = [s for s in self._sales if s.winner.campaign == campaign and s.day == day]
        return _with_ratios(self._empty(campaign, "purchase", day, self._facts.currency) | self._amounts(sales))

    def _empty(self, campaign: str, basis: str, day: date | None, currency: str) -> Cell:
        unknown: Cell = dict.fromkeys((*_COUNTS, "cost_micros"))
        amounts: Cell = {"conversions": 0, "revenue": 0, "refunded": 0, "net": 0, "time_to_conversion": {}}
        date_ = day.isoformat() if day else ALL
        key = {"store": self._facts.store, "campaign": campaign, "basis": basis, "date": date_, "currency": currency}
        return {**key, **unknown, **amounts}

    def _sent(self, campaign: str, day: date | None) -> Cell:
        if campaign in self._reported:
            messages = self._messages(campaign, day)
            reached = [m for m in messages if m.times("delivered", "seen", "clicked")]
            return {
                "sent": len(messages),
                "delivered": len(reached),
                "failed": sum(1 for m in messages if m.times("failed") and m not in reached),
                "seen": sum(1 for m in messages if m.times("seen")),
            }
        for row in self._row(campaign, day):
            return {"sent": row.recipients, "delivered": row.deliveries}
        return {}

    def _clicked(self, campaign: str, day: date | None) -> Cell:
        messages = self._messages(campaign, day)
        landings = [x for x in self._landings if x.campaign == campaign and day in {None, x.day}]
        links = {m.id: {report.link for report in m.reports if report.status == "clicked"} for m in messages}
        by_report = {message for message, clicked in links.items() if clicked}
        followed = [x for x in landings if x.message is None or x.message.id not in by_report]
        return {
            "clicks": sum(len(clicked) for clicked in links.values()) + len(followed),
            "engaged": len(by_report | {x.message.id for x in followed if x.message})
            + sum(1 for x in followed if x.message is None),
            "visitors": len({x.visit.told or f"session {x.visit.session}" for x in landings}),
        }

    def _amounts(self, sales: list[Sale]) -> Cell:
        revenue, refunded = sum(sale.amount for sale in sales), sum(sale.refunded for sale in sales)
        buckets = Counter(sale.bucket for sale in sales if sale.conversions)
        return {
            "conversions": sum(sale.conversions for sale in sales),
            "revenue": revenue,
            "refunded": refunded,
            "net": revenue - refunded,
            "time_to_conversion": dict(buckets),
        }

    def _cost(self, campaign: str, day: date | None) -> tuple[int | None, dict[str, int]]:
        """Return the cost in the store's currency and what no rate converts, by currency; both in micro-units.

        Each day's sum of a currency is converted and rounded by itself; the total is the sum of its days.
        """
        home, foreign, known = 0, Counter[str](), False
        for (_, currency), amount in self._spent(campaign, day).items():
            known = True
            rate = Decimal(1) if currency == self._facts.currency else self._facts.rates.get(currency)
            if rate is None:
                foreign[currency] += round(amount * MICROS)
            else:
                home += round(amount * rate * MICROS)
        return (home if known and not foreign else None), dict(foreign)

    def _spent(self, campaign: str, day: date | None) -> dict[tuple[date, str], Decimal]:
        """Return what each day cost in each currency, from reports where any carries a price, else from the row."""
        spent: dict[tuple[date, str], Decimal] = {}
        if campaign in self._priced:
            priced = [(self._court.message_day(m), p) for m in self._messages(campaign, day) if (p := _price(m))]
        else:
            priced = [(row.day, row.cost) for row in self._row(campaign, day) if row.cost is not None]
        for on, price in priced:
            spent[on, price.currency] = spent.get((on, price.currency), Decimal(0)) + price.amount
        return spent

    def _messages(self, campaign: str, day: date | None) -> list[Message]:
        of_campaign = [m for m in self._facts.messages if m.campaign == campaign]
        return [m for m in of_campaign if day in {None, self._court.message_day(m)}]

    def _row(self, campaign: str, day: date | None) -> list[CampaignRow]:
        """The campaign's row, where it tells something that no report does, and belongs to the day."""
        row = self._rows.get(campaign)
        if row is None or day not in {None, row.day}:
            return []
        counted = (row.recipients is not None or row.deliveries is not None) and campaign not in self._reported
        paid = row.cost is not None and campaign not in self._priced
        return [row] if counted or paid else []

    def _sale(self, purchase: Purchase) -> Sale | None:
        winner = self._court.judge(purchase).winner
        if winner is None:
            return None
        currency = self._facts.currency
        cancelled = all(part.cancelled for part in purchase.parts)
        counts = 0 if cancelled or purchase.replaced else 1
        kept = sum(part.hundredths for part in purchase.parts if not part.cancelled)
        earlier = self._purchases.get(purchase.replaces or "")
        amount = minor(min(kept, earlier.hundredths) if earlier else kept, currency) * counts
        refunded = min(minor(sum(purchase.returns.values()), currency), amount)
        day, touched = self._court.day(purchase.at), self._court.day(winner.at)
        return Sale(purchase, winner, day, touched, amount, refunded, counts)


def _price(message: Message) -> Price | None:
    """What the message cost: the latest report that carries a price, for each of its parts."""
    priced = [report for report in message.reports if report.price]
    if not priced:
        return None
    last = max(priced, key=lambda report: report.at)
    return last.price and Price(last.price.amount * last.parts, last.price.currency)


def _with_ratios(cell: Cell) -> Cell:
    cost = cell["cost_micros"]
    spent = None if cost is None else Fraction(cost, MICROS) * 10 ** digits(cell["currency"])
    net, delivered = cell["net"], cell["delivered"]
    return cell | {
        "ctr": _ratio(cell["engaged"], delivered),
        "conversion_rate": _ratio(cell["conversions"], delivered),
        "revenue_per_message": _ratio(net, delivered),
        "average_order_value": _ratio(net, cell["conversions"]),
        "roas": _ratio(net, spent),
        "roi": None if spent is None else _ratio(net - spent, spent),
    }


def _holds_something(cell: Cell) -> bool:
    return any(cell[name] for name in (*_COUNTS, "conversions", "revenue", "refunded", "net", "cost_micros"))


def _ratio(part: Fraction | int | None, whole: Fraction | int | None) -> float | None:
    return float(Fraction(part) / Fraction(whole)) if part is not None and whole else None


def controls(stores: dict[str, Facts]) -> dict[str, Any]:
    """Return the answer of `GET /control/ledger`."""
    return {"stores": {store: Ledger(facts).document() for store, facts in sorted(stores.items())}}
