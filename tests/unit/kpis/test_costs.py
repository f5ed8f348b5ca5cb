"""What a campaign cost: the first source that is known, in the store's currency or not at all (docs/kpis.md, Cost)."""

from datetime import date
from typing import ClassVar

import pytest

from schemas.stores import Price, Rate
from streams.figures.costs import Cost, Tariff, day_cost
from tests.stores import a_store

DAY = "2026-12-24"


def price(micros: int, channel="sms", country=None, currency="BRL") -> Price:
    """A line of the price list."""
    return Price(channel=channel, country=country, price_micros=micros, currency=currency)


def tariff(*prices: Price, **rates: str) -> Tariff:
    """A tariff with rates from the first of December on."""
    dated = tuple(Rate(currency=of, rate=rate, since=date(2026, 12, 1)) for of, rate in rates.items())
    return Tariff.of(a_store(prices=prices, rates=dated))


class TestSources:
    row: ClassVar = {
        "day": DAY,
        "cost_micros": 700,
        "currency": None,
        "channel": "sms",
        "deliveries": 10,
        "recipients": 12,
    }

    def test_prices_of_reports_come_first(self):
        """Where one message tells its price, the imported cost says nothing, on no day."""
        campaign = {"row": self.row, "reported": True, "priced": True}

        assert Cost(500) == day_cost(DAY, {"priced.BRL": 2, "price.BRL": 500}, campaign, tariff(price(1)))
        assert Cost() == day_cost("2026-12-25", {"got.sms": 3}, campaign, tariff(price(1)))

    def test_then_the_imported_cost_on_its_day(self):
        """A row without a currency means the store's."""
        campaign = {"row": self.row, "reported": True, "priced": False}

        assert Cost(700) == day_cost(DAY, {"got.sms": 3}, campaign, tariff(price(1)))
        assert Cost() == day_cost("2026-12-25", {"got.sms": 3}, campaign, tariff(price(1)))

    def test_then_the_price_list_for_each_delivered_message(self):
        """A message without a channel has its campaign's."""
        campaign = {"row": {**self.row, "cost_micros": None}, "reported": True, "priced": False}
        sums = {"got.sms": 3, "got.": 1, "got.whatsapp": 2}

        assert Cost(4 * 10 + 2 * 50) == day_cost(DAY, sums, campaign, tariff(price(10), price(50, "whatsapp")))
        assert Cost(None, hole=True) == day_cost(DAY, sums, campaign, tariff(price(10)))

    def test_then_the_price_list_for_the_imported_deliveries(self):
        """Of a campaign that no report tells of."""
        campaign = {"row": {**self.row, "cost_micros": None}}

        assert Cost(100) == day_cost(DAY, {}, campaign, tariff(price(10)))
        assert Cost() == day_cost("2026-12-25", {}, campaign, tariff(price(10)))

    def test_else_it_is_unknown(self):
        """Never 0."""
        assert Cost() == day_cost(DAY, {"held": 1}, {}, tariff())
        assert Cost() == day_cost(DAY, {}, {"row": {**self.row, "cost_micros": None, "deliveries": None}}, tariff())


class TestCurrencies:
    def test_a_rate_converts_half_to_even(self):
        """5 micros at 0.5 are 2, 15 are 8."""
        convert = tariff(USD="0.5").convert

        assert [convert(micros, "USD", date(2026, 12, 24)) for micros in (5, 15)] == [2, 8]

    @pytest.mark.parametrize(("day", "expected"), [("2026-11-30", None), ("2026-12-01", 10), ("2026-12-31", 20)])
    def test_the_latest_rate_not_later_than_the_day_holds(self, day, expected):
        """A rate is not known before its day."""
        rates = tuple(Rate(currency="EUR", rate=str(n), since=date(2026, 12, n * 10 - 9)) for n in (1, 2))

        assert expected == Tariff.of(a_store(rates=rates)).convert(10, "EUR", date.fromisoformat(day))

    def test_without_a_rate_the_whole_is_unknown_and_the_foreign_part_stays(self):
        """A part would pass for the whole."""
        sums = {"priced.BRL": 1, "price.BRL": 5, "priced.EUR": 1, "price.EUR": 7}

        assert Cost(None, hole=True, foreign={"EUR": 7}) == day_cost(DAY, sums, {"priced": True}, tariff())
        assert Cost(5 + 42) == day_cost(DAY, sums, {"priced": True}, tariff(EUR="6"))

    def test_the_own_countrys_line_comes_before_the_general_one(self):
        """Whatever their order; a foreign country's line is none."""
        lines = (price(1), price(2, country="BR"), price(3, country="CL"))

        assert tariff(*lines).price("sms").price_micros == 2
        assert tariff(*lines[::2]).price("sms").price_micros == 1
        assert tariff(*lines).price("whatsapp") is None
