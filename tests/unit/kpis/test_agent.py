"""The kpis agent on examples that a person can follow."""

from datetime import date

import pytest

from schemas import topics
from schemas.events import encode
from schemas.kpis import CampaignKpis
from schemas.stores import Rate
from streams.attribution import AttributionAgent
from streams.engine.testing import MemoryShard
from streams.figures.tables import CELLS, VISITORS
from streams.kpis import KpisAgent
from streams.stores import Stores
from tests.oracle.running import cells, fates, standing
from tests.oracle.telling import DAY, EMAIL, HOUR, PHONE, campaign, customer, event, landing, order, report
from tests.oracle.worlds import NOW
from tests.stores import GivenDirectory, a_store

TOTAL = ("spring", "total", "all", "BRL")


class Shop(MemoryShard):
    """A shard with both agents, and a directory whose store can change."""

    def __init__(self) -> None:
        self.directory = GivenDirectory(a_store())
        stores = Stores(self.directory, lambda sealed: sealed)
        super().__init__([AttributionAgent(stores), KpisAgent(stores)], now=NOW)

    async def tell(self, *records) -> None:
        """Have records processed, all of them in one turn, and what follows from them."""
        for topic, key, value in records:
            self.put(topic, key, value)
        await self.settle()

    def figures(self, *names: str, cell=TOTAL) -> tuple:
        """Return some figures of a cell."""
        row = cells(self).get(cell)
        return row and tuple(row[name] for name in names)


@pytest.fixture
def shop():
    """Return a shop of which nothing is known."""
    return Shop()


class TestMessages:
    async def test_a_campaign_told_late_counts_all_that_was_told_before(self, shop):
        """Reports of a message without a campaign are kept, and counted once something tells it."""
        await shop.tell(report("sent", campaign=None), report("delivered", campaign=None))
        before = cells(shop)

        await shop.tell(report("seen"))

        assert before == {}
        assert shop.figures("sent", "delivered", "failed", "seen") == (1, 1, 0, 1)

    async def test_a_request_tells_the_campaign_of_a_message(self, shop):
        """Vendors need not give it back; a request alone is not sent."""
        request = encode({"message": "m1", "campaign": "spring", "to": "+5511987654321", "channel": "sms"})
        await shop.tell((topics.MESSAGE_REQUESTS, b"acme/m1", request))
        before = cells(shop)

        await shop.tell(report("sent", campaign=None))

        assert before == {}
        assert shop.figures("sent", "delivered") == (1, 0)

    async def test_a_failed_message_that_arrives_after_all_did_not_fail(self, shop):
        """Whatever the order of the reports."""
        await shop.tell(report("failed"))
        before = shop.figures("delivered", "failed")

        await shop.tell(report("delivered"))

        assert before == (0, 1)
        assert shop.figures("delivered", "failed") == (1, 0)

    async def test_an_earlier_delivery_moves_the_message_to_its_day(self, shop):
        """The cell of the day on which it was counted before is removed."""
        await shop.tell(report("delivered", at=NOW))
        await shop.tell(report("delivered", at=NOW - 3 * DAY, id="r2"))

        assert {"2027-01-12", "all"} == {date for _, _, date, _ in cells(shop)}

    async def test_redelivered_reports_count_once(self, shop):
        """Two clicks are two reports; the same report twice is one, and its repetition a duplicate."""
        await shop.tell(report("clicked", id="a"), report("clicked", id="b"), report("clicked", id="a"))

        assert shop.figures("clicks", "engaged") == (2, 1)
        assert [row["counts"] for row in fates(shop, "kpis")] == [{"counted": 2, "duplicate": 1}]

    async def test_a_price_in_no_currency_is_no_price(self, shop):
        """A vendor may write anything of three letters; that stops neither the message nor those of other stores."""
        await shop.tell(report("delivered", price_micros=1_000, currency="ZZZ"), report("seen"))
        await shop.tell(campaign(cost_micros=1, currency="ZZZ"))

        assert shop.figures("sent", "delivered", "seen", "cost_micros") == (1, 1, 1, None)
        assert [letter["topic"] for letter in shop.dead_letters()] == ["campaigns"]

    async def test_a_store_in_no_currency_stops_only_itself(self, shop):
        """Its records are dead-lettered one by one; it is no bug of the agent, which goes on."""
        shop.directory.put(a_store(currency="ZZZ"))
        shop.directory.put(a_store("other"))
        for number in range(60):
            shop.put(*report("sent", f"m{number}"))
        _, key, value = report("sent")
        shop.put(topics.MESSAGE_REPORTS, key.replace(b"acme", b"other"), value.replace(b"acme", b"other"))
        await shop.settle()
        await shop.tick()

        assert len([letter for letter in shop.dead_letters() if letter["step"] == "kpis"]) == 60
        assert {row["store"] for row in standing(shop, topics.KPI_CAMPAIGNS).values()} == {"other"}


class TestLandings:
    async def test_a_landing_of_a_known_message_is_that_messages_click(self, shop):
        """On the message's day; counted once, also when the vendor reports the click."""
        await shop.tell(report("delivered", at=NOW - 2 * DAY), landing("s1", at=NOW, phone_hash=PHONE))
        landed = shop.figures("clicks", "engaged", "visitors", cell=("spring", "delivery", "2027-01-13", "BRL"))

        await shop.tell(report("clicked"))

        assert landed == (1, 1, 1)
        assert shop.figures("clicks", "engaged", "visitors") == (1, 1, 1)
        assert {"2027-01-13", "all"} == {date for _, _, date, _ in cells(shop)}

    async def test_two_browsers_of_one_customer_are_one_visitor(self, shop):
        """As soon as both have told who sits before them, by whatever hash."""
        await shop.tell(landing("s1"), landing("s2"))
        strangers = shop.figures("clicks", "engaged", "visitors")

        await shop.tell(event("s1", email_hash=EMAIL), event("s2", phone_hash=PHONE))
        await shop.tell(customer(email_hash=EMAIL, phone_hash=PHONE))

        assert strangers == (2, 2, 2)
        assert shop.figures("clicks", "engaged", "visitors") == (2, 2, 1)

    async def test_a_customer_who_changes_the_phone_takes_the_landing_along(self, shop):
        """The hashes that it had before are looked at, too."""
        await shop.tell(report("delivered"), landing("s1", email_hash=EMAIL))
        await shop.tell(customer(email_hash=EMAIL, phone_hash=PHONE))
        joined = shop.figures("clicks", "engaged", "visitors")

        await shop.tell(customer(version=2, phone_hash=PHONE), report("clicked"))

        assert joined == (1, 1, 1)
        assert shop.figures("clicks", "engaged", "visitors") == (2, 2, 1)

    async def test_a_settled_landing_is_not_counted_anew(self, shop):
        """When what the session told is gone, the shopper who comes back is still the same visitor."""
        await shop.tell(report("delivered"), landing("s1", phone_hash=PHONE))
        await shop.tick(100 * DAY)

        await shop.tell(landing("s1", at=shop.now))

        assert shop.figures("clicks", "engaged", "visitors") == (1, 1, 1)

    async def test_a_session_that_turns_out_to_be_a_machine_stands_for_itself(self, shop):
        """Whatever makes it one: here the 51st cart, which tells nothing else, after the landing was counted."""
        carts = [
            event("s1", id=f"cart-{n}", action="checkout.started", order_form=f"form-{n}") for n in range(51)
        ]  # fmt: skip
        early = Shop()
        await early.tell(report("delivered", at=NOW - 2 * DAY), *carts, landing("s1", phone_hash=PHONE))

        await shop.tell(report("delivered", at=NOW - 2 * DAY), landing("s1", phone_hash=PHONE), *carts[:50])
        of_a_person = shop.figures("sent", "clicks", "engaged", "visitors")
        await shop.tell(carts[50])

        assert of_a_person == (1, 1, 1, 1)
        assert cells(shop) == cells(early)


class TestOrders:
    async def test_a_cancelled_order_stands_in_its_cells_with_nothing(self, shop):
        """Its cells exist while it stands behind them; un-cancelled, it is back."""
        await shop.tell(landing("s1", email_hash=EMAIL), order(email_hash=EMAIL, state="cancelled"))
        cancelled = shop.figures("conversions", "revenue", "net", "average_order_value", "time_to_conversion")

        await shop.tell(order(version=2, email_hash=EMAIL, refunded=2_500))

        assert cancelled == (0, 0, 0, None, {})
        assert shop.figures("conversions", "revenue", "net", "average_order_value", "time_to_conversion") == (
            1,
            10_000,
            7_500,
            7_500.0,
            {"d1_3": 1},
        )

    async def test_another_winner_moves_the_order_and_leaves_no_cell_behind(self, shop):
        """Basis purchase had nothing but this order."""
        await shop.tell(landing("s1", "autumn", at=NOW - 2 * DAY, email_hash=EMAIL), order(email_hash=EMAIL))
        before = ("autumn", "purchase", "2027-01-15", "BRL") in cells(shop)

        await shop.tell(landing("s1", "spring"))

        assert before
        assert {"spring"} == {name for name, basis, _, _ in cells(shop) if basis == "purchase"}

    async def test_an_order_in_another_currency_has_a_cell_of_its_own(self, shop):
        """With what it brings, and without counts."""
        await shop.tell(landing("s1", email_hash=EMAIL), order(email_hash=EMAIL, currency="USD"))

        usd = ("spring", "total", "all", "USD")
        assert shop.figures("conversions", "net", "clicks", "delivered", cell=usd) == (1, 10_000, None, None)
        assert shop.figures("conversions", "net", "clicks", "delivered") == (0, 0, 1, None)


class TestCampaignRows:
    async def test_reports_take_the_place_of_what_was_imported(self, shop):
        """On every day at once, and back to null where no report tells."""
        await shop.tell(campaign(recipients=90, deliveries=80, cost_micros=4_000_000), landing("s1", at=NOW))
        day = ("spring", "delivery", "2027-01-15", "BRL")
        imported = shop.figures("sent", "delivered", "failed", "cost_micros"), shop.figures("sent", "clicks", cell=day)

        await shop.tell(report("delivered", at=NOW))

        assert imported == ((90, 80, None, 4_000_000), (None, 1))
        assert shop.figures("sent", "delivered", "failed", "cost_micros") == (1, 1, 0, 4_000_000)
        assert shop.figures("sent", "clicks", cell=day) == (1, 1)

    async def test_a_row_that_is_deleted_takes_its_cells_along(self, shop):
        """They held nothing else."""
        await shop.tell(campaign(recipients=90))
        before = len(cells(shop))

        await shop.tell((topics.CAMPAIGNS, b"acme/spring", None))

        assert before == 2
        assert cells(shop) == {}
        assert shop.table(CELLS) == {}

    async def test_a_rate_entered_later_converts_what_was_foreign(self, shop):
        """At the next tick, in every cell; the cell of the foreign currency goes."""
        await shop.tell(report("delivered", price_micros=1_000_000, currency="EUR", parts=2))
        before = {place[3]: row["cost_micros"] for place, row in cells(shop).items()}

        shop.directory.put(a_store(rates=(Rate(currency="EUR", rate="6.1", since=date(2027, 1, 1)),)))
        await shop.tick(1_000)

        assert before == {"BRL": None, "EUR": 2_000_000}
        assert {place[3]: row["cost_micros"] for place, row in cells(shop).items()} == {"BRL": 12_200_000}


class TestWriting:
    async def test_a_hot_cell_is_written_once_a_batch(self, shop):
        """A thousand deliveries in one turn: one row for the day, one for the total."""
        await shop.tell(*[report("delivered", f"m{n}") for n in range(1_000)])

        assert len(shop.outputs(topics.KPI_CAMPAIGNS)) == 2
        assert shop.figures("sent", "delivered") == (1_000, 1_000)

    async def test_what_changes_no_figure_writes_nothing(self, shop):
        """A second seen report, a landing told again."""
        await shop.tell(report("seen"), landing("s1"))
        written = len(shop.outputs(topics.KPI_CAMPAIGNS))

        await shop.tell(report("seen", id="again"), landing("s1"), landing("s1", email_hash=EMAIL))

        assert written == len(shop.outputs(topics.KPI_CAMPAIGNS))

    async def test_rows_are_what_the_schema_says(self, shop):
        """Ratios are exact; unknown is null."""
        await shop.tell(
            *[report("delivered", f"m{n}", price_micros=100_000, currency="BRL") for n in range(3)],
            report("clicked"), order(phone_hash=PHONE),
        )  # fmt: skip

        (value,) = [raw for key, raw in shop.outputs(topics.KPI_CAMPAIGNS)[-9:] if key.endswith(b"total/all/BRL")][-1:]
        cell = CampaignKpis.model_validate_json(value)

        assert (
            cell.ctr, cell.conversion_rate, cell.revenue_per_message, cell.average_order_value,
        ) == (1 / 3, 1 / 3, 10_000 / 3, 10_000.0)  # fmt: skip
        assert (cell.cost_micros, cell.roas, cell.roi) == (300_000, 10_000 / 30, (10_000 - 30) / 30)

    async def test_a_crash_between_turns_loses_nothing(self, shop):
        """All that is needed stands in the tables."""
        await shop.tell(report("delivered", at=NOW - HOUR), landing("s1", phone_hash=PHONE))
        shop.restart()
        await shop.tell(order(phone_hash=PHONE), customer(phone_hash=PHONE), report("clicked"))

        assert shop.figures("sent", "clicks", "visitors", "conversions") == (1, 1, 1, 1)
        assert {1} == set(shop.table(VISITORS).values())

    async def test_an_attribution_that_is_withdrawn_is_taken_out(self, shop):
        """A tombstone of a stand-in."""
        placed = {"action": "order.placed", "order": "777-01", "amount_minor": 5, "amount_currency": "BRL"}
        await shop.tell(landing("s1"), event("s1", NOW, "e2", **placed))
        before = shop.figures("conversions", "net")

        await shop.tell(order(order_ids=["777-01"]))

        assert before == (1, 5)
        assert shop.figures("conversions", "net") == (1, 10_000)
