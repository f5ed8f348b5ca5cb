"""Any order, any repetition, any bytes (DESIGN sections 3.6 and 3.7)."""

import asyncio
import contextlib
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.clock import to_text
from schemas.pixel import TrackingEvent
from streams.engine.agent import Poison
from streams.engine.agent import Record as Incoming
from streams.tracking_rules.envelope import read, store_name, write
from tests.unit.tracking.conftest import NOW, Agent, told

_U = {"source": "hellotext", "medium": "sms", "campaign": "C1"}
BODIES = st.fixed_dictionaries(
    {
        "session": st.sampled_from(["S1", "S2", "undefined"]),
        "action": st.sampled_from(["page.viewed", "cart.added", "order.placed", "checkout.started"]),
        "object": st.sampled_from(["o-1", "o-2"]),
    },
    optional={
        "event_id": st.sampled_from(["e-1", "e-2", "e-3", "e-4"]),
        "amount": st.sampled_from([10, 20]),
        "utm_params": st.sampled_from([_U, {**_U, "observed_at": to_text(NOW - 9)}]),
        "user_parameters": st.sampled_from([
            {"email": "ana@example.com"}, {"email": "eve@example.com"}, {"id": "u1"},
        ]),
        "url": st.sampled_from(["https://shop.example/a", "https://shop.example/b"]),
    },
)  # fmt: skip
# Each content at moments far apart: whether a chain of doubles two seconds apart is one or two depends on its order.
MOMENTS = st.integers(0, 5).map(lambda number: NOW - number * 10_000)


def facts(agent: Agent) -> dict[str, Any]:
    """What readers can know from `tracking.events`, whichever copy won."""
    events = agent.events
    orders: dict[str, set[str]] = {}
    notes: dict[tuple[str, ...], str] = {}
    for event in events:
        if event["action"] == "order.placed":
            orders.setdefault(event["order"], set()).update(
                str(event[name]) for name in ("session", "email_hash", "customer_hash") if name in event
            )
        if event.get("landing"):
            place = (event["session"], event["landing"]["campaign"], event["landing"].get("observed_at", ""))
            notes[place] = min(event["landing"]["at"], notes.get(place, "9"))
    noted = {place[:2] for place in notes if place[2]}
    views = sorted((e.get("session", ""), e["action"], e["at"], str(e.get("page"))) for e in events if not _natural(e))
    amounts = {e["order"]: min(x["at"] for x in events if x.get("order") == e["order"] and "amount_minor" in x)
               for e in events if e.get("order") and "amount_minor" in e}  # fmt: skip
    return {
        "views": views,
        "orders": orders,
        "people": {
            (e["session"], e[name])
            for e in events
            if "session" in e
            for name in ("email_hash", "customer_hash")
            if name in e
        },
        "carts": {e["order_form"] for e in events if e["action"] == "checkout.started"},
        "amounts": amounts,
        "landings": {place: at for place, at in notes.items() if place[2] or place[:2] not in noted},
    }


def _natural(event: dict[str, Any]) -> bool:
    return event["action"] in {"order.placed", "checkout.started"}


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_any_permutation_and_repetition_gives_the_same(data):
    """Ids are unique to a body here: which body of a conflict comes first is told by nothing but the order."""
    bodies = data.draw(st.lists(st.tuples(BODIES, MOMENTS), max_size=12))
    bodies = [
        (body if "event_id" not in body else {**body, "event_id": f"e-{n}"}, at) for n, (body, at) in enumerate(bodies)
    ]
    records = [told(body, received=at) for body, at in bodies]
    others = data.draw(
        st.permutations([*records, *data.draw(st.lists(st.sampled_from(records)) if records else st.just([]))])
    )
    first, second = Agent(), Agent()
    asyncio.run(first.feed(*records))
    cut = data.draw(st.integers(0, len(others)))
    asyncio.run(second.feed(*others[:cut]))
    asyncio.run(second.feed(*others[cut:]))

    assert facts(second) == facts(first)
    assert sum(second.shard.fates().values()) == len(others)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(BODIES, MOMENTS), max_size=20))
def test_nothing_is_dropped_in_silence(bodies):
    """Each record has one fate; a dead one is a conflict with its bytes kept; no id is written twice but to add."""
    agent = Agent()
    asyncio.run(agent.feed(*(told(body, received=at) for body, at in bodies)))

    fates = agent.shard.fates()
    assert sum(fates.values()) == len(bodies)
    assert {letter["reason"] for letter in agent.shard.dead_letters()} <= {"conflict"}
    assert len(agent.shard.dead_letters()) == fates.get("dead", 0)
    first_told = [envelope["id"] for envelope in agent.envelopes if not envelope["data"].get("supplement")]
    assert len(set(first_told)) == len(first_told)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20)
    | st.sampled_from(["2026-11-24T10:00:00.123Z", "undefined", "event", "page", "granted", "hellotext", "a" * 64]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
_NAMES = (
    "store", "kind", "action", "given_id", "session", "page", "utm", "email_hash", "identity_source", "amount",
    "currency", "object", "parameters", "order", "order_form", "tracked_at", "sent_by", "consent", "device", "at",
)  # fmt: skip
DATA = st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=8), JSON, max_size=10) | st.fixed_dictionaries(
    {"device": st.just({})},
    optional={
        "utm": st.dictionaries(st.sampled_from(["source", "campaign", "observed_at"]), st.text(max_size=30)),
        "page": st.dictionaries(st.sampled_from(["url", "referrer", "path"]), st.text(max_size=60)),
        "session": st.text(max_size=10), "action": st.sampled_from(["order.placed", "checkout.started", "x"]),
        "order": st.text(max_size=5), "order_form": st.text(max_size=5), "given_id": st.text(max_size=5),
        "amount": st.text(max_size=12), "currency": st.text(max_size=5), "parameters": st.dictionaries(
            st.just("object_parameters"), st.dictionaries(st.sampled_from(["amount", "items", "currency"]), JSON)
        ),
    },
)  # fmt: skip
ENVELOPES = st.fixed_dictionaries(
    {"id": st.text(max_size=8) | JSON, "type": JSON, "store": st.just("acme") | JSON, "data": DATA | JSON},
    optional={"receivedtime": st.just("2027-01-15T08:00:00.000Z") | JSON, "time": JSON},
)


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return b"{"


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60) | ENVELOPES.map(_dumped) | JSON.map(_dumped) | st.none())
@example(b"[" * 2000)
@example(
    _dumped(
        {"id": "i", "type": "t", "store": "acme", "data": {"device": {}, "tracked_at": "0001-01-01T00:00:00+23:00"}}
    )
)
@example(b'{"id":"i","type":"t","store":"acme","data":{"device":{},"parameters":' + b'{"a":' * 300 + b"1" + b"}" * 302)
def test_any_bytes_are_an_event_or_a_dead_letter(value):
    """The agent raises nothing; what it writes is what the model says (checked in `envelopes`)."""
    agent = Agent()
    turn = asyncio.run(agent.shard.feed(topics.PIXEL_EVENTS, (b"acme/S1", value)))

    assert sum(agent.shard.fates().values()) == 1
    assert len(agent.envelopes) == agent.shard.fates().get("counted", 0)
    assert turn.offsets == {"pixel.events": 1}


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_reading_raises_nothing_but_poison(key, value):
    """Neither of keys nor of values."""
    row = None
    with contextlib.suppress(Poison):
        row = write(read(Incoming(key, value, 0, NOW), store_name(key.partition(b"/")[0])))
    assert row is None or TrackingEvent.model_validate_json(row)


async def test_one_bad_record_stops_only_itself(page):
    """Whole batches are not run again for it, and those beside it are counted."""
    agent = Agent()
    bad = page()._replace(value=b"\xff")
    foreign = page()._replace(key=b"NO STORE/x")
    await agent.feed(page(), bad, foreign, page("cart.added"))

    assert agent.shard.fates() == {"counted": 2, "dead": 2}
    assert {letter["store"] for letter in agent.shard.dead_letters()} == {"acme", "unknown"}


async def test_a_record_that_is_too_large_leaves_no_trace(agent, page):
    """It is dead-lettered, and sent again smaller it is no repetition."""
    agent.shard._state.record_limit = 2_000
    await agent.feed(page("a.b", event_id="e", metadata={"x": "y" * 5_000}))
    agent.shard._state.record_limit = 1_000_000
    await agent.feed(page("a.b", event_id="e"))

    assert agent.shard.fates() == {"dead": 1, "counted": 1}


async def test_a_store_that_is_not_connected_waits_for_the_directory(agent):
    """Then its events are dead-lettered; the others of the batch are not."""
    body = {"session": "S1", "action": "page.viewed"}
    await agent.feed(told(body), told(body, store="stranger"))

    assert agent.shard.fates() == {"counted": 1, "dead": 1}
