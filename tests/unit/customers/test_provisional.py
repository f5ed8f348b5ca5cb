"""Orders as the second source: buyers whom no document shows, and how they are replaced, in any order of arrival."""

import itertools

import pytest

from schemas import topics
from schemas.vtex import Customer
from streams.customers import CUSTOMERS, CustomersAgent
from streams.engine.testing import MemoryShard
from streams.stores import Stores
from tests.stores import GivenDirectory, a_store, stores_of
from tests.unit.customers.events import a_shard, bought, change, deleted, feed, last_rows, read

BUYER = {"user_profile_id": "U-1", "email": "ana@b.co", "phone": "11987654321", "first_name": "Ana"}
HARD = "ff2e6348a53a4d449af92be2a1011328@ct.vtex.com.br"


@pytest.fixture
def shard():
    """Return a shard that runs the customers agent alone."""
    return a_shard()


class TestWho:
    async def test_an_unknown_buyer_becomes_a_provisional_customer(self, shard):
        """Under the lower-case profile id, with what the order told; the orders agent accounts for the event."""
        (row,) = await feed(shard, bought(**BUYER))

        customer = Customer.model_validate(row)
        assert (customer.customer, customer.provisional, customer.user_id) == ("u-1", True, "u-1")
        assert (customer.email, customer.phone, customer.first_name) == ("ana@b.co", "+5511987654321", "Ana")
        assert shard.fates() == {}

    @pytest.mark.parametrize(
        ("buyer", "prefix"),
        [
            ({"email": "ana@b.co"}, "email-"),
            ({"email": "ana@b.co", "phone": "11987654321"}, "email-"),
            ({"email": HARD, "phone": "11987654321"}, "phone-"),
            ({"user_profile_id": "ana@b.co", "email": "ana@b.co"}, "email-"),
        ],
    )
    async def test_without_a_profile_id_the_id_is_made_of_a_hash(self, shard, buyer, prefix):
        """The same buyer gets the same id again, and the id holds no value."""
        (row,) = await feed(shard, bought("100-01", **buyer), bought("200-01", **buyer))

        assert row["customer"].startswith(prefix)
        assert "ana" not in row["customer"]

    @pytest.mark.parametrize(
        "buyer",
        [
            {}, {"user_profile_id": "u-1"}, {"user_profile_id": "u-1", "email": HARD}, {"email": "***", "phone": "0"},
            {"user_profile_id": "u-1", "email": "x@mail.mercadolibre.com", "phone": "11987654321"},
        ],
    )  # fmt: skip
    async def test_who_cannot_be_reached_or_belongs_to_a_marketplace_is_nobody(self, shard, buyer):
        """A hard mask or a relay never becomes a customer (NOTES 4.3)."""
        assert await feed(shard, bought(**buyer)) == []
        assert shard.table(CUSTOMERS) == {}

    async def test_further_orders_tell_more(self, shard):
        """The newest order's values win; an older one fills gaps only."""
        rows = await feed(
            shard, bought("2-01", 20, **BUYER),
            bought("3-01", 30, **{**BUYER, "first_name": "Anna"}),
            bought("1-01", 10, **{**BUYER, "first_name": "A", "last_name": "Lima"}),
        )  # fmt: skip

        assert [row["version"] for row in rows] == [1, 2, 3]
        assert (rows[2]["first_name"], rows[2]["last_name"]) == ("Anna", "Lima")

    @pytest.mark.parametrize(
        "document", [{"user_id": "u-1"}, {"email": "ANA@b.co"}, {"user_id": "U-1", "email": "other@b.co"}]
    )
    async def test_the_buyer_whom_a_document_shows_is_that_customer(self, shard, document):
        """No second customer, and nothing is kept of the order."""
        rows = await feed(shard, read("doc", **document), bought(**BUYER))

        assert [row["customer"] for row in rows] == ["doc"]

    async def test_a_known_phone_explains_only_who_is_known_by_nothing_else(self, shard):
        """A family shares a phone."""
        rows = await feed(
            shard, read("doc", home_phone="11987654321"), bought("1-01", phone="11987654321"), bought("2-01", **BUYER)
        )

        assert [row["customer"] for row in rows] == ["doc", "u-1"]


class TestReplacement:
    @pytest.mark.parametrize("document", [{"user_id": "u-1"}, {"email": "ana@b.co"}])
    async def test_the_document_replaces_the_provisional_customer(self, shard, document):
        """Its row goes first, says by whom it was replaced, and holds nothing else; so does the state."""
        rows = await feed(shard, bought(**BUYER), read("doc", 5, **document))

        assert [row["customer"] for row in rows] == ["u-1", "u-1", "doc"]
        assert (rows[1]["deleted"], rows[1]["replaced_by"], rows[1].get("email")) == (True, "doc", None)
        assert "orders" not in shard.table(CUSTOMERS)["acme/u-1"]

    async def test_an_e_mail_that_a_document_once_had_still_explains(self, shard):
        """The customer changes the e-mail; an order under the old one is theirs."""
        rows = await feed(shard, read("doc", 1, email="ana@b.co"), read("doc", 5, email="new@b.co"), bought(**BUYER))

        assert {row["customer"] for row in rows} == {"doc"}

    async def test_a_deleted_document_still_explains(self, shard):
        """Whoever was deleted does not come back through an order."""
        await feed(shard, read("doc", 1, email="ana@b.co"), deleted("doc", 50), bought(second=60, **BUYER))

        assert [row for row in last_rows(shard).values() if not row.get("deleted")] == []

    async def test_of_several_documents_the_smallest_id_replaces(self, shard):
        """Two documents may have one e-mail (NOTES 2.5)."""
        await feed(shard, bought(**BUYER), read("d2", email="ana@b.co"), read("d1", email="ana@b.co"))

        assert last_rows(shard)["u-1"]["replaced_by"] == "d1"

    async def test_a_profile_id_beats_an_e_mail_alone(self, shard):
        """A guest's order and an order under the profile are one buyer."""
        await feed(shard, bought("1-01", email="ana@b.co"), bought("2-01", **BUYER))

        rows = last_rows(shard)
        assert [row.get("deleted", False) for row in rows.values()] == [True, False]
        assert next(iter(rows.values()))["replaced_by"] == "u-1"

    async def test_a_document_under_the_same_id_takes_the_row_over(self, shard):
        """The profile id is the document's id: versions go on, and the row is provisional no more."""
        rows = await feed(shard, bought(**BUYER), read("U-1", email="ana@b.co"))

        assert [(row["version"], row.get("provisional", False)) for row in rows] == [(1, True), (2, False)]

    async def test_any_order_of_arrival_ends_with_the_same_customers(self):
        """A guest's order, two orders of the profile, its document, and a change of its e-mail."""
        events = [
            bought("1-01", 1, email="ana@b.co"), bought("2-01", 2, **BUYER),
            bought("3-01", 3, user_profile_id="u-1", email="ana@work.co"), bought("4-01", 4, email="ana@work.co"),
            read("doc", 5, user_id="u-1", email="ana@b.co", first_name="Ana"),
        ]  # fmt: skip
        for arrival in itertools.permutations(events):
            shard = a_shard()
            await feed(shard, *arrival)
            living = {customer for customer, row in last_rows(shard).items() if not row.get("deleted")}
            assert living == {"doc"}


class TestOrdersOfOthers:
    async def test_an_unreadable_order_is_the_orders_agents_to_say(self, shard):
        """Passed, not dead-lettered twice."""
        await shard.feed(topics.VTEX_CHANGES, change("vtex.order.changed", "1", {"order_id": "1"}, 1))

        assert (shard.fates(), shard.dead_letters()) == ({}, [])

    async def test_an_order_of_an_unknown_store_is_passed_once_the_directory_has_caught_up(self):
        """It is asked once; whoever accounts for the event says that the store is unknown."""

        class SlowDirectory(GivenDirectory):
            asked = 0

            async def catch_up(self):
                self.asked += 1

        directory = SlowDirectory()
        shard = MemoryShard([CustomersAgent(Stores(directory, str))])
        await shard.feed(topics.VTEX_CHANGES, bought(**BUYER))
        assert (directory.asked, shard.fates(), shard.dead_letters()) == (1, {}, [])

        directory.put(a_store())
        assert len(await feed(shard, bought(**BUYER))) == 1
        assert stores_of().of("acme").connection.store == "acme"
