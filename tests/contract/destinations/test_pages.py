"""The scripted day's pages against contracts/hellotext CONTRACT A, through the collector's own reader."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.pixel.wire import Told, read_acknowledgement, read_event, read_identification
from sandbox.steps import Call
from tests.unit.sandbox.conftest import a_day

READERS = {"event": read_event, "acknowledgement": read_acknowledgement, "identification": read_identification}
KINDS = {"acks": "acknowledgement", "identifications": "identification", "events": "event"}


def bodies(call: Call) -> list[tuple[str, dict[str, Any]]]:
    """Kind and body of each thing that a call tells."""
    document = call.document
    if isinstance(document, str):  # a beacon: the same as the batch after it
        return []
    if "events" in document:
        return [(entry.get("kind", "event"), entry) for entry in document["events"]]
    return [(KINDS[call.path.rpartition("/")[2]], document)]


@pytest.fixture(scope="module")
def told() -> dict[str, list[Told]]:
    """What each session told; machines and those who refused consent left out, as the product must."""
    found: dict[str, list[Told]] = defaultdict(list)
    for story in DAY.stage.stories:
        for step in story.steps:
            if isinstance(step, Call) and "machines" not in step.counts:
                for kind, body in bodies(step):
                    read = READERS[kind](body)
                    if read.consent != "denied":
                        found[read.session or ""].append(read)
    return found


DAY = a_day(customers=60)


def at(ms: int) -> datetime:
    """An instant of the wire."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def test_landings_are_the_facts(told):
    """Each (session, campaign) is seen with its one `observed_at`, however often the cookie travels."""
    seen: dict[tuple[str, str], set[datetime]] = defaultdict(set)
    for session, bodies_ in told.items():
        for body in bodies_ if session else ():
            utm = body.utm or {}
            if utm.get("source") == "hellotext":
                seen[session, utm["campaign"]].add(at(utm["observed_at"]))
    facts = {(v.session, campaign): {when} for v in DAY.stage.facts.visits for campaign, when in v.landings.items()}

    assert seen == facts


def test_who_told_what_is_the_facts(told):
    """A session is somebody's just when an e-mail or a phone was told in it, and it is always the same person's."""
    people = {person.email: person.key for person in DAY.customers if person.email}
    by_session = {v.session: v.told for v in DAY.stage.facts.visits}
    for session, bodies_ in told.items():
        emails = {body.identity["email"].lower() for body in bodies_ if body.identity.get("email")}
        assert len(emails) <= 1
        assert bool(emails) is (by_session.get(session) is not None)
        if emails & people.keys():
            assert people[emails.pop()] == by_session[session]


def test_orders_and_carts_are_the_facts(told):
    """A session is joined to an order by its order-placed page or by the cart that became it."""
    carts = {}
    for story in DAY.stage.stories:
        for step in story.steps:
            if getattr(step, "method", "") == "place_order":
                carts[step.arguments[0]["orderFormId"]] = step.arguments[0]["orderGroup"]
    joined: dict[str, set[str]] = defaultdict(set)
    for session, bodies_ in told.items():
        for body in bodies_:
            group = body.order or (carts.get(body.order_form) if body.action == "checkout.started" else None)
            if group:
                joined[group].add(session)
    facts = {p.group: set(p.sessions) for p in DAY.stage.facts.purchases if p.sessions}

    assert joined == facts


def test_a_first_visit_of_the_original_client_acknowledges_twice(told):
    """The first time without its session (A3.2)."""
    assert any(body.kind == "acknowledgement" for body in told[""])
    assert all(body.kind == "acknowledgement" for body in told[""])


def test_events_lie_in_the_past_and_in_order(told):
    """Nothing claims to come from the future, and a browser's clock never goes back."""
    now = DAY.stage.scene.now
    for bodies_ in told.values():
        times = [body.tracked_at for body in bodies_ if body.kind == "event"]
        assert times == sorted(times)
        assert all(at(time) <= now for time in times)


def test_amounts_are_in_major_units(told):
    """As documented (A6): the ledger's hundredths divided by a hundred."""
    values = {p.group: p.hundredths / 100 for p in DAY.stage.facts.purchases}
    placed = [body for bodies_ in told.values() for body in bodies_ if body.action == "order.placed"]

    assert placed
    assert all(float(body.amount) == values[body.order] and body.currency == "BRL" for body in placed)
