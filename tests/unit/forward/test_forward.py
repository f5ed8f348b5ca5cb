"""The forward agent against a stand-in Hellotext: accepted events arrive there as a page would have sent them."""

import httpx
import orjson
import pytest

from connectors.kafka.dead_letters import obstacle
from schemas import topics
from schemas.fates import DeadLetter
from schemas.personal import hash_value
from streams import forward
from streams.engine.testing import MemoryShard
from streams.forward import MOST_WAITING, PATIENCE_MS, ForwardAgent
from streams.stores import Stores
from tests.destinations import Calls, StandInHellotext
from tests.stores import GivenDirectory, a_store

SECRET = b"hash-secret-of-acme"
AT = "2026-02-01T10:00:00.000Z"
EMAIL_HASH = hash_value(SECRET, "email", "ana@shop.example")
CUSTOMER_HASH = hash_value(SECRET, "customer", "u1")


class World:
    """A store, Hellotext, and the agent."""

    def __init__(self, **store):
        self.hellotext = StandInHellotext()
        self.directory = GivenDirectory(a_store(**store))
        stores = Stores(self.directory, lambda sealed: sealed)
        self.shard = MemoryShard([ForwardAgent(stores)])
        self.calls = Calls(self.shard, stores, self.hellotext.client())

    async def track(self, *events, session="S1"):
        """Feed events of the tracking agent; each is (id, data)."""
        rows = []
        for number, data in events:
            values = {"store": "acme", "session": session, "at": AT, "device": {}, **data}
            envelope = {"specversion": "1.0", "id": number, "source": "tracking", "type": "tracking.event", "time": AT,
                        "store": "acme", "receivedtime": AT, "data": values}  # fmt: skip
            rows.append((topics.TRACKING_EVENTS.key("acme", values["session"] or number), orjson.dumps(envelope)))
        await self.shard.feed(topics.TRACKING_EVENTS, *rows)

    async def say(self, event, session="S1", **values):
        """Feed the values that came with an event."""
        row = {"store": "acme", "session": session, "event_id": event, "received_at": AT, **values}
        key = topics.PIXEL_IDENTITIES.key("acme", session)
        await self.shard.feed(topics.PIXEL_IDENTITIES, (key, orjson.dumps(row)))

    def sent(self):
        """Return (path, body) of every request."""
        return [(path, body) for _, path, _, body in self.hellotext.requests]


@pytest.fixture
def world():
    """A store that forwards."""
    return World()


async def test_an_event_arrives_as_the_page_sent_it(world):
    """With the public id, `tracked_at`, the amount as a number, and parameters at the top level."""
    await world.track(("e1", {
        "action": "product.viewed", "object": "P1", "amount": "89.90", "currency": "BRL",
        "page": {"url": "https://shop.example/p", "path": "/p", "title": "T", "referrer": "https://x.example"},
        "utm": {"source": "hellotext", "medium": "sms", "campaign": "C1"},
        "parameters": {"object_parameters": {"reference": "P1"}, "session": "evil"},
    }))  # fmt: skip
    await world.calls.settle()
    assert world.hellotext.requests[0][:3] == ("POST", "/v1/track/events", "Bearer BID-acme")
    assert world.sent()[0][1] == {
        "session": "S1", "action": "product.viewed", "object": "P1", "amount": 89.9, "currency": "BRL",
        "page": {"url": "https://shop.example/p", "path": "/p", "title": "T"},
        "utm_params": {"source": "hellotext", "medium": "sms", "campaign": "C1"},
        "object_parameters": {"reference": "P1"}, "user_parameters": {}, "tracked_at": AT,
    }  # fmt: skip


@pytest.mark.parametrize("first", ["event", "values"])
async def test_an_identification_waits_for_its_values(world, first):
    """Whichever comes first; the checkout helper's names are its own."""
    event = ("e1", {"kind": "identification", "email_hash": EMAIL_HASH, "customer_hash": CUSTOMER_HASH})
    values = {"customer": "u1", "email": "ana@shop.example", "first_name": "Ana", "source": "vtex"}
    if first == "event":
        await world.track(event)
        assert world.shard.effects() == []
    await world.say("e1", **values)
    if first == "values":
        await world.track(event)
    await world.calls.settle()
    assert world.sent() == [("/v1/public/identifications", {
        "session": "S1", "user_id": "u1", "email": "ana@shop.example", "firstName": "Ana", "source": "vtex",
    })]  # fmt: skip


async def test_an_acknowledgement_is_passed_on(world):
    """With the campaign, and also without a session."""
    acknowledgement = {"kind": "acknowledgement", "utm": {"source": "hellotext"}}
    await world.track(("e1", acknowledgement), session=None)
    await world.track(("e2", acknowledgement))
    await world.calls.settle()
    body = {"utm_params": {"source": "hellotext"}, "at": AT}
    assert world.sent() == [("/v1/public/acks", body), ("/v1/public/acks", {**body, "session": "S1"})]


async def test_an_event_says_who_its_visitor_is(world):
    """By the values that came with it, or by those of the session's identification when the id is the same."""
    await world.say("e0", customer="u1", source="vtex", customer_hash=CUSTOMER_HASH)
    await world.track(
        ("e1", {"action": "page.viewed", "customer_hash": CUSTOMER_HASH}),
        ("e2", {"action": "page.viewed"}),
        ("e3", {"action": "page.viewed", "email_hash": EMAIL_HASH}),
    )
    await world.say("e3", email="ana@shop.example")
    await world.calls.settle()
    users = [body["user_parameters"] for _, body in world.sent()]
    assert users == [{"id": "u1", "source": "vtex"}, {}, {"email": "ana@shop.example"}]


async def test_values_that_never_come_do_not_hold_an_event_for_ever(world):
    """The event goes without; an identification without values tells nothing."""
    await world.track(("e1", {"action": "page.viewed", "email_hash": EMAIL_HASH}), ("e2", {"kind": "identification"}))
    await world.shard.tick(PATIENCE_MS)
    await world.calls.settle()
    assert [path for path, _ in world.sent()] == ["/v1/track/events"]
    assert world.shard.table(forward.WAITING) == {}


async def test_a_sessions_events_keep_their_order(world):
    """One lane for each session."""
    await world.track(*((f"e{number}", {"action": f"x.{number}"}) for number in range(5)))
    await world.track(("f1", {"action": "y.1"}), session="S2")
    assert {effect.key for effect in world.shard.effects()} == {"session/S1", "session/S2"}
    await world.calls.settle()
    actions = [body["action"] for _, body in world.sent()]
    assert [action for action in actions if action[0] == "x"] == [f"x.{number}" for number in range(5)]


class TestUncertain:
    """At most once after an uncertain answer, apart from order actions."""

    async def test_a_page_view_is_not_repeated_and_people_are_told(self, world):
        """It may have been stored, and would be stored twice."""
        world.hellotext.lost = 1.0
        await world.track(("e1", {"action": "page.viewed"}))
        assert not world.shard.effects()[0].repeatable
        await world.calls.settle()
        assert len(world.hellotext.events) == 1
        (letter,) = world.shard.dead_letters()
        assert letter["reason"] == "uncertain, so not repeated: Hellotext did not answer (ReadTimeout)"
        assert obstacle(DeadLetter.model_validate(letter)).startswith("Hellotext may have it already")

    async def test_an_order_is_repeated_until_it_has_arrived(self, world):
        """Hellotext stores one event for each order and action (B3)."""
        world.hellotext.lost = 1.0
        await world.track(("e1", {"action": "order.placed", "order": "1"}))
        for _ in range(4):
            await world.calls.once()
            world.shard.now += 1_000_000
        world.hellotext.heals()
        await world.calls.settle()
        assert len(world.hellotext.events) == 5
        assert (world.shard.dead_letters(), world.shard.table(forward.ORDERS)) == ([], {})

    @pytest.mark.parametrize("status", [302, 401])
    async def test_an_order_survives_a_refused_id(self, world, status):
        """Both are the connection's fault: the order waits for the right one."""
        world.hellotext.answers(status)
        await world.track(("e1", {"action": "order.placed"}))
        await world.calls.once()
        world.hellotext.heals()
        await world.calls.settle()
        assert len(world.hellotext.events) == 1

    async def test_a_refused_order_is_a_dead_letter(self, world):
        """422 will never succeed."""
        world.hellotext.answers(422)
        await world.track(("e1", {"action": "order.placed"}), ("e2", {"action": "order.placed"}), session="S1")
        await world.calls.settle()
        letters = [DeadLetter.model_validate(letter) for letter in world.shard.dead_letters()]
        assert [letter.letter for letter in letters] == ["forward/e1", "forward/e2"]
        # Each refers to its event, and so can be redriven once Hellotext takes it; no letter holds a copy.
        assert [(letter.topic, letter.partition, letter.offset) for letter in letters] == [
            ("tracking.events", world.shard.number, 0), ("tracking.events", world.shard.number, 1)
        ]  # fmt: skip
        assert [(letter.referred, letter.value, obstacle(letter)) for letter in letters] == [(True, None, None)] * 2

    async def test_an_event_that_waited_for_its_values_is_referred_to_as_well(self, world):
        """By its own place, not by that of what came meanwhile."""
        world.hellotext.answers(422)
        await world.track(("e1", {"action": "page.viewed", "email_hash": EMAIL_HASH}), ("e2", {"action": "x.y"}))
        await world.say("e1", email="ana@shop.example")
        await world.calls.settle()
        letters = {letter["letter"]: letter["offset"] for letter in world.shard.dead_letters()}
        assert letters == {"forward/e1": 0, "forward/e2": 1}

    async def test_a_refused_identification_says_why_it_cannot_be_sent_again(self, world):
        """Its values stand in no topic that keeps them, and in no letter."""
        world.hellotext.answers(422)
        await world.say("e1", email="ana@shop.example", external_id="u1")
        await world.track(("e1", {"kind": "identification", "email_hash": EMAIL_HASH}))
        await world.calls.settle()
        (row,) = world.shard.dead_letters()
        assert "the shop's page tells them again" in obstacle(DeadLetter.model_validate(row))
        assert "ana@" not in str(row)
        assert row["referred"] is False


class TestLeftOut:
    """Each with its fate and reason."""

    async def test_a_store_may_not_forward(self):
        """Where the page tells Hellotext itself."""
        world = World(forward=False)
        await world.say("e1", email="ana@shop.example")
        await world.track(("e1", {"action": "page.viewed"}))
        assert world.shard.effects() == []
        assert world.shard.fates() == {"filtered": 1}

    async def test_supplements_were_told_before(self, world):
        """An order told again for a new session."""
        await world.track(("e1", {"action": "order.placed", "supplement": True}))
        assert world.shard.fates() == {"filtered": 1}

    async def test_a_slow_hellotext_bounds_the_backlog(self, world):
        """What is new is left out, but never an order; it goes on when there is room."""
        await world.track(*((f"e{number}", {"action": "x.y"}) for number in range(MOST_WAITING + 10)))
        await world.track(("o1", {"action": "order.placed"}))
        assert len(world.shard.effects()) == MOST_WAITING + 1
        assert world.shard.fates()["filtered"] == 10

    async def test_a_refused_id_is_not_tried_with_every_event(self, world):
        """For five minutes events are left out."""
        world.hellotext.answers(401)
        await world.track(("e1", {"action": "x.y"}))
        await world.calls.settle()
        (letter,) = world.shard.dead_letters()
        assert "connect the store again" in letter["reason"]
        await world.track(("e2", {"action": "x.y"}))
        assert world.shard.fates()["filtered"] == 1
        world.shard.now += forward.CLOSED_MS
        await world.track(("e3", {"action": "x.y"}))
        assert len(world.shard.effects()) == 1

    async def test_what_is_no_event_is_a_dead_letter(self, world):
        """It stops only itself."""
        await world.shard.feed(topics.TRACKING_EVENTS, (b"acme/S1", b"[]"), (b"acme/S1", None))
        assert len(world.shard.dead_letters()) == 2


async def test_an_address_that_cannot_be_reached_is_tried_again(world):
    """A call that never arrived has changed nothing."""
    world.hellotext.raises(httpx.ConnectTimeout("no"))
    await world.track(("e1", {"action": "x.y"}))
    await world.calls.once()
    world.hellotext.heals()
    await world.calls.settle()
    assert len(world.hellotext.events) == 1
