"""The attribution agent on examples that a person can follow."""

import pytest

from schemas import topics
from schemas.events import encode
from streams.attribution import AttributionAgent
from streams.engine.testing import MemoryShard
from streams.journeys import limits
from streams.journeys.tables import SESSIONS
from tests.oracle.running import attributions, fates
from tests.oracle.telling import DAY, EMAIL, HOUR, PHONE, customer, event, landing, order, report
from tests.oracle.worlds import NOW, h
from tests.stores import stores_of

ORDER = "1000000000001"


class Shop(MemoryShard):
    """A shard with the attribution agent."""

    def __init__(self) -> None:
        super().__init__([AttributionAgent(stores_of())], now=NOW)

    async def tell(self, *records) -> None:
        """Have records processed, all of them in one turn."""
        for topic, key, value in records:
            self.put(topic, key, value)
        await self.run()

    def of(self, name: str = ORDER) -> tuple:
        """Return an order's rule, campaign and net."""
        row = attributions(self).get(name)
        return row and (row["rule"], row["campaign"], row["net"])


@pytest.fixture
def shop():
    """Return a shop of which nothing is known."""
    return Shop()


class TestLateKnowledge:
    async def test_an_identification_after_the_order_explains_it(self, shop):
        """The landing was anonymous; days later the session tells whose it is."""
        await shop.tell(landing("s1"), order(email_hash=EMAIL))
        before = shop.of()

        await shop.tell(event("s1", email_hash=EMAIL))

        assert before == ("no touch in window", None, 10_000)
        assert shop.of() == ("click", "spring", 10_000)

    async def test_a_customers_phone_leads_from_an_email_to_a_delivery(self, shop):
        """Order by e-mail, message by phone: the customer joins them, and parts them when the phone changes."""
        await shop.tell(report("delivered", at=NOW - HOUR), order(email_hash=EMAIL))
        await shop.tell(customer(email_hash=EMAIL, phone_hash=PHONE))
        joined = shop.of()

        await shop.tell(customer(version=2, email_hash=EMAIL))

        assert joined == ("delivery", "spring", 10_000)
        assert shop.of() == ("no touch in window", None, 10_000)

    async def test_a_deletion_does_not_undo_what_was_bought(self, shop):
        """VTEX's deleted customer keeps identifying its orders; erasing one judges nothing anew."""
        known = {"email_hash": EMAIL, "phone_hash": PHONE}
        await shop.tell(report("delivered", at=NOW - HOUR), order(email_hash=EMAIL))
        await shop.tell(customer(**known), customer(version=2, deleted=True, **known))
        await shop.tell((topics.VTEX_CUSTOMERS, b"acme/c1", None))

        assert shop.of() == ("delivery", "spring", 10_000)

    async def test_a_deletion_that_came_before_the_document_changes_nothing(self, shop):
        """Whether the customer was ever seen alive depends on the order of arrival; what its last row says does not."""
        await shop.tell(report("delivered", at=NOW - HOUR), order(email_hash=EMAIL))
        await shop.tell(customer(deleted=True), customer(version=2, deleted=True, email_hash=EMAIL, phone_hash=PHONE))

        assert shop.of() == ("delivery", "spring", 10_000)

    async def test_a_provisional_customer_that_was_replaced_identifies_nobody(self, shop):
        """It would not exist, had its replacement been known before the order that told of it."""
        gone = {"version": 2, "deleted": True, "provisional": True, "replaced_by": "c1"}
        await shop.tell(report("delivered", at=NOW - HOUR), order(email_hash=EMAIL))
        await shop.tell(customer("p1", provisional=True, email_hash=EMAIL, phone_hash=PHONE))
        before = shop.of()

        await shop.tell(customer("p1", **gone), customer("c1", email_hash=EMAIL))

        assert before == ("delivery", "spring", 10_000)
        assert shop.of() == ("no touch in window", None, 10_000)

    @pytest.mark.parametrize("name", ["c1", "u1"])
    async def test_a_session_that_tells_the_shops_own_id_leads_to_the_customer(self, shop, name):
        """Of the document or of the user profile: the page knows one, the order the e-mail."""
        await shop.tell(landing("s1", customer_hash=h("customer", name)), order(email_hash=EMAIL))
        before = shop.of()

        await shop.tell(customer(user_id="u1", email_hash=EMAIL))

        assert before == ("no touch in window", None, 10_000)
        assert shop.of() == ("click", "spring", 10_000)

    async def test_a_cart_leads_from_a_session_to_its_order(self, shop):
        """The checkout names no order; who landed there is known only afterwards, and only by the cart."""
        await shop.tell(order(order_form_id="f1"), event("s1", action="checkout.started", order_form="f1"))
        before = shop.of()

        await shop.tell(landing("s1", id="e2"))

        assert before == ("no touch in window", None, 10_000)
        assert shop.of() == ("click", "spring", 10_000)

    async def test_a_part_leads_from_a_session_to_the_group(self, shop):
        """The pixel acts on an order by the name of another group, which VTEX's order goes by, too."""
        await shop.tell(order(order_ids=["777-01"]), event("s1", action="order.placed", order="777-01"))
        before = shop.of()

        await shop.tell(landing("s1", id="e2"))

        assert before == ("no touch in window", None, 10_000)
        assert shop.of() == ("click", "spring", 10_000)

    async def test_a_message_that_was_another_ones_explains_no_order_any_more(self, shop):
        """Reports that name two recipients: the smaller one's, whichever came first; both one's orders are judged."""
        first, other = sorted((PHONE, h("phone", "+5511900000000")))
        await shop.tell(report("delivered", at=NOW - HOUR, recipient=other), order(phone_hash=other))
        await shop.tell(order("2", phone_hash=first))
        before = (shop.of(), shop.of("2"))

        await shop.tell(report("delivered", at=NOW - HOUR, id="again", recipient=first))

        assert before == (("delivery", "spring", 10_000), ("no touch in window", None, 10_000))
        assert (shop.of(), shop.of("2")) == (before[1], before[0])

    async def test_a_message_of_another_campaign_moves_its_clicks(self, shop):
        """The row under the recipient's campaign is written anew, not only the message."""
        await shop.tell(report("clicked", at=NOW - HOUR, campaign="winter"), order(phone_hash=PHONE))
        before = shop.of()

        await shop.tell(report("delivered", at=NOW - 2 * HOUR, campaign="autumn"))

        assert before == ("click", "winter", 10_000)
        assert shop.of() == ("click", "autumn", 10_000)

    async def test_the_pixels_order_stands_until_vtex_tells_it(self, shop):
        """Amount, currency and time of the pixel; then VTEX's."""
        placed = {"action": "order.placed", "order": f"{ORDER}-01", "amount_minor": 5, "amount_currency": "BRL"}
        await shop.tell(landing("s1"), event("s1", NOW, "e2", **placed))
        stood = shop.of()

        await shop.tell(order())

        assert stood == ("click", "spring", 5)
        assert shop.of() == ("click", "spring", 10_000)

    @pytest.mark.parametrize("first", [5, 7])
    async def test_of_two_amounts_of_one_moment_the_smaller_stands(self, shop, first):
        """Whichever comes first, and whatever their ids."""
        for id, amount in (("e2", first), ("e1", 12 - first)):  # noqa: A001  CloudEvents' own word
            placed = {"action": "order.placed", "order": ORDER, "amount_minor": amount, "amount_currency": "BRL"}
            await shop.tell(event("s1", NOW, id, **placed))

        assert shop.of() == ("no touch in window", None, 5)

    async def test_a_stand_in_under_another_name_is_withdrawn(self, shop):
        """The pixel told an order id of another group: no order is counted twice."""
        placed = {"action": "order.placed", "order": "777-01", "amount_minor": 5, "amount_currency": "BRL"}
        await shop.tell(event("s1", NOW, **placed))
        await shop.tell(order(order_ids=["777-01"]))

        assert {ORDER} == attributions(shop).keys()


class TestSettled:
    async def test_a_refund_a_year_later_changes_amounts_and_not_the_explanation(self, shop):
        """What the sessions told has expired by then; the order carries what it had."""
        await shop.tell(landing("s1", email_hash=EMAIL), order(email_hash=EMAIL))
        await shop.tick(366 * DAY)

        await shop.tell(order(version=2, refunded=4_000, email_hash=EMAIL))

        assert shop.of() == ("click", "spring", 6_000)

    async def test_visits_after_an_order_do_not_crowd_out_what_explains_it(self, shop):
        """Of the many landings of a session an order keeps the latest fifty: of those before it."""
        await shop.tell(landing("s1", email_hash=EMAIL), order(email_hash=EMAIL))
        later = range(1, limits.ORDER_LANDINGS + 2)
        await shop.tell(*[landing("s1", at=NOW + number * 60_000, id=f"l{number}") for number in later])
        await shop.tick(366 * DAY)

        await shop.tell(order(version=2, refunded=4_000, email_hash=EMAIL))

        assert shop.of() == ("click", "spring", 6_000)

    async def test_a_session_outlives_its_landing(self, shop):
        """It is kept as long as it goes on, a landing for two years: an order after that is judged without it."""
        await shop.tell(landing("s1", email_hash=EMAIL))
        for number in range(10):
            await shop.tick(80 * DAY)
            await shop.tell(event("s1", at=shop.now, id=f"later{number}", email_hash=EMAIL))

        await shop.tell(order(at=shop.now, email_hash=EMAIL))

        assert shop.dead_letters() == []
        assert "spring" in str(shop.table(SESSIONS))
        assert shop.of() == ("no touch in window", None, 10_000)

    async def test_an_erased_order_keeps_its_row_and_loses_its_identity(self, shop):
        """`forget` writes a tombstone: the money stays explained, the hashes go."""
        await shop.tell(report("delivered", at=NOW - HOUR), order(phone_hash=PHONE))
        await shop.tell((topics.VTEX_ORDERS, f"acme/{ORDER}".encode(), None))
        await shop.tell(report("clicked", at=NOW - HOUR))

        assert shop.of() == ("delivery", "spring", 10_000)
        assert PHONE not in str(shop.table(next(t for t in AttributionAgent.tables if t.name == "journey-orders")))

    async def test_an_erased_order_that_vtex_tells_again_is_counted_again(self, shop):
        """A connector that starts anew reads the shop's whole past: what was forgotten there stays without identity."""
        await shop.tell(order(phone_hash=PHONE))
        await shop.tell((topics.VTEX_ORDERS, f"acme/{ORDER}".encode(), None))

        await shop.tell(order(version=2, amount=7_000))

        assert shop.of() == ("no touch in window", None, 7_000)


class TestLimits:
    async def test_a_session_of_everybody_explains_nothing(self, shop):
        """A shop's own back end that sends all orders under one session joins no shoppers."""
        crowd = [event("s1", id=f"e{n}", email_hash=h("email", f"{n}@x")) for n in range(limits.SESSION_HASHES + 1)]
        await shop.tell(landing("s1", email_hash=EMAIL), order(email_hash=EMAIL))
        before = shop.of()

        await shop.tell(*crowd)

        assert before == ("click", "spring", 10_000)
        assert shop.of() == ("no touch in window", None, 10_000)

    async def test_a_phone_told_in_too_many_sessions_joins_none_of_them(self, shop):
        """The number on the shop's counter is not a shopper's."""
        told = [event(f"t{n}", id=f"e{n}", phone_hash=PHONE) for n in range(limits.HASH_SESSIONS)]
        await shop.tell(landing("s1", phone_hash=PHONE), *told, order(phone_hash=PHONE))

        assert shop.of() == ("no touch in window", None, 10_000)


class TestReplacements:
    async def test_the_first_orders_rule_is_named_once(self, shop):
        """A replacement of a replacement: the chain's first winner, the smaller value, corrected when the first is."""
        await shop.tell(
            order("2", replaces="1", amount=3_000), order("3", replaces="2-01", amount=9_000),
        )  # fmt: skip
        alone = shop.of("3")

        await shop.tell(landing("s1", phone_hash=PHONE), order("1", phone_hash=PHONE, amount=2_000, state="replaced"))

        assert alone == ("replacement:no touch in window", None, 3_000)
        assert shop.of("2") == ("replacement:click", "spring", 2_000)
        assert shop.of("3") == ("replacement:click", "spring", 3_000)
        assert shop.of("1") == ("click", "spring", 0)

    async def test_a_circle_stops_nobody(self, shop):
        """Orders that replace each other are judged each by itself; the one behind them inherits."""
        await shop.tell(order("1", replaces="2"), order("2", replaces="1"), order("3", replaces="1"))

        rules = {name: row["rule"] for name, row in attributions(shop).items()}

        none = "no touch in window"
        assert {"1": none, "2": none, "3": f"replacement:{none}"} == rules

    async def test_who_replaces_an_order_in_a_circle_inherits_of_that_order(self, shop):
        """Not of the next one in the circle, which it has nothing to do with."""
        await shop.tell(landing("s1", phone_hash=PHONE), order("1", replaces="2", phone_hash=PHONE))
        await shop.tell(order("2", replaces="1"), order("3", replaces="1"))

        assert [shop.of(name)[0] for name in "123"] == ["click", "no touch in window", "replacement:click"]


class TestFates:
    async def test_each_record_has_one_fate(self, shop):
        """Repeated reports and old versions are duplicates, the unreadable is dead, a request is another agent's."""
        unreadable = (topics.TRACKING_EVENTS, b"acme/s1", b'{"id": "x", "landing": broken')
        no_event = (topics.MESSAGE_REPORTS, b"acme/m9", encode({"id": "r9", "type": "t", "store": "acme", "data": {}}))
        request = (topics.MESSAGE_REQUESTS, b"acme/m1", encode({"message": "m1", "to": "+5511987654321"}))
        await shop.tell(report("sent"), report("sent"), no_event, order(), order(), customer(), customer(version=0),
                        landing("s1"), unreadable, request)  # fmt: skip

        counts = {row["topic"]: row["counts"] for row in fates(shop, "attribution")}

        assert counts == {
            "message.reports": {"counted": 1, "duplicate": 1, "dead": 1},
            "vtex.orders": {"counted": 1, "duplicate": 1},
            "vtex.customers": {"counted": 1, "duplicate": 1},
            "tracking.events": {"counted": 1, "dead": 1},
        }

    async def test_what_cannot_be_read_leaves_no_trace(self, shop):
        """An order without an amount changes nothing but the dead letters."""
        topic, key, _ = order()
        await shop.tell((topic, key, encode({"order": ORDER, "version": 9, "created_at": "2027-01-01T00:00:00Z"})))
        await shop.tell(order())

        assert [letter["reason"] for letter in shop.dead_letters()] == ["unreadable: KeyError"]
        assert shop.of() == ("no touch in window", None, 10_000)

    async def test_what_does_not_change_is_not_published_again(self, shop):
        """Page views of an explained shopper, and a version that says the same, publish nothing."""
        await shop.tell(landing("s1", email_hash=EMAIL), order(email_hash=EMAIL))
        published = len(shop.outputs(topics.ATTRIBUTIONS))

        await shop.tell(*[event("s1", id=f"e{n}", email_hash=EMAIL) for n in range(50)])
        await shop.tell(order(version=2, email_hash=EMAIL))

        assert published == len(shop.outputs(topics.ATTRIBUTIONS))
