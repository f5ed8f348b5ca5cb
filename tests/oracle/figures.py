"""Every cell of `kpi.campaigns`, counted from the whole set of facts (docs/kpis.md, Cells and Cost)."""

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

from schemas.money import micros_to_minor
from tests.oracle.explanations import Oracle
from tests.oracle.facts import World

Row = dict[str, Any]
Key = tuple[str, str, str, str]
"""campaign, basis, date, currency"""


class Figures:
    """The figures of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.own = world.store.currency
        self.attributions = Oracle(world).attributions()
        self.won = [row for row in self.attributions.values() if row["explanation"] == "campaign"]
        self.rows = {row["campaign"]: row for row in world.campaigns}

    def cells(self) -> dict[Key, Row]:
        """Return every cell by campaign, basis, date and currency."""
        found: dict[Key, Row] = {}
        landed = {campaign for session in self.world.sessions for campaign in self.world.landings(session)}
        messaged = {row["campaign"] for row in self.world.messages.values() if row["campaign"]}
        for campaign in sorted(landed | messaged | {row["campaign"] for row in self.won} | self.rows.keys()):
            for day in [*sorted(self._days(campaign)), "all"]:
                found |= self._cells(campaign, "total" if day == "all" else "delivery", day)
            for day in sorted({row["order_day"] for row in self.won if row["campaign"] == campaign}):
                found |= self._cells(campaign, "purchase", day)
        return found

    def _landings(self, campaign: str) -> list[str]:
        return [session for session in self.world.sessions if campaign in self.world.landings(session)]

    def _days(self, campaign: str) -> set[str]:
        world = self.world
        days = {world.message_day(message) for message in world.sent(campaign)}
        days |= {world.landing_day(session, campaign) for session in self._landings(campaign)}
        days |= {row["winner"]["day"] for row in self.won if row["campaign"] == campaign}
        return days | ({self.rows[campaign]["day"]} if campaign in self.rows else set())

    def _cells(self, campaign: str, basis: str, day: str) -> dict[Key, Row]:
        orders = [row for row in self.won if row["campaign"] == campaign]
        if basis == "delivery":
            orders = [row for row in orders if row["winner"]["day"] == day]
        if basis == "purchase":
            orders = [row for row in orders if row["order_day"] == day]
        counts = dict.fromkeys(("sent", "delivered", "failed", "seen", "clicks", "engaged", "visitors"))
        own_cost, foreign, stands = None, {}, False
        if basis != "purchase":
            counts |= self._counts(campaign, day)
            own_cost, foreign = self._cost(campaign, day)
            world = self.world
            stands = own_cost is not None or self._row_tells(campaign, day)
            stands = stands or any(day in {"all", world.message_day(name)} for name in world.sent(campaign))
            stands = stands or any(day in {"all", world.landing_day(s, campaign)} for s in self._landings(campaign))
        found = {}
        for currency in {self.own, *foreign, *(row["currency"] for row in orders)}:
            of = [row for row in orders if row["currency"] == currency]
            if currency == self.own:
                if stands or of:
                    found[campaign, basis, day, currency] = self._cell(currency, counts, of, own_cost)
            else:
                found[campaign, basis, day, currency] = self._cell(
                    currency, dict.fromkeys(counts), of, foreign.get(currency)
                )
        return found

    def _row_tells(self, campaign: str, day: str) -> bool:
        row = self.rows.get(campaign)
        if row is None or day not in {"all", row["day"]}:
            return False
        counted = row.get("recipients") is not None or row.get("deliveries") is not None
        paid = row.get("cost_micros") is not None
        return (counted and not self.world.sent(campaign)) or (paid and not self._priced(campaign))

    def _counts(self, campaign: str, day: str) -> Row:
        world = self.world
        messages = [name for name in world.sent(campaign) if day in {"all", world.message_day(name)}]
        landings = [s for s in self._landings(campaign) if day in {"all", world.landing_day(s, campaign)}]
        reports = {
            name: {one["id"] for one in world.messages[name]["reports"] if one["status"] == "clicked"}
            for name in messages
        }
        behind = {session: world.known_message(session, campaign) for session in landings}
        alone = [session for session in landings if behind[session] is None]
        led = [session for session in landings if behind[session] and not reports[behind[session]]]
        clicked = {name for name in messages if reports[name]} | {name for name in behind.values() if name}
        counts: Row = {
            "clicks": sum(map(len, reports.values())) + len(alone) + len(led),
            "engaged": len(clicked) + len(alone),
            "visitors": len({world.visitor(session) for session in landings}),
        }
        if world.sent(campaign):
            got = [name for name in messages if world.times(name, "delivered", "seen", "clicked")]
            failed = [name for name in messages if world.times(name, "failed") and name not in got]
            seen = [name for name in messages if world.times(name, "seen")]
            return counts | {"sent": len(messages), "delivered": len(got), "failed": len(failed), "seen": len(seen)}
        row = self.rows.get(campaign)
        if row and day in {"all", row["day"]}:
            counts |= {"sent": row.get("recipients"), "delivered": row.get("deliveries")}
        return counts

    def _price(self, message: str) -> tuple[int, str] | None:
        priced = [one for one in self.world.messages[message]["reports"] if one.get("price_micros") is not None]
        if not priced:
            return None
        last = max(priced, key=lambda one: (one["at"], one["id"]))
        return last["price_micros"] * last.get("parts", 1), last["currency"]

    def _priced(self, campaign: str) -> bool:
        return any(self._price(name) for name in self.world.sent(campaign))

    def _cost(self, campaign: str, day: str) -> tuple[int | None, dict[str, int]]:
        days = sorted(self._days(campaign)) if day == "all" else [day]
        known = [cost for cost in (self._day_cost(campaign, one) for one in days) if cost is not None]
        foreign: dict[str, int] = {}
        for _, amounts in known:
            for currency, micros in amounts.items():
                foreign[currency] = foreign.get(currency, 0) + micros
        if not known or any(own is None for own, _ in known):
            return None, foreign
        return sum(own or 0 for own, _ in known), foreign

    def _day_cost(self, campaign: str, day: str) -> tuple[int | None, dict[str, int]] | None:
        """Return the day's cost and what stays foreign; (None, ...) where a part is unknown, None without any."""
        world, row = self.world, self.rows.get(campaign, {})
        messages = [name for name in world.sent(campaign) if world.message_day(name) == day]
        lines: list[tuple[int, str] | None] = []
        if self._priced(campaign):
            lines = [price for price in map(self._price, messages) if price]
        elif row.get("cost_micros") is not None:
            lines = [(row["cost_micros"], row.get("currency") or self.own)] if row["day"] == day else []
        elif world.sent(campaign):
            got = [name for name in messages if world.times(name, "delivered", "seen", "clicked")]
            lines = [self._listed(world.messages[name]["channel"] or row.get("channel"), 1) for name in got]
        elif row.get("day") == day and row.get("deliveries") is not None:
            lines = [self._listed(row.get("channel"), row["deliveries"])]
        if not lines:
            return None
        amounts: dict[str, int] = {}
        for line in lines:
            if line:
                amounts[line[1]] = amounts.get(line[1], 0) + line[0]
        converted = {currency: self._convert(micros, currency, day) for currency, micros in amounts.items()}
        foreign = {currency: amounts[currency] for currency, micros in converted.items() if micros is None}
        if foreign or None in lines:
            return None, foreign
        return sum(micros or 0 for micros in converted.values()), {}

    def _listed(self, channel: str | None, number: int) -> tuple[int, str] | None:
        lines = [line for line in self.world.store.prices if line.channel == channel]
        for country in (self.world.store.country, None):
            for line in lines:
                if line.country == country:
                    return line.price_micros * number, line.currency
        return None

    def _convert(self, micros: int, currency: str, day: str) -> int | None:
        if currency == self.own:
            return micros
        rates = [rate for rate in self.world.store.rates if rate.currency == currency]
        rates = [rate for rate in rates if rate.since <= date.fromisoformat(day)]
        if not rates:
            return None
        rate = Decimal(max(rates, key=lambda one: one.since).rate)
        return int((micros * rate).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))

    def _cell(self, currency: str, counts: Row, orders: list[Row], cost: int | None) -> Row:
        revenue, refunded = sum(row["amount"] for row in orders), sum(row["refunded"] for row in orders)
        net, conversions = revenue - refunded, sum(row["conversions"] for row in orders)
        spent = None if cost is None else Fraction(micros_to_minor(cost, currency))
        buckets: dict[str, int] = {}
        for row in orders:
            if row["conversions"]:
                buckets[row["time_to_conversion"]] = buckets.get(row["time_to_conversion"], 0) + 1
        return {
            **counts, "conversions": conversions, "revenue": revenue, "refunded": refunded, "net": net,
            "cost_micros": cost, "ctr": _ratio(counts["engaged"], counts["delivered"]),
            "conversion_rate": _ratio(conversions, counts["delivered"]),
            "revenue_per_message": _ratio(net, counts["delivered"]),
            "average_order_value": _ratio(net, conversions),
            "roas": _ratio(net, spent), "roi": None if spent is None else _ratio(net - spent, spent),
            "time_to_conversion": buckets,
        }  # fmt: skip


def _ratio(part: Any, whole: Any) -> float | None:
    return None if part is None or not whole else float(Fraction(part) / Fraction(whole))
