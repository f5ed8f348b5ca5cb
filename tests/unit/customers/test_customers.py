"""What becomes of customer documents: news, noise, wipes, deletions; each on the agent as the worker runs it."""

import orjson
import pytest

from schemas import topics
from schemas.vtex import Customer
from streams.customers import CUSTOMERS
from tests.stores import a_store, stores_of
from tests.unit.customers.events import DAY, a_shard, at, change, deleted, feed, last_rows, read

HASHES = stores_of(a_store()).of("acme")


@pytest.fixture
def shard():
    """Return a shard that runs the customers agent alone."""
    return a_shard()


class TestNews:
    async def test_a_new_customer_is_version_1_in_normal_forms_with_hashes(self, shard):
        """E-mail in lower case, phone in E.164, both hashed with the store's secret; the row is a Customer."""
        (row,) = await feed(shard, read("C1", user_id="U-1", email=" Maria@Shop.com ", home_phone="(11) 98765-4321"))

        customer = Customer.model_validate(row)
        assert (customer.customer, customer.user_id, customer.version) == ("c1", "u-1", 1)
        assert (customer.email, customer.phone) == ("maria@shop.com", "+5511987654321")
        assert customer.email_hash == HASHES.hash("email", "maria@shop.com")
        assert customer.phone_hash == HASHES.hash("phone", "+5511987654321")
        assert set(customer.changed) == {"user_id", "email", "phone", "email_hash", "phone_hash"}
        assert shard.outputs(topics.VTEX_CUSTOMERS)[0][0] == b"acme/c1"

    async def test_a_change_names_its_fields(self, shard):
        """The second version carries the whole state, and says what differs from the first."""
        _, row = await feed(shard, read(first_name="Ana", gender="female"), read(second=2, first_name="Anna"))

        assert (row["version"], row["changed"]) == (2, ["first_name"])
        assert (row["first_name"], row["gender"], row["source_version"]) == ("Anna", "female", at(2))

    @pytest.mark.parametrize(
        ("phones", "expected"),
        [
            ({"home_phone": "11987654321", "phone": "11911111111"}, "+5511987654321"),
            ({"home_phone": "0", "phone": "11911111111", "cell_phone": "11922222222"}, "+5511911111111"),
            ({"phone": "***", "cell_phone": "11922222222", "business_phone": "1133333333"}, "+5511922222222"),
            ({"business_phone": "1133333333"}, "+551133333333"),
            ({"home_phone": "+1 202 555 0195"}, "+12025550195"),
            ({"home_phone": "", "phone": "none"}, None),
            ({"home_phone": "98765-4321", "cell_phone": "+52 1 55 1234 5678"}, "+525512345678"),
            (
                {"home_phone": "(11) 99999-9999", "phone": "00000000000", "cell_phone": "+55 11 8765-4321"},
                "+5511987654321",
            ),
        ],
    )
    async def test_the_first_usable_phone_counts(self, shard, phones, expected):
        """HomePhone, phone, cellPhone, businessPhone; what is no possible number is passed over (NOTES 2.5)."""
        (row,) = await feed(shard, read(email="a@b.co", **phones))

        assert row.get("phone") == expected

    @pytest.mark.parametrize(
        ("written", "usable"),
        [
            ("<Ana@shop.example>;", "ana@shop.example"), ("mailto:ana@shop.example", "ana@shop.example"),
            ("o'neil+x@sub.shop.com.br", "o'neil+x@sub.shop.com.br"), ("ana@shop..com", None), (".ana@b.co", None),
            ("ana@-shop.com", None), ("ana@b.c", None), ("joão@b.co", None), (f"{'a' * 65}@b.co", None),
        ],
    )  # fmt: skip
    async def test_an_address_that_vendors_refuse_keeps_nobody_from_being_reached(self, shard, written, usable):
        """With it they would refuse the customer whom the phone reaches."""
        (row,) = await feed(shard, read(email=written, home_phone="11987654321"))

        assert (row.get("email"), row["phone"]) == (usable, "+5511987654321")

    async def test_custom_fields_and_the_opt_in_are_mapped_fields(self, shard):
        """A change in either is news."""
        rows = await feed(
            shard,
            read(newsletter_opt_in=True, custom={"tier": "gold", "size": 4}),
            read(second=2, newsletter_opt_in=False, custom={"tier": "gold", "size": 4}),
            read(second=3, newsletter_opt_in=False, custom={"tier": "blue"}),
        )

        assert [row["changed"] for row in rows] == [["newsletter_opt_in", "custom"], ["newsletter_opt_in"], ["custom"]]
        assert rows[-1]["custom"] == {"size": 4, "tier": "blue"}

    async def test_the_latest_address_is_merged_in(self, shard):
        """An address changes without the document's time moving: the later look at it wins, in any order (2.6)."""
        rows = await feed(
            shard,
            read(first_name="Ana"),
            read(seen=9, first_name="Ana", address={"city": "Recife", "street": "***"}),
            read(seen=7, first_name="Ana", address={"city": "Olinda"}),
            read(second=2, first_name="Anna"),
        )

        assert [row.get("address") for row in rows] == [None, {"city": "Recife"}, {"city": "Recife"}]
        assert rows[1]["changed"] == ["address"]


class TestNoise:
    async def test_what_changes_nothing_is_a_duplicate(self, shard):
        """The same event, a re-read, and a visit that only moved the document's time: no row, fate duplicate."""
        first = read(first_name="Ana")
        rows = await feed(shard, first, first, read(seen=30, first_name="Ana"), read(second=5, first_name=" Ana "))

        assert len(rows) == 1
        assert shard.fates() == {"counted": 1, "duplicate": 3}

    async def test_an_older_version_changes_nothing(self, shard):
        """Seven digits are compared: one 100 ns older is older."""
        rows = await feed(
            shard,
            read(version=at(1, "5002"), first_name="Anna"),
            read(version=at(1, "5001"), seen=90, first_name="Ana"),
        )

        assert [row["first_name"] for row in rows] == ["Anna"]
        assert shard.fates() == {"counted": 1, "duplicate": 1}

    async def test_an_older_version_may_still_tell_what_is_not_known(self, shard):
        """A field that the newer read did not tell."""
        _, row = await feed(shard, read(second=9, first_name="Ana"), read(second=1, last_name="Lima", first_name="A"))

        assert (row["first_name"], row["last_name"], row["changed"]) == ("Ana", "Lima", ["last_name"])

    async def test_ids_that_differ_by_case_are_one_customer(self, shard):
        """The index knows ghosts, the storage does not (NOTES 2.3)."""
        rows = await feed(shard, read("AB-1", first_name="Ana"), read("ab-1", seen=8, first_name="Ana"))

        assert len(rows) == 1


class TestWipes:
    async def test_a_null_erases_nothing(self, shard):
        """VTEX clears names and phones by itself; what was known stays, and there is no news (NOTES 2.5)."""
        known = read(email="a@b.co", first_name="Ana", home_phone="11987654321", address={"city": "Recife"})
        rows = await feed(shard, known, read(second=5, email="a@b.co"))

        assert len(rows) == 1
        assert shard.fates() == {"counted": 1, "duplicate": 1}

    async def test_a_mask_is_no_value(self, shard):
        """`***` neither erases nor stands."""
        rows = await feed(
            shard, read(first_name="Ana", document="123"), read(second=5, first_name="***", document="1*3")
        )

        assert len(rows) == 1

    async def test_a_store_may_choose_that_a_null_erases(self):
        """It names the fields of which it believes a null."""
        shard = a_shard("email", "gender", "custom.tier")
        known = read(email="a@b.co", gender="x", first_name="Ana", custom={"tier": "gold", "size": 4})
        rows = await feed(shard, known, read(second=5))

        assert set(rows[1]["changed"]) == {"email", "email_hash", "gender", "custom"}
        assert (rows[1]["first_name"], rows[1]["custom"]) == ("Ana", {"size": 4})

    async def test_relayed_addresses_identify_nobody(self, shard):
        """Masks of VTEX and addresses of marketplaces never become a customer's e-mail (NOTES 4.3)."""
        hard = "ff2e6348a53a4d449af92be2a1011328@ct.vtex.com.br"
        rows = await feed(
            shard, *(read(f"c{n}", email=email, first_name="Ana") for n, email in
                     enumerate((hard, "abc@ct.vtex.com", "x1@mail.mercadolivre.com.br", "q@marketplace.amazon.com.br")))
        )  # fmt: skip

        assert [row.get("email") for row in rows] == [None] * 4
        (row,) = await feed(shard, read("soft", email="ana@shop.com-264601443631b.ct.vtex.com.br"))
        assert row["email"] == "ana@shop.com"


class TestDeletions:
    async def test_a_deletion_leaves_a_row_with_ids_and_hashes_only(self, shard):
        """No tombstone: what is downstream has to hear of it; no personal value, neither in row nor in state."""
        _, row = await feed(shard, read(user_id="u1", email="a@b.co", first_name="Ana"), deleted())

        assert (row["deleted"], row["version"], row["user_id"]) == (True, 2, "u1")
        assert row["email_hash"] == HASHES.hash("email", "a@b.co")
        assert "a@b.co" not in orjson.dumps([row, shard.table(CUSTOMERS)]).decode()
        assert "Ana" not in orjson.dumps([row, shard.table(CUSTOMERS)]).decode()

    async def test_a_stale_read_does_not_bring_back(self, shard):
        """The index still shows what is gone; read late, its version is older than the deletion."""
        rows = await feed(shard, read(second=1, first_name="Ana"), deleted(seen=50), read(second=40, seen=60))

        assert [row.get("deleted", False) for row in rows] == [False, True]

    async def test_a_poller_whose_clock_is_late_still_deletes(self, shard):
        """VTEX's clock is ahead of the poller's: what was read before the deletion is gone all the same."""
        rows = await feed(shard, read(second=60, seen=40, first_name="Ana"), deleted(seen=50))

        assert rows[-1]["deleted"]

    async def test_a_re_creation_revives_without_what_was_before(self, shard):
        """The version goes on, and a phone of the earlier life does not come back."""
        rows = await feed(
            shard, read(email="a@b.co", home_phone="11987654321"), deleted(seen=50), read(second=70, email="a@b.co")
        )

        assert [row["version"] for row in rows] == [1, 2, 3]
        assert rows[2].get("deleted", False) is False
        assert (rows[2]["email"], rows[2].get("phone"), rows[2].get("phone_hash")) == ("a@b.co", None, None)

    async def test_a_deletion_again_is_a_duplicate(self, shard):
        """A scan finds it gone every day."""
        await feed(shard, read(first_name="Ana"), deleted(seen=50), deleted(seen=80))

        assert shard.fates() == {"counted": 2, "duplicate": 1}

    async def test_deleted_before_it_was_read(self, shard):
        """The deletion overtakes the read."""
        await feed(shard, deleted(seen=50), read(second=1, user_id="u1", first_name="Ana"))

        row = last_rows(shard)["c1"]
        assert (row["deleted"], row["user_id"], row.get("first_name")) == (True, "u1", None)


class TestBadInput:
    @pytest.mark.parametrize(
        "value",
        [
            b"no json", b"[]", b'{"id": "1"}', change("vtex.unheard.of", "c1", {}, 1)[1],
            change("vtex.customer.changed", "c1", {"customer_id": "c1", "first_name": "Ana"}, 1)[1],
            read("  ")[1], change("vtex.customer.deleted", "c1", {}, 1)[1],
        ],
    )  # fmt: skip
    async def test_what_cannot_be_read_is_dead_lettered_without_its_values(self, shard, value):
        """Only the culprit, and the reason quotes nothing."""
        await shard.feed(
            topics.VTEX_CHANGES, read("good", first_name="Bea"), (b"acme/c1", value), read("well", first_name="Cis")
        )

        assert shard.fates() == {"counted": 2, "dead": 1}
        assert "Ana" not in shard.dead_letters()[0]["reason"]

    async def test_a_tombstone_is_left_out_on_purpose(self, shard):
        """`forget` writes them."""
        await shard.feed(topics.VTEX_CHANGES, (b"acme/c1", None))

        assert shard.fates() == {"filtered": 1}

    async def test_an_unknown_store_is_dead_lettered(self, shard):
        """Nothing is known of its country and its secret."""
        await shard.feed(topics.VTEX_CHANGES, (b"nobody/c1", read()[1]))

        assert shard.fates() == {"dead": 1}

    async def test_a_document_without_any_time_is_taken_as_of_when_it_was_read(self, shard):
        """The contract says that dates may be null (NOTES 2.2)."""
        data = {"customer_id": "c1", "source_version": "", "read_by": "scroll", "first_name": "Ana"}
        rows = await feed(shard, change("vtex.customer.changed", "c1", data, 5), deleted(seen=9),
                          change("vtex.customer.changed", "c1", data, 12))  # fmt: skip

        assert [row.get("first_name") for row in rows] == ["Ana", None, "Ana"]


async def test_everything_survives_a_crash(shard):
    """State is rebuilt from the changelog; versions go on."""
    await feed(shard, read(first_name="Ana"))
    shard.restart()
    (row,) = await feed(shard, read(second=2, first_name="Anna"))

    assert row["version"] == 2
    assert shard.now > DAY
