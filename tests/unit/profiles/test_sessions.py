"""Sessions are linked to profiles, whichever comes first, the identification or the customer."""

import pytest

from schemas import topics
from schemas.personal import hash_value
from tests.unit.profiles.conftest import SECRET, a_customer, an_identification


@pytest.mark.parametrize("first", ["customer", "identification"])
@pytest.mark.parametrize("by", [{"email": "c1@shop.example"}, {"customer": "c1"}, {"phone": "+5511987654321"}])
async def test_a_session_is_linked_whichever_comes_first(world, first, by):
    """By e-mail, phone or the shop's own id."""
    steps = [lambda: world.feed(a_customer(phone="+5511987654321")), lambda: world.tell(an_identification(**by))]
    for step in steps if first == "customer" else reversed(steps):
        await step()
        await world.settle()
    assert world.hellotext.sessions == {"S1": "P1"}
    assert len(world.hellotext.requests) == 2


async def test_what_a_session_says_changes_no_customer(world):
    """A page may say anything."""
    await world.feed(a_customer())
    await world.tell(an_identification(email="c1@shop.example", event="e2"))
    said = an_identification(email="c1@shop.example").model_copy(update={"first_name": "Mallory"})
    await world.tell(said)
    await world.settle()
    assert world.hellotext.profiles["P1"]["first_name"] == "Ana"


async def test_the_latest_identification_counts(world):
    """Not the one that arrives last; and one that repeats is a duplicate."""
    await world.feed(a_customer("c1"), a_customer("c2"))
    await world.settle()
    late = an_identification(email="c2@shop.example", event="e2", at="2026-02-01T11:00:00Z")
    await world.tell(late)
    await world.tell(an_identification(email="c1@shop.example", at="2026-02-01T10:00:00Z"), late)
    await world.settle()
    assert world.hellotext.sessions == {"S1": world.at("c2").id}
    assert world.shard.fates()["duplicate"] == 1


async def test_a_customer_who_gets_an_email_gets_its_sessions(world):
    """An index by hash follows the customer's changes."""
    await world.tell(an_identification(email="new@shop.example"))
    await world.feed(a_customer())
    await world.settle()
    assert world.hellotext.sessions == {}
    await world.feed(a_customer(version=2, email="new@shop.example"))
    await world.settle()
    assert world.hellotext.sessions == {"S1": "P1"}


async def test_a_session_that_hellotext_does_not_know_yet_is_tried_again(world):
    """404 until its first event has arrived there (B2)."""
    world.hellotext.known_sessions = set()
    await world.feed(a_customer())
    await world.tell(an_identification(email="c1@shop.example"))
    await world.calls.once()
    await world.calls.once()
    world.hellotext.known_sessions = {"S1"}
    await world.settle()
    assert world.hellotext.sessions == {"S1": "P1"}


async def test_a_session_that_hellotext_never_knows_is_let_be(world):
    """404 is tolerated."""
    world.hellotext.known_sessions = set()
    await world.feed(a_customer())
    await world.tell(an_identification(email="c1@shop.example"))
    await world.settle()
    assert world.calls.statuses.count("rejected") == 5
    assert world.shard.dead_letters() == []


async def test_unmatched_identifications_are_forgotten_after_thirty_days(world):
    """And at once when they are taken back."""
    await world.tell(an_identification(email="c1@shop.example"), an_identification("S2", email="c2@shop.example"))
    await world.shard.feed(topics.PIXEL_IDENTITIES, (b"acme/S2", None))
    await world.feed(a_customer("c2"))
    world.shard.now += 31 * 86_400_000
    await world.feed(a_customer())
    await world.settle()
    assert world.hellotext.sessions == {}


async def test_an_own_id_counts_more_than_an_email(world):
    """A family shares an e-mail; nobody shares the shop's id."""
    await world.feed(a_customer("c1"), a_customer("c2"))
    await world.settle()
    said = an_identification(email="c1@shop.example").model_copy(
        update={"customer_hash": hash_value(SECRET, "customer", "c2")}
    )
    await world.tell(said)
    await world.settle()
    assert world.hellotext.sessions == {"S1": world.at("c2").id}
