"""What a campaign cost on a day, and in all: the first source that is known (docs/kpis.md, Cost). Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from schemas.money import is_currency
from schemas.stores import Price, StoreConnection
from streams.figures.parts import Sums


class Cost(NamedTuple):
    """A day's cost in micro-units.

    Attributes:
        own: in the store's currency; None when nothing is known, or not all of it could be converted.
        hole: whether a part is missing in `own`.
        foreign: what no rate converts, by currency.
    """

    own: int | None = None
    hole: bool = False
    foreign: Mapping[str, int] = {}

    def sums(self) -> Sums:
        """Return what the day adds to the total."""
        sums = {f"foreign.{currency}": micros for currency, micros in self.foreign.items()}
        sums |= {f"foreigns.{currency}": 1 for currency in self.foreign}
        return {**sums, "own": self.own or 0, "known": int(self.own is not None), "holes": int(self.hole)}


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a store's costs are reckoned with."""

    currency: str
    country: str
    prices: tuple[Price, ...]
    rates: tuple[tuple[str, date, Decimal], ...]

    @classmethod
    def of(cls, store: StoreConnection) -> "Tariff":
        """Return a store's."""
        rates = tuple(sorted((rate.currency, rate.since, Decimal(rate.rate)) for rate in store.rates))
        prices = tuple(line for line in store.prices if is_currency(line.currency))
        return cls(store.currency, store.country, prices, rates)

    def price(self, channel: str | None) -> Price | None:
        """Return the price list's line for a channel: its own country's before the general one."""
        lines = [line for line in self.prices if line.channel == channel and line.country in {None, self.country}]
        return min(lines, key=lambda line: line.country is None, default=None)

    def convert(self, micros: int, currency: str, day: date) -> int | None:
        """Return an amount in the store's currency at the latest rate not later than the day; None without one."""
        if currency == self.currency:
            return micros
        dated = [(since, rate) for of, since, rate in self.rates if of == currency and since <= day]
        if not dated:
            return None
        return int((micros * max(dated)[1]).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def day_cost(day: str, sums: Mapping[str, int], campaign: Mapping[str, Any], tariff: Tariff) -> Cost:
    """Return what a campaign cost on a day.

    Args:
        day: local day.
        sums: of the day's delivery cell.
        campaign: its row of the table of campaigns.
        tariff: the store's.
    """
    amounts, hole = _amounts(day, sums, campaign, tariff)
    if not amounts and not hole:
        return Cost()
    own, foreign = 0, {}
    for currency, micros in sorted(amounts.items()):
        converted = tariff.convert(micros, currency, date.fromisoformat(day))
        if converted is None:
            foreign[currency] = micros
        else:
            own += converted
    hole = hole or bool(foreign)
    return Cost(None if hole else own, hole, foreign)


def _amounts(
    day: str, sums: Mapping[str, int], campaign: Mapping[str, Any], tariff: Tariff
) -> tuple[Mapping[str, int], bool]:
    """Return the amounts by currency, and whether something is missing in them."""
    row = campaign.get("row") or {}
    if campaign.get("priced"):
        currencies = [name.removeprefix("priced.") for name in sums if name.startswith("priced.")]
        return {currency: sums.get(f"price.{currency}", 0) for currency in currencies}, False
    if row.get("cost_micros") is not None:
        own = {row.get("currency") or tariff.currency: row["cost_micros"]}
        return (own if day == row["day"] else {}), False
    if campaign.get("reported"):
        got = ((name.removeprefix("got."), n) for name, n in sums.items() if name.startswith("got."))
        return _listed(((channel or row.get("channel"), n) for channel, n in got), tariff)
    if day == row.get("day") and row.get("deliveries") is not None:
        return _listed([(row.get("channel"), row["deliveries"])], tariff)
    return {}, False


def _listed(deliveries: Iterable[tuple[str | None, int]], tariff: Tariff) -> tuple[Mapping[str, int], bool]:
    amounts, hole = Counter[str](), False
    for channel, number in deliveries:
        line = tariff.price(channel)
        if line is None:
            hole = True
        else:
            amounts[line.currency] += line.price_micros * number
    return amounts, hole
