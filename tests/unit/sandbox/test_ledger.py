"""The ledger against docs/kpis.md, on facts small enough to reckon by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.facts import CampaignRow, Facts, Message, Part, Price, Purchase, Report, Visit
from sandbox.ledger import Ledger, minor
from sandbox.verdicts import Court

NOON = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)
"""Noon in São Paulo."""
BRL = Price(Decimal("0.25"), "BRL")


def facts(**parts: Any) -> Facts:
    """A store in São Paulo whose shopper `ana` has a phone."""
    return Facts("acme", "America/Sao_Paulo", "BRL", phones={"ana": "+5511"}, **parts)


def delivered(id_: str = "c.1", at: datetime = NOON, **more: Any) -> Message:
    """A message to ana that arrived and cost 25 centavos."""
    return Message(id_, more.pop("campaign", "c"), "+5511", [Report("delivered", at, BRL), *more.pop("reports", [])])


def bought(after: timedelta, group: str = "1", hundredths: int = 10_000, **more: Any) -> Purchase:
    """A purchase of ana's, so long after noon."""
    parts = more.pop("parts", [Part(f"{group}-01", hundredths)])
    return Purchase(group, NOON + after, parts, buyer=more.pop("buyer", "ana"), **more)


def cell(of: Facts, basis: str, date_: str = "all", campaign: str = "c", currency: str = "BRL") -> dict[str, Any]:
    """The one cell of that key."""
    (found,) = [
        c for c in Ledger(of).cells()
        if (c["basis"], c["date"], c["campaign"], c["currency"]) == (basis, date_, campaign, currency)
    ]  # fmt: skip
    return found


class TestVerdicts:
    """Which touch explains a purchase."""

    def judge(self, of: Facts) -> tuple[str, str, str | None]:
        verdict = Court(of).judge(of.purchases[-1])
        return verdict.explanation, verdict.rule, verdict.winner.campaign if verdict.winner else None

    def test_a_delivery_counts_for_24_hours(self):
        """At the last instant it explains, a second later nothing does."""
        inside = facts(messages=[delivered()], purchases=[bought(timedelta(hours=24))])
        outside = facts(messages=[delivered()], purchases=[bought(timedelta(hours=24, seconds=1))])

        assert self.judge(inside) == ("campaign", "delivery", "c")
        assert self.judge(outside) == ("none", "no touch in window", None)

    def test_a_click_beats_a_later_delivery(self):
        """Classes come before times."""
        landed = Visit("s", "ana", {"clicked": NOON - timedelta(days=6)})
        of = facts(messages=[delivered()], visits=[landed], purchases=[bought(timedelta(hours=1))])

        assert self.judge(of) == ("campaign", "click", "clicked")

    def test_the_most_recent_click_wins(self):
        """Inside a class, time decides."""
        landed = Visit("s", "ana", {"first": NOON, "second": NOON + timedelta(minutes=1)})
        of = facts(visits=[landed], purchases=[bought(timedelta(hours=1))])

        assert self.judge(of) == ("campaign", "click", "second")

    def test_an_external_source_beats_a_click(self):
        """VTEX's own word on where the order came from is the last one, unless it says nothing."""
        landed = Visit("s", "ana", {"c": NOON})
        google = facts(visits=[landed], purchases=[bought(timedelta(hours=1), source="Google")])
        direct = facts(visits=[landed], purchases=[bought(timedelta(hours=1), source="direct")])

        assert self.judge(google) == ("external", "external:google", None)
        assert self.judge(direct) == ("campaign", "click", "c")

    def test_vtex_may_be_the_only_witness(self):
        """utmSource=hellotext on the order is a click at the order's time."""
        of = facts(purchases=[bought(timedelta(0), source="hellotext", campaign="c", buyer=None)])

        assert self.judge(of) == ("campaign", "click", "c")

    def test_an_unknown_browser_is_joined_by_its_own_order_only(self):
        """A browser that told nobody explains the order placed in it, and no other."""
        landed = Visit("s", None, {"c": NOON})
        here = facts(visits=[landed], purchases=[bought(timedelta(hours=1), buyer=None, sessions=("s",))])
        elsewhere = facts(visits=[landed], purchases=[bought(timedelta(hours=1), sessions=("t",))])

        assert self.judge(here) == ("campaign", "click", "c")
        assert self.judge(elsewhere) == ("none", "no touch in window", None)

    def test_a_replacement_inherits(self):
        """With the first order's rule named once, in a chain too."""
        first = bought(timedelta(hours=1), replaced=True)
        second = bought(timedelta(days=3), "2", replaces="1", replaced=True)
        third = bought(timedelta(days=4), "3", replaces="2")

        assert self.judge(facts(messages=[delivered()], purchases=[first, second, third])) == (
            "campaign", "replacement:delivery", "c",
        )  # fmt: skip


class TestFigures:
    """What the cells say."""

    def test_a_whole_cell(self):
        """Every figure of one day, reckoned by hand."""
        messages = [
            delivered(reports=[Report("seen", NOON + timedelta(minutes=1)), Report("clicked", NOON, link="a")]),
            Message("c.2", "c", "+5512", [Report("sent", NOON), Report("failed", NOON)]),
            Message("c.3", "c", "+5513", [Report("clicked", NOON, link="a"), Report("clicked", NOON, link="b")]),
        ]
        visits = [Visit("s", "ana", {"c": NOON}), Visit("t", None, {"c": NOON}), Visit("u", "bo", {"c": NOON})]
        purchases = [
            bought(timedelta(hours=1), hundredths=20_000, returns={"r": 5_000}),
            bought(timedelta(hours=13), "2", hundredths=10_000),
        ]
        found = cell(facts(messages=messages, visits=visits, purchases=purchases), "delivery", "2026-11-25")

        assert {name: found[name] for name in ("sent", "delivered", "failed", "seen")} == {
            "sent": 3, "delivered": 2, "failed": 1, "seen": 1,
        }  # fmt: skip
        # Three click reports; ana's landing is her message's, whose click is reported; t and u have no message.
        assert (found["clicks"], found["engaged"], found["visitors"]) == (5, 4, 3)
        assert (found["conversions"], found["revenue"], found["refunded"], found["net"]) == (2, 30_000, 5_000, 25_000)
        assert found["time_to_conversion"] == {"same_day": 1, "d1_3": 1}
        assert found["cost_micros"] == 250_000
        assert (found["ctr"], found["conversion_rate"], found["average_order_value"]) == (2.0, 1.0, 12_500)
        assert (found["revenue_per_message"], found["roas"], found["roi"]) == (12_500, 1000.0, 999.0)

    def test_purchases_stand_on_their_own_day(self):
        """In basis purchase, and with nothing else in the cell."""
        of = facts(messages=[delivered()], purchases=[bought(timedelta(hours=13))])
        found = cell(of, "purchase", "2026-11-26")

        assert (found["conversions"], found["net"], found["average_order_value"]) == (1, 10_000, 10_000)
        assert [found[n] for n in ("sent", "clicks", "cost_micros", "ctr", "roi", "revenue_per_message")] == [None] * 6

    def test_the_last_price_times_parts_is_paid(self):
        """An estimate before it is not."""
        message = Message("c.1", "c", "+5511", [
            Report("sent", NOON, Price(Decimal(9), "BRL")),
            Report("delivered", NOON + timedelta(minutes=1), BRL, parts=3),
        ])  # fmt: skip

        assert cell(facts(messages=[message]), "total")["cost_micros"] == 750_000

    def test_a_row_tells_what_no_report_does(self):
        """Recipients, deliveries and cost on its day; failed and seen stay unknown."""
        row = CampaignRow("c", "C", "sms", date(2026, 11, 24), 100, 80, Price(Decimal("10.50"), "BRL"))
        of = facts(rows=[row], visits=[Visit("s", None, {"c": NOON})])
        day, landing = cell(of, "delivery", "2026-11-24"), cell(of, "delivery", "2026-11-25")

        assert (day["sent"], day["delivered"], day["failed"], day["seen"], day["cost_micros"]) == (
            100, 80, None, None, 10_500_000,
        )  # fmt: skip
        assert (day["clicks"], day["ctr"]) == (0, 0.0)
        assert (landing["sent"], landing["delivered"], landing["clicks"], landing["cost_micros"]) == (
            None,
            None,
            1,
            None,
        )

    def test_nothing_known_is_null(self):
        """Of a campaign without reports or row only what we saw is known."""
        found = cell(facts(visits=[Visit("s", None, {"c": NOON})]), "total")

        assert (found["clicks"], found["engaged"], found["visitors"], found["conversions"]) == (1, 1, 1, 0)
        assert [found[n] for n in ("sent", "delivered", "failed", "seen", "cost_micros", "ctr", "roi")] == [None] * 7

    def test_a_cell_with_nothing_in_it_does_not_exist(self):
        """A cancelled order alone leaves none."""
        order = bought(timedelta(0), source="hellotext", campaign="c", parts=[Part("1-01", 100, cancelled=True)])

        assert Ledger(facts(purchases=[order])).cells() == []

    def test_amounts_follow_what_became_of_the_order(self):
        """A part cancelled, a replacement worth more, a return worth more than is left."""
        part = bought(timedelta(hours=1), parts=[Part("1-01", 3_000), Part("1-02", 7_000, cancelled=True)])
        first, dearer = (
            bought(timedelta(hours=2), "2", replaced=True),
            bought(timedelta(hours=3), "3", 15_000, replaces="2"),
        )
        returned = bought(timedelta(hours=4), "4", 2_000, returns={"a": 1_500, "b": 1_500})
        found = cell(facts(messages=[delivered()], purchases=[part, first, dearer, returned]), "total")

        assert (found["conversions"], found["revenue"], found["refunded"]) == (3, 3_000 + 10_000 + 2_000, 2_000)

    def test_costs_in_other_currencies(self):
        """Converted by the rate as one sum a day; without a rate they stand in a cell of their own."""
        dollars = [Message(f"c.{n}", "c", "+5511", [Report("delivered", NOON, Price(Decimal("0.0000005"), "USD"))])
                   for n in range(3)]  # fmt: skip
        priced = facts(messages=dollars, rates={"USD": Decimal(5)})
        unpriced = facts(messages=[*dollars, delivered("c.9")])

        assert cell(priced, "total")["cost_micros"] == 8  # 7.5 rounded half to even, not three times 2
        assert cell(unpriced, "total")["cost_micros"] is None
        foreign = cell(unpriced, "total", currency="USD")
        assert (foreign["cost_micros"], foreign["sent"], foreign["roi"]) == (2, None, None)

    def test_vtex_writes_hundredths_whatever_the_currency(self):
        """Chilean pesos have no cents."""
        assert (minor(12_990, "BRL"), minor(12_900, "CLP")) == (12_990, 129)
