"""What of a record of `pixel.events` is an event, and what a dead letter says of the others."""

import orjson
import pytest

from streams.engine.agent import Poison, Record
from streams.tracking_rules.envelope import instant, read, store_name
from tests.unit.tracking.conftest import NOW

HASH = "0a" * 32


def record(data, **envelope):
    """Return a record of an event with these data."""
    told = {"specversion": "1.0", "id": "e", "source": "pixel", "type": "pixel.event", "store": "acme", **envelope}
    return Record(b"acme/S1", orjson.dumps({**told, "data": data}), 0, NOW)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"session": 1}, "session is a int"),
        ({"order": ["1"]}, "order is a list"),
        ({"page": "x"}, "page is a str"),
        ({"page": {"url": 1}}, "part of the event's page is no text"),
        ({"utm": {"source": []}}, "part of the event's utm is no text"),
        ({"device": {"agent": {}}}, "part of the event's device is no text"),
        ({"email_hash": "ana@shop.example"}, "email_hash is no hash"),
        ({"phone_hash": HASH + "0"}, "phone_hash is no hash"),
        ({"customer_hash": HASH.upper()}, "customer_hash is no hash"),
        ({"kind": "rumour"}, "kind, sender or consent"),
        ({"sent_by": "nobody"}, "kind, sender or consent"),
        ({"consent": "maybe"}, "kind, sender or consent"),
        ({"parameters": None}, "parameters are no object"),
        ({"amount_minor": 1}, "amount_minor is a int"),
        ({"landing": {}}, "landing is a dict"),
        ({"utm": {"observed_at": "soon"}}, "unreadable"),
    ],
)
def test_what_is_no_event_is_told(data, reason):
    """What it is, and never the value: it may be somebody's."""
    with pytest.raises(Poison, match=reason) as told:
        read(record(data), "acme")
    assert "ana" not in str(told.value)


@pytest.mark.parametrize(
    "data",
    [
        {"email_hash": HASH, "phone_hash": None, "session": None},
        {"page": {"url": None}, "parameters": {"a": [1]}, "unknown": {"x": 1}},
        {"kind": "identification", "sent_by": "app", "consent": "denied"},
        {"utm": {"observed_at": None}},
    ],
)
def test_what_is_an_event_stays_as_it_was_told(data):
    """What is absent or null is no fault, and what nobody knows yet is passed on."""
    assert read(record(data), "acme").data == {**data, "store": "acme"}


@pytest.mark.parametrize("envelope", [{"store": "other"}, {"id": ""}, {"id": 5}])
def test_an_event_of_another_store_or_of_no_id_is_none(envelope):
    """Its key names the store whose counts it would enter."""
    with pytest.raises(Poison):
        read(record({}, **envelope), "acme")


@pytest.mark.parametrize(
    ("told", "received", "text"),
    [
        (None, NOW, "2027-01-15T08:00:00.000Z"),
        ("2027-01-15T08:00:00.001Z", NOW + 1, "2027-01-15T08:00:00.001Z"),
        ("2027-01-15T09:00:00.001+01:00", NOW + 1, "2027-01-15T08:00:00.001Z"),
        ("2027-01-15T08:00:00.1000001", NOW + 100, "2027-01-15T08:00:00.100Z"),
    ],
)
def test_the_receipt_has_one_form(told, received, text):
    """The collector's; without one it is the record's own time."""
    event = read(record({}, **({} if told is None else {"receivedtime": told})), "acme")

    assert (event.received, event.at, event.received_text) == (received, received, text)


@pytest.mark.parametrize(
    ("text", "ms"),
    [("1970-01-01T00:00:00.001Z", 1), ("9999-12-31T23:59:59.999Z", 253_402_300_799_999)],
)
def test_the_first_and_the_last_instant(text, ms):
    """Between them each can be written again."""
    assert instant(text) == ms


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "x", None, 5])
def test_other_instants_are_none(text):
    """Before 1970 nobody had a shop."""
    with pytest.raises(Poison, match="an instant of the event is"):
        instant(text)


def test_a_key_names_a_store():
    """Else nobody's counts could hold the event."""
    assert store_name(b"acme") == "acme"
    with pytest.raises(Poison, match="names no store"):
        store_name(b"NO STORE")
