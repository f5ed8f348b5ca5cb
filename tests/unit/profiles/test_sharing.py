"""Customers whom a destination merges, deleted and forgotten ones, and buyers who turn out to be customers."""

import itertools

import pytest

from streams.profile_rules.stores import STORES
from tests.destinations import StandInHellotext
from tests.unit.profiles.conftest import World, a_customer


class KeepsTogether(StandInHellotext):
    """Takes everybody for one person."""

    def _match(self, body):
        return next(iter(self.profiles), None)


class TestShared:
    """Two customers in one profile: both say so, and the one who changed last has the content."""

    @pytest.mark.parametrize("order", list(itertools.permutations([1, 2, 3])))
    async def test_the_content_is_the_latest_customers_whoever_is_sent_first(self, order):
        """Any order of arrival ends the same."""
        world = World()
        for day in order:
            await world.feed(a_customer(f"c{day}", day=day, email="family@shop.example", first_name=f"day {day}"))
            await world.settle()
        assert world.hellotext.profiles == {"P1": {"first_name": "day 3", "email[primary]": "family@shop.example"}}
        assert [world.state(one).shared_with for one in ("c1", "c2", "c3")] == [
            ("c2", "c3"), ("c1", "c3"), ("c1", "c2"),
        ]  # fmt: skip
        assert {world.at(one).state for one in ("c1", "c2", "c3")} == {"synced"}
        assert "shares the profile" in world.at("c1").error

    async def test_creates_of_one_email_go_one_after_another(self, world):
        """At once, the vendor might match neither with the other."""
        await world.feed(a_customer("c1", email="a@shop.example"), a_customer("c2", email="a@shop.example"))
        assert len({effect.key for effect in world.shard.effects()}) == 1

    async def test_whoever_changes_later_takes_over(self, world):
        """And the other's next change does not win only because it is sent later."""
        await world.feed(a_customer("c1", day=5, email="a@shop.example", first_name="five"))
        await world.feed(a_customer("c2", day=6, email="a@shop.example", first_name="six"))
        await world.settle()
        await world.feed(a_customer("c1", 2, day=7, email="a@shop.example", first_name="seven"))
        await world.settle()
        assert world.hellotext.profiles["P1"]["first_name"] == "seven"
        await world.feed(a_customer("c2", 2, day=6, email="a@shop.example", first_name="six again"))
        await world.settle()
        assert world.hellotext.profiles["P1"]["first_name"] == "seven"

    async def test_when_the_latest_is_deleted_the_other_takes_over(self, world):
        """The conflict is over."""
        await world.feed(a_customer("c1", day=1, email="a@shop.example", first_name="one"))
        await world.feed(a_customer("c2", day=2, email="a@shop.example", first_name="two"))
        await world.settle()
        await world.feed(a_customer("c2", 2, day=3, email=None, deleted=True))
        await world.settle()
        assert world.hellotext.profiles["P1"]["first_name"] == "one"
        assert (world.state("c1").shared_with, world.state("c2").shared_with) == ((), ())
        assert world.at("c2").state == "deleted"


class TestParted:
    """Two customers in one profile, who have nothing in common any more."""

    @pytest.mark.parametrize("changed", ["c1", "c2"])
    async def test_each_has_a_profile_of_its_own(self, world, changed):
        """Whoever changed takes the profile along, with what stands in it; the other is reached by a new one."""
        await world.feed(a_customer("c1", email="a@shop.example", phone="+5511987654321"))
        await world.settle()
        await world.feed(a_customer("c2", day=2, email="b@shop.example", phone="+5511987654321"))
        await world.settle()
        assert world.state("c1").shared_with == ("c2",)
        own = "a@shop.example" if changed == "c1" else "b@shop.example"
        await world.feed(a_customer(changed, 2, day=3, email=own, phone="+5511987650000"))
        await world.settle()
        profiles = {one: world.hellotext.profiles[world.at(one).id] for one in ("c1", "c2")}
        assert {one: row["email[primary]"] for one, row in profiles.items()} == {
            "c1": "a@shop.example", "c2": "b@shop.example",
        }  # fmt: skip
        assert profiles[changed]["phone[mobile]"] == "+5511987650000"
        assert profiles["c2" if changed == "c1" else "c1"]["phone[mobile]"] == "+5511987654321"
        assert (world.at(changed).id, len(world.hellotext.profiles)) == ("P1", 2)
        assert (world.state("c1").shared_with, world.state("c2").shared_with) == ((), ())

    async def test_a_destination_that_keeps_them_together_is_not_asked_again(self):
        """It may know what we do not: one more create, and they share the profile as before."""
        world = World(KeepsTogether())
        await world.feed(a_customer("c1", email="a@shop.example", phone="+5511987654321"))
        await world.settle()
        await world.feed(a_customer("c2", day=2, email="b@shop.example", phone="+5511987654321"))
        await world.settle()
        await world.feed(a_customer("c2", 2, day=3, email="b@shop.example", phone="+5511987650000"))
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles"] * 2 + ["PATCH /v1/profiles/P1", "POST /v1/profiles",
                                                                       "PATCH /v1/profiles/P1"]  # fmt: skip
        assert world.hellotext.profiles["P1"]["email[primary]"] == "b@shop.example"
        made = len(world.hellotext.paths())
        await world.feed(a_customer("c2", 3, day=4, email="b@shop.example", phone="+5511987650000", first_name="Bea"))
        await world.settle()
        assert world.state("c1").shared_with == ("c2",)
        assert world.hellotext.paths()[made:] == ["PATCH /v1/profiles/P1"]


class TestHandedOn:
    """An e-mail is one profile's at a time."""

    @pytest.mark.parametrize("first", ["c1", "c2"])
    async def test_an_email_that_changes_hands_is_refused_for_no_longer_than_it_has_to(self, world, first):
        """Whoever takes it over before the other has let go of it is refused, and tried again afterwards."""
        await world.feed(a_customer("c1", email="a@shop.example"), a_customer("c2", email="b@shop.example"))
        await world.settle()
        changes = {
            "c1": a_customer("c1", 2, email="new@shop.example"), "c2": a_customer("c2", 2, email="a@shop.example"),
        }  # fmt: skip
        for customer in (first, "c2" if first == "c1" else "c1"):
            await world.feed(changes[customer])
            await world.settle()
        assert [world.hellotext.profiles[world.at(one).id]["email[primary]"] for one in ("c1", "c2")] == [
            "new@shop.example", "a@shop.example",
        ]  # fmt: skip
        assert (world.at("c1").state, world.at("c2").state) == ("synced", "synced")


class TestDeleted:
    """A deletion ends the syncing and erases nothing, unless the store says so."""

    async def test_a_deleted_customer_is_let_be(self, world):
        """No call; a customer who comes back is updated, not created."""
        await world.feed(a_customer())
        await world.settle()
        await world.feed(a_customer(version=2, email=None, deleted=True))
        await world.settle()
        assert (world.at().state, len(world.hellotext.profiles)) == ("deleted", 1)
        await world.feed(a_customer(version=3, first_name="Back"))
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles", "PATCH /v1/profiles/P1"]
        assert world.at().state == "synced"

    async def test_a_store_may_have_deleted_customers_erased(self):
        """Once, and not the profile that another customer is in."""
        world = World(erase_deleted=True)
        await world.feed(
            a_customer(), a_customer("c2", email="x@shop.example"), a_customer("c3", email="x@shop.example")
        )
        await world.settle()
        await world.feed(a_customer(version=2, email=None, deleted=True))
        await world.feed(a_customer("c3", version=2, email=None, deleted=True))
        await world.settle()
        assert [path for path in world.hellotext.paths() if path.startswith("DELETE")] == ["DELETE /v1/profiles/P1"]
        assert (world.at().state, world.at().id, world.at("c3").state) == ("deleted", None, "deleted")

    async def test_a_deletion_while_a_call_is_under_way_waits_for_it(self, world):
        """What the call made is known before anything else."""
        await world.feed(a_customer())
        await world.feed(a_customer(version=2, email=None, deleted=True))
        await world.settle()
        assert (world.at().state, world.at().id) == ("deleted", "P1")


class TestForgotten:
    """A tombstone: nothing is left here or at the destination."""

    async def test_a_forgotten_customer_leaves_no_trace(self, world):
        """State, index, profile and row are gone."""
        await world.feed(a_customer())
        await world.settle()
        await world.forget("c1")
        await world.settle()
        assert (world.hellotext.profiles, world.state()) == ({}, None)
        for table in world.shard._line.agents[0].tables:
            assert "c1" not in str(world.shard.table(table))

    async def test_a_create_with_an_uncertain_end_is_found_before_it_is_erased(self, world):
        """Its profile may exist, and only the same fields find it."""
        world.hellotext.lost = 1.0
        await world.feed(a_customer())
        await world.calls.once()
        world.hellotext.lost = 0.0
        await world.forget("c1")
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles"] * 2 + ["DELETE /v1/profiles/P1"]
        assert (world.hellotext.profiles, world.state()) == ({}, None)

    async def test_a_customer_in_the_same_profile_gets_a_new_one(self, world):
        """What stood there of the forgotten one is gone with the profile."""
        await world.feed(a_customer("c1", day=2, email="a@shop.example", phone="+5511987654321"))
        await world.feed(a_customer("c2", day=1, email="a@shop.example", first_name="Bia"))
        await world.settle()
        await world.forget("c1")
        await world.settle()
        assert list(world.hellotext.profiles.values()) == [{"first_name": "Bia", "email[primary]": "a@shop.example"}]
        assert world.state("c1") is None
        assert world.state("c2").shared_with == ()

    async def test_a_destination_that_cannot_erase_is_a_dead_letter(self, world):
        """DELETE is assumed of Hellotext (B1); people are told where it does not exist."""
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.answers(405, only="DELETE")
        await world.forget("c1")
        await world.settle()
        assert world.state() is None
        (letter,) = world.shard.dead_letters()
        assert (letter["reason"], letter["value"]) == ("Hellotext answered 405", None)

    async def test_a_deleted_customer_s_erasure_is_waited_for(self, world):
        """VTEX had deleted it before, and nothing was sent then: what its erasure ends with is heard all the same."""
        await world.feed(a_customer())
        await world.settle()
        await world.feed(a_customer(version=2, email=None, deleted=True))
        await world.settle()
        world.hellotext.answers(405, only="DELETE")
        await world.forget("c1")
        await world.settle()
        assert world.state() is None
        assert [letter["reason"] for letter in world.shard.dead_letters()] == ["Hellotext answered 405"]
        assert world.shard.table(STORES)["acme"]["under_way"] == {"hellotext": 0}


class TestProvisional:
    """A buyer whom only orders knew, until VTEX shows a document."""

    @pytest.mark.parametrize("first", ["the buyer", "the customer"])
    async def test_the_customer_inherits_the_profile(self, world, first):
        """Also when the customer's e-mail is another by now: still one profile."""
        await world.feed(a_customer("buyer", email="old@shop.example", provisional=True))
        await world.settle()
        replaced = a_customer("buyer", 2, email=None, deleted=True, provisional=True, replaced_by="c1")
        real = a_customer("c1", email="new@shop.example")
        if first == "the buyer":
            await world.feed(replaced)
            await world.settle()
            await world.feed(real)
        else:
            await world.feed(replaced, real)
        await world.settle()
        assert world.hellotext.profiles == {"P1": {"first_name": "Ana", "email[primary]": "new@shop.example"}}
        assert (world.at("c1").state, world.at("buyer").state) == ("synced", "deleted")
        assert world.state("c1").shared_with == ()
