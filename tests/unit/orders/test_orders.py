"""What becomes of sellers' parts: one order each purchase, its state, its amounts, its buyer."""

import pytest

from schemas import topics
from schemas.vtex import CUSTOMER_CHANGED, Order, group_of
from streams.customers import CustomersAgent
from streams.engine.testing import MemoryShard
from streams.orders import ORDERS, OrdersAgent
from streams.vtex_rules.order import state_of
from tests.stores import a_store, stores_of
from tests.unit.customers import events as customers
from tests.unit.orders.events import a_shard, at, feed, part

HASHES = stores_of(a_store()).of("acme")
VTEX_STATUSES = (  # noqa: SIM905  as the contract writes them
    "order-created, on-order-completed, on-order-completed-ffm, payment-pending, waiting-for-order-authorization, "
    "approve-payment, payment-approved, request-cancel, waiting-for-seller-decision, waiting-ffmt-authorization, "
    "waiting-for-authorization, waiting-for-manual-authorization, authorize-fulfillment, order-create-error, "
    "order-creation-error, window-to-cancel, window-to-change-seller, waiting-for-mkt-authorization, "
    "waiting-seller-handling, ready-for-handling, start-handling, handling, invoice-after-cancellation-deny, "
    "order-accepted, invoice, invoiced, replaced, cancellation-requested, cancel, canceled"
).split(", ")
"""contracts/vtex NOTES 4.2."""


@pytest.fixture
def shard():
    """Return a shard that runs the orders agent alone."""
    return a_shard()


class TestOrder:
    async def test_one_part_is_an_order_with_hashes_only(self, shard):
        """The buyer's values become the store's hashes; nothing else of them is kept, not even in the state."""
        buyer = {"user_profile_id": "U-1", "email": "Ana@b.co", "phone": "(11) 98765-4321", "first_name": "Ana"}
        marketing = {"utm_source": "hellotext", "utm_campaign": "spring"}
        (row,) = await feed(shard, part(buyer=buyer, marketing=marketing, order_form_id="form"))

        order = Order.model_validate(row)
        assert (order.order, order.order_ids, order.order_form_id) == ("100", ("100-01",), "form")
        assert (order.state, order.statuses, order.version) == ("approved", {"100-01": "payment-approved"}, 1)
        assert (order.amount, order.cancelled, order.refunded, order.currency) == (10_000, 0, 0, "BRL")
        assert (row["created_at"], row["changed_at"]) == (at(0), at(1))
        assert order.user_profile_id == "u-1"
        assert order.email_hash == HASHES.hash("email", "ana@b.co")
        assert order.phone_hash == HASHES.hash("phone", "+5511987654321")
        assert row["marketing"] == marketing
        assert not any(value in str([row, shard.table(ORDERS)]) for value in ("Ana", "ana@", "98765"))
        assert shard.outputs(topics.VTEX_ORDERS)[0][0] == b"acme/100"

    @pytest.mark.parametrize("phone", ["(11) 99999-9999", "00000000000", "98765-4321"])
    async def test_a_phone_that_is_nobodys_joins_nobody(self, shard, phone):
        """What hundreds type to get past a form would make the order one with the sessions of all of them."""
        (row,) = await feed(shard, part(buyer={"user_profile_id": "u1", "phone": phone}))

        assert "phone_hash" not in row

    async def test_parts_are_assembled(self, shard):
        """As they come, in whatever order; the purchase began with its first part."""
        rows = await feed(
            shard, part("100-02", created=5, value=2_000), part("100-01", created=3, status="invoiced", value=3_000),
            part("200-01"), part("100-02", 9, created=5, value=2_000, status="invoiced"),
        )  # fmt: skip

        assert [(row["order"], row["amount"], row["state"]) for row in rows] == [
            ("100", 2_000, "approved"), ("100", 5_000, "approved"), ("200", 10_000, "approved"),
            ("100", 5_000, "invoiced"),
        ]  # fmt: skip
        assert (rows[3]["order_ids"], rows[3]["created_at"], rows[3]["version"]) == (["100-01", "100-02"], at(3), 3)

    async def test_what_says_nothing_new_is_a_duplicate(self, shard):
        """The same event again, an older status that arrives late, and a re-read."""
        first = part(changed=5, status="invoiced")
        rows = await feed(shard, first, first, part(changed=4, status="handling"),
                          part(changed=5, seen=90, status="invoiced"))  # fmt: skip

        assert len(rows) == 1
        assert shard.fates() == {"counted": 1, "duplicate": 3}

    async def test_changes_that_differ_in_the_seventh_digit(self, shard):
        """One 100 ns older is older."""
        rows = await feed(
            shard,
            part(changed="2026-09-22T10:00:00.1234562+00:00", status="canceled"),
            part(changed="2026-09-22T10:00:00.1234561+00:00", status="handling"),
        )

        assert [row["state"] for row in rows] == ["cancelled"]

    async def test_a_null_status_hides_none(self, shard):
        """It can be null for a while (NOTES 4.2); then the last one that was told holds."""
        _, row = await feed(shard, part(changed=1, status="invoiced"), part(changed=2, status=None))

        assert (row["state"], row["statuses"]) == ("invoiced", {"100-01": "invoiced"})
        (fresh,) = await feed(shard, part("300-01", status=None))
        assert (fresh["state"], fresh["statuses"]) == ("placed", {"300-01": "unknown"})

    async def test_a_buyer_who_is_masked_later_stays_known(self, shard):
        """Masks and erasures at VTEX tell nothing; hard masks and relays never become a hash (NOTES 4.3)."""
        hard = "ff2e6348a53a4d449af92be2a1011328@ct.vtex.com.br"
        (row,) = await feed(shard, part(buyer={"email": "a@b.co"}), part(changed=1, seen=9, buyer={"email": hard}))

        assert row["email_hash"] == HASHES.hash("email", "a@b.co")
        rows = await feed(shard, part("300-01", buyer={"email": hard}),
                          part("400-01", buyer={"email": "x@mail.mercadolibre.com"}))  # fmt: skip
        assert [row.get("email_hash") for row in rows] == [None, None]

    async def test_a_replacement_names_the_purchase(self, shard):
        """VTEX names an order; we mean its group."""
        (row,) = await feed(shard, part("200-01", replaces="100-01"))

        assert row["replaces"] == "100"
        assert (group_of("v502556llux-01"), group_of("100"), group_of("SLR-100-01")) == (
            "v502556llux",
            "100",
            "SLR-100",
        )


class TestState:
    def test_every_status_of_vtex_has_its_meaning(self):
        """None is left to chance; one we never heard of was placed."""
        meanings = {status: state_of(status) for status in VTEX_STATUSES}

        assert [status for status, state in meanings.items() if state == "placed"] == [
            "order-created", "on-order-completed", "on-order-completed-ffm", "payment-pending",
            "waiting-for-order-authorization", "approve-payment", "waiting-for-authorization",
            "waiting-for-manual-authorization", "order-create-error", "order-creation-error",
            "waiting-for-mkt-authorization",
        ]  # fmt: skip
        assert (meanings["cancel"], meanings["canceled"]) == ("cancelled", "cancelled")
        assert (meanings["replaced"], meanings["invoiced"]) == ("replaced", "invoiced")
        assert (state_of("brand-new-status"), state_of(None), state_of(" Canceled ")) == (
            "placed",
            "placed",
            "cancelled",
        )

    @pytest.mark.parametrize(
        ("statuses", "state", "cancelled"),
        [
            (("canceled", "invoiced"), "invoiced", 1_000),
            (("canceled", "canceled"), "cancelled", 3_000),
            (("replaced", "replaced"), "replaced", 3_000),
            (("replaced", "handling"), "approved", 1_000),
            (("canceled", "replaced"), "replaced", 3_000),
            (("invoiced", "brand-new"), "placed", 0),
            (("cancellation-requested", "invoiced"), "approved", 0),
        ],
    )
    async def test_a_purchase_is_as_far_as_its_parts_that_stand(self, shard, statuses, state, cancelled):
        """Cancelled and replaced parts take their value with them."""
        rows = await feed(shard, part("1-01", value=1_000, status=statuses[0]),
                          part("1-02", value=2_000, status=statuses[1]))  # fmt: skip

        assert (rows[1]["state"], rows[1]["amount"], rows[1]["cancelled"]) == (state, 3_000, cancelled)

    async def test_a_cancellation_can_be_taken_back(self, shard):
        """Un-cancelled: the value is back."""
        rows = await feed(shard, part(changed=1, status="canceled"), part(changed=2, status="handling"))

        assert [(row["state"], row["cancelled"]) for row in rows] == [("cancelled", 10_000), ("approved", 0)]


class TestAmounts:
    async def test_a_refund_moves_no_time(self, shard):
        """Found by re-reading: the same change time, read later, wins (NOTES 4.4)."""
        rows = await feed(
            shard, part(seen=1, status="invoiced"), part(seen=90, status="invoiced", returns=[("R1", 2_500)])
        )

        assert [row["refunded"] for row in rows] == [0, 2_500]

    async def test_distinct_return_invoices_never_above_what_stands(self, shard):
        """An invoice written twice counts once; two sellers' may share a number; a cancelled part's is gone with it."""
        rows = await feed(
            shard,
            part("1-01", value=1_000, returns=[("R1", 400), ("R1", 400), ("R2", 100)]),
            part("1-02", value=2_000, returns=[("R1", 300)]),
            part("1-02", 5, value=2_000, returns=[("R1", 300)], status="canceled"),
        )

        assert [row["refunded"] for row in rows] == [500, 800, 500]
        (row,) = await feed(shard, part("2-01", value=1_000, returns=[("R1", 700), ("R2", 700)]))
        assert row["refunded"] == 1_000

    @pytest.mark.parametrize(
        ("currency", "hundredths", "minor"), [("BRL", 12_990, 12_990), ("CLP", 1_299_000, 12_990), ("KWD", 150, 1_500)]
    )
    async def test_hundredths_become_minor_units(self, shard, currency, hundredths, minor):
        """VTEX writes hundredths whatever the currency."""
        (row,) = await feed(
            shard, part(currency=currency, value=hundredths, changes_value=hundredths, returns=[("R", hundredths)])
        )

        assert (row["amount"], row["changes"], row["refunded"]) == (minor, minor, minor)

    async def test_later_changes_are_part_of_the_amount(self, shard):
        """VTEX's example: items 32.90, shipping 11.60, item removed for 32.90, value 11.60; placed at 44.50."""
        (row,) = await feed(shard, part(value=1_160, changes_value=-3_290))

        assert (row["amount"], row["amount"] - row["changes"]) == (1_160, 4_450)

    async def test_halves_of_one_sale_count_once(self, shard):
        """The shop's own half counts wherever it is known; an outside marketplace's sale has only the other (4.2)."""
        own, other = part("1-01", origin="Marketplace"), part("1-91", origin="Fulfillment", status="canceled")
        rows = await feed(shard, other, own)

        assert [(row["amount"], row["state"]) for row in rows] == [(10_000, "cancelled"), (10_000, "approved")]
        assert rows[1]["order_ids"] == ["1-01", "1-91"]
        (row,) = await feed(shard, part("2-01", origin="Fulfillment"))
        assert row["amount"] == 10_000


class TestBadInput:
    @pytest.mark.parametrize("fields", [
        {"currency": "XXY"}, {"value": "much"}, {"order_id": None}, {"value": 2**53 + 1}, {"changes_value": -(2**60)},
        {"returns": [("R1", 2**62)]},
    ])  # fmt: skip
    async def test_what_cannot_be_read_is_dead_lettered(self, shard, fields):
        """Only the culprit."""
        await shard.feed(topics.VTEX_CHANGES, part("1-01"), part("2-01", **fields), part("3-01"))

        assert shard.fates() == {"counted": 2, "dead": 1}

    async def test_each_event_has_one_fate_with_both_agents(self):
        """Customers and orders share the topic: whatever comes, one of them accounts for it."""
        shard = MemoryShard([CustomersAgent(stores_of(a_store())), OrdersAgent(stores_of(a_store()))])
        given = [
            customers.read(first_name="Ana"), customers.read(first_name="Ana"), customers.deleted("c9"), part("1-01"),
            part("1-01"), part("2-01", currency="XXY"), (b"acme/c1", None), (b"acme/c1", b"junk"),
            (b"nobody/1", part()[1]), customers.change(CUSTOMER_CHANGED, "c1", {}, 1),
            customers.change("vtex.other", "c1", {}, 1), part("3-01", value="x"),
            customers.bought("4-01", email="new@b.co"),
        ]  # fmt: skip
        await shard.feed(topics.VTEX_CHANGES, *given)

        assert shard.fates() == {"counted": 4, "duplicate": 2, "filtered": 1, "dead": 6}
        assert len(shard.dead_letters()) == 6
        assert sum(shard.fates().values()) == len(given)
