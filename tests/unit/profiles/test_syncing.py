"""The profiles agent against a stand-in Hellotext: one profile for each customer, the newest state last."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from structlog.testing import capture_logs

from hellotext_vtex.destinations import troubled
from schemas import topics
from schemas.fates import REDRIVEN, EffectOutcome
from streams.profile_rules.stores import BUCKET, GATE_RETRY_MS, MOST_UNDER_WAY, STORES
from tests.destinations import StandInHellotext
from tests.unit.profiles.conftest import World, a_customer


def refuse(hellotext, status):
    """Have every request refused, in words that quote a value."""
    error = {"type": "parameter_invalid", "parameter": "email[primary]", "message": "ana@shop.example is bad"}
    hellotext.answers(status, json={"errors": [error]})


class TestOneProfile:
    """From a customer to its profile."""

    async def test_a_new_customer_is_created_then_updated_by_id(self, world):
        """The first call matches or creates; what changes later goes to the id that it told."""
        await world.feed(a_customer(phone="+5511987654321"))
        await world.settle()
        await world.feed(a_customer(version=2, first_name="Anna", phone="+5511987654321"))
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles", "PATCH /v1/profiles/P1"]
        assert world.hellotext.requests[0][2] == "Bearer token"
        assert world.hellotext.profiles == {
            "P1": {"first_name": "Anna", "email[primary]": "c1@shop.example", "phone[mobile]": "+5511987654321"}
        }
        assert (world.at().state, world.at().id, world.at().revision) == ("synced", "P1", 2)
        assert world.state().reach.sms

    async def test_what_changes_while_a_call_is_under_way_follows_it(self, world):
        """One call at a time; of what came meanwhile only the newest state is sent."""
        await world.feed(a_customer())
        await world.feed(a_customer(version=2, first_name="B"))
        await world.feed(a_customer(version=3, first_name="C"))
        assert len(world.shard.effects()) == 1
        await world.settle()
        assert [body["first_name"] for _, _, _, body in world.hellotext.requests] == ["Ana", "C"]
        assert world.at().revision == 3

    async def test_a_change_of_nothing_that_is_sent_makes_no_call(self, world):
        """An equal fingerprint is not sent again; the revision goes on."""
        await world.feed(a_customer())
        await world.settle()
        await world.feed(a_customer(version=2, document="123"))
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles"]
        assert world.at().revision == 2

    async def test_repetitions_and_older_states_are_duplicates(self, world):
        """A replay changes nothing."""
        await world.feed(a_customer(version=2))
        await world.settle()
        await world.feed(a_customer(version=2), a_customer(version=1, first_name="Old"))
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles"]
        assert world.shard.fates()["duplicate"] == 2

    async def test_without_email_and_phone_there_is_no_profile(self, world):
        """Nothing could match it, so a repeat would create a second; an e-mail later makes it reachable."""
        await world.feed(a_customer(email=None))
        await world.settle()
        assert (world.hellotext.requests, world.at().state) == ([], "unreachable")
        await world.feed(a_customer(version=2))
        await world.settle()
        assert world.at().state == "synced"

    async def test_a_profile_deleted_at_hellotext_is_created_again(self, world):
        """404 on PATCH."""
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.profiles.clear()
        await world.feed(a_customer(version=2, first_name="B"))
        await world.settle()
        assert world.hellotext.paths()[1:] == ["PATCH /v1/profiles/P1", "POST /v1/profiles"]
        assert (world.at().state, world.hellotext.profiles["P1"]["first_name"]) == ("synced", "B")

    async def test_consent_is_never_sent(self, world):
        """Neither opt-in nor opt-out leave, unless the store maps them to a property of its own."""
        await world.feed(a_customer(newsletter_opt_in=True))
        await world.settle()
        assert set(world.hellotext.profiles["P1"]) == {"first_name", "email[primary]"}


class TestUncertain:
    """After a time-out or a 5xx it is looked, then repeated."""

    async def test_a_create_that_may_have_been_applied_is_repeated_with_the_same_fields(self, world):
        """Even when e-mail and phone have changed meanwhile: others could create a second profile."""
        world.hellotext.lost = 1.0
        await world.feed(a_customer())
        await world.calls.once()
        assert world.at().state == "uncertain"
        world.hellotext.lost = 0.0
        await world.feed(a_customer(version=2, email="new@shop.example"))
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles"] * 2 + ["PATCH /v1/profiles/P1"]
        assert world.hellotext.requests[0][3] == world.hellotext.requests[1][3]
        assert world.hellotext.profiles == {"P1": {"first_name": "Ana", "email[primary]": "new@shop.example"}}

    async def test_an_update_that_was_applied_is_not_repeated(self, world):
        """GET shows that it stands."""
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.lost = 1.0
        await world.feed(a_customer(version=2, first_name="B"))
        await world.calls.once()
        world.hellotext.lost = 0.0
        await world.settle()
        assert world.hellotext.paths()[1:] == ["PATCH /v1/profiles/P1", "GET /v1/profiles/P1"]
        assert (world.at().state, world.at().revision) == ("synced", 2)

    async def test_an_update_that_was_not_applied_is_made(self, world):
        """A 502 before anything was done; GET shows the old content."""
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.answers(502, text="<html>")
        await world.feed(a_customer(version=2, first_name="B"))
        await world.calls.once()
        world.hellotext.heals()
        await world.settle()
        assert world.hellotext.paths()[2:] == ["GET /v1/profiles/P1", "PATCH /v1/profiles/P1"]
        assert world.hellotext.profiles["P1"]["first_name"] == "B"

    async def test_going_back_to_what_was_sent_before_is_sent_all_the_same(self, world):
        """A, then B with an uncertain end, then A again: B may stand there."""
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.lost = 1.0
        await world.feed(a_customer(version=2, first_name="B"))
        await world.calls.once()
        world.hellotext.lost = 0.0
        await world.feed(a_customer(version=3))
        await world.settle()
        assert world.hellotext.profiles["P1"]["first_name"] == "Ana"
        assert world.at().revision == 3

    async def test_repeats_come_later_each_time(self, world):
        """So that the first call can end, and nobody is hammered."""
        world.hellotext.answers(500)
        await world.feed(a_customer())
        pauses = []
        for _ in range(4):
            await world.calls.once()
            (effect,) = world.shard.effects()
            pauses.append(effect.not_before - world.shard.now)
            world.shard.now = effect.not_before
        assert pauses == [2_000, 4_000, 8_000, 16_000]

    @pytest.mark.parametrize("seed", range(4))
    async def test_a_storm_leaves_one_profile_for_each_customer(self, seed):
        """A fifth of all calls are applied and time out: profiles = customers, and the newest state stands."""
        world = World(StandInHellotext(lost=0.2, seed=seed))
        customers = [f"c{number}" for number in range(40)]
        for version in range(1, 6):
            await world.feed(*(a_customer(one, version, first_name=f"{one} v{version}") for one in customers))
            await world.calls.once()
        await world.settle()
        found = {fields["email[primary]"]: fields["first_name"] for fields in world.hellotext.profiles.values()}
        assert found == {f"{one}@shop.example": f"{one} v5" for one in customers}
        assert len(world.hellotext.profiles) == len(customers)
        assert {(world.at(one).state, world.at(one).revision) for one in customers} == {("synced", 5)}
        assert "uncertain" in world.calls.statuses


class TestRefused:
    """One bad customer stops only itself; a bad connection stops the store's calls, not its customers."""

    async def test_a_refused_customer_is_a_dead_letter_and_the_others_go_on(self, world):
        """422: with the reason, without a value, and not again until something changes."""
        refuse(world.hellotext, 422)
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.heals()
        await world.feed(a_customer("c2"))
        await world.settle()
        (letter,) = world.shard.dead_letters()
        assert letter["reason"] == "Hellotext answered 422: parameter_invalid, email[primary]"
        assert (letter["step"], letter["topic"]) == ("hellotext", "vtex.customers")
        assert letter["partition"] == world.shard.number
        assert (world.at().state, world.at("c2").state) == ("failed", "synced")
        await world.feed(a_customer(version=2, document="1"))
        assert world.shard.effects() == []
        await world.feed(a_customer(version=3, first_name="B"))
        await world.settle()
        assert world.at().state == "synced"

    async def test_a_redriven_record_is_tried_again(self, world):
        """The same version coming again means that a person wants it."""
        refuse(world.hellotext, 422)
        await world.feed(a_customer())
        await world.settle()
        world.hellotext.heals()
        await world.feed(a_customer())
        await world.settle()
        assert world.at().state == "synced"

    @pytest.mark.parametrize("status", [301, 302, 307, 401, 403, 404])
    async def test_a_refused_token_closes_the_destination(self, world, status):
        """Customers say what to do, nobody calls; when the connection changes, all catch up."""
        refuse(world.hellotext, status)
        await world.feed(a_customer())
        await world.settle()
        await world.feed(*(a_customer(f"d{number}") for number in range(5)))
        assert world.shard.effects() == []
        assert any(todo in (world.at().error or "") for todo in ("connect", "permissions"))
        assert (world.at("d0").state, world.at("d0").error) == ("pending", world.at().error)
        assert world.shard.dead_letters() == []
        world.hellotext.heals()
        world.connect(hellotext={"url": "http://127.0.0.1:1/v1", "business_id": "BID-acme", "token": "new"})
        for _ in range(3):
            await world.shard.tick(1_000)
            await world.settle()
        assert len(world.hellotext.profiles) == 6
        assert world.at("d4").state == "synced"

    async def test_a_closed_destination_is_tried_by_one_customer_now_and_then(self, world):
        """And opens when that one gets through."""
        refuse(world.hellotext, 401)
        await world.feed(a_customer())
        await world.settle()
        await world.shard.tick(0)
        await world.feed(a_customer("d1"))
        for _ in range(3):
            await world.shard.tick(GATE_RETRY_MS)
            await world.settle()
        assert len(world.hellotext.requests) == 4
        world.hellotext.heals()
        await world.shard.tick(GATE_RETRY_MS)
        await world.settle()
        await world.shard.tick(1_000)
        await world.settle()
        assert (world.at().state, world.at("d1").state) == ("synced", "synced")

    async def test_a_closed_destination_is_told_in_the_log(self, world):
        """Once, with what to do, and again when it is open; no value of a customer."""
        with capture_logs() as logs:
            refuse(world.hellotext, 401)
            await world.feed(a_customer())
            await world.settle()
            await world.shard.tick(GATE_RETRY_MS)
            await world.settle()
            world.hellotext.heals()
            await world.shard.tick(GATE_RETRY_MS)
            await world.settle()
        closed, opened = [row for row in logs if row["event"].startswith("a destination is")]
        assert (closed["store"], closed["destination"], opened["log_level"]) == ("acme", "hellotext", "info")
        assert "connect the store again" in closed["reason"]
        assert "ana" not in closed["reason"]

    async def test_who_looks_at_stores_learns_since_when_it_takes_nothing(self, world):
        """Closed, with when it is tried again; failing while it answers nothing of use; nothing once it works."""

        def seen(later_ms=0):
            row = world.shard.table(STORES)["acme"]
            now = datetime.fromtimestamp((world.shard.now + later_ms) / 1000, UTC)
            return [(one.state, one.since, one.again) for one in troubled(row, now)]

        refuse(world.hellotext, 401)
        began = datetime.fromtimestamp(world.shard.now / 1000, UTC)
        await world.feed(a_customer())
        await world.settle()
        assert seen() == [("closed", began, began + timedelta(milliseconds=GATE_RETRY_MS))]
        await world.shard.tick(GATE_RETRY_MS)
        await world.settle()
        assert [since for _, since, _ in seen()] == [began]
        world.hellotext.heals()
        await world.shard.tick(GATE_RETRY_MS)
        await world.settle()
        assert seen(60_000) == []
        world.hellotext.answers(500)
        began = datetime.fromtimestamp(world.shard.now / 1000, UTC)
        await world.feed(a_customer("c2"))
        await world.calls.once()
        assert (seen(59_000), seen(60_000)) == ([], [("failing", began, None)])
        world.hellotext.heals()
        await world.settle()
        assert seen(60_000) == []

    async def test_a_destination_that_is_away_for_long_closes_too(self, world):
        """The engine's own retries used up: `failed`, and tried again later."""
        world.hellotext.raises(httpx.ConnectError("no"))
        await world.feed(a_customer())
        await world.settle()
        assert world.at().state == "failed"
        assert "cannot be reached (ConnectError)" in world.at().error
        world.hellotext.heals()
        await world.shard.tick(GATE_RETRY_MS)
        await world.settle()
        assert world.at().state == "synced"

    async def test_an_outcome_of_a_call_that_is_not_under_way_changes_nothing(self, world):
        """A dead letter of an outcome, redriven after its customer had gone on: the calls under way are as many."""
        await world.feed(a_customer())
        await world.settle()
        await world.feed(a_customer("c2"))
        before = dict(world.shard.table(STORES)["acme"])
        late = EffectOutcome(
            effect="profile/hellotext/c1/1", kind="hellotext.profile", agent="profiles", store="acme",
            destination="hellotext", key="profile/c1", attempt=1, status="rejected", code=401,
            reason="Hellotext answered 401", at="2027-01-15T08:00:00Z",
        )  # fmt: skip
        world.shard.put(
            topics.EFFECTS_OUTCOMES, b"acme/profile/hellotext/c1/1", late.model_dump_json().encode(),
            headers=[(REDRIVEN, b"effects/1")],
        )  # fmt: skip
        await world.shard.run()
        assert world.shard.dead_letters() == []
        assert world.shard.table(STORES)["acme"] == before
        assert before["under_way"] == {"hellotext": 1}
        await world.settle()
        assert (world.at().state, world.at("c2").state) == ("synced", "synced")

    async def test_unreadable_and_misplaced_records_are_dead_letters(self, world):
        """They stop only themselves."""
        row = a_customer().model_dump_json().encode()
        await world.shard.feed(topics.VTEX_CUSTOMERS, (b"acme/c1", b"{"), (b"acme/c9", b"[]"), (b"acme/c1", row))
        assert [letter["reason"] for letter in world.shard.dead_letters()] == ["not a Customer: 1 problems"] * 2
        await world.settle()
        assert world.at().state == "synced"


class TestManyCustomers:
    """A backfill is bounded, and nobody is left behind."""

    async def test_a_backfill_fills_the_outbox_up_to_the_budget(self, world):
        """Who comes later waits in its own row, and is called for as room comes."""
        many = MOST_UNDER_WAY + 2 * BUCKET + 7
        await world.feed(*(a_customer(f"c{number}") for number in range(many)))
        assert len(world.shard.effects()) == MOST_UNDER_WAY
        for _ in range(5):
            await world.settle()
            await world.shard.tick(1_000)
        await world.settle()
        assert len(world.hellotext.profiles) == many
        assert len(world.hellotext.requests) == many

    async def test_a_restart_loses_nothing(self, world):
        """All state is in the tables."""
        await world.feed(a_customer())
        world.shard.restart()
        await world.settle()
        await world.feed(a_customer(version=2, first_name="B"))
        world.shard.restart()
        await world.settle()
        assert world.hellotext.paths() == ["POST /v1/profiles", "PATCH /v1/profiles/P1"]

    async def test_a_paused_store_calls_nobody(self, world):
        """And goes on where it stopped."""
        world.connect(paused=True)
        await world.feed(a_customer())
        await world.shard.tick(1_000)
        assert (world.shard.effects(), world.at().state) == ([], "pending")
        world.connect(paused=False)
        await world.shard.tick(1_000)
        await world.settle()
        assert world.at().state == "synced"

    async def test_a_property_mapped_later_reaches_everybody(self, world):
        """A change of the connection's mapping starts a sweep."""
        await world.feed(a_customer(document="123"), a_customer("c2"))
        await world.settle()
        await world.shard.tick(1_000)
        await world.settle()
        access = {"url": "http://127.0.0.1:1/v1", "business_id": "BID-acme", "token": "token"}
        world.connect(hellotext={**access, "properties": {"document": "PX"}})
        await world.shard.tick(1_000)
        await world.settle()
        assert world.hellotext.profiles["P1"]["property_by_id[PX]"] == "123"
        assert world.hellotext.paths() == ["POST /v1/profiles"] * 2 + ["PATCH /v1/profiles/P1"]
