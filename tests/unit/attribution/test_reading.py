"""What a tracking event tells the facts: only what it says, in the words of the tables."""

import pytest

from schemas.clock import to_ms
from schemas.events import encode
from streams.engine.agent import Record
from streams.journeys.reading import Arrival, Told, read_event

AT, SENT = "2027-01-15T08:00:00.000Z", "2027-01-15T09:00:00.000Z"
HASH = "0a" * 32


def told(**data):
    """Return what an event tells that was sent an hour after it happened."""
    envelope = {"id": "e1", "type": "tracking.event", "store": "acme", "time": SENT, "data": {"at": AT, **data}}
    return read_event(Record(b"acme/s1", encode(envelope), 0, 0))


NOTHING = Told(None, to_ms(AT), {}, None, None, None, None)
VALUE = {"amount_minor": 500, "amount_currency": "BRL"}


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        ({}, {}),
        ({"at": None}, {"at": to_ms(SENT)}),
        ({"session": "s1"}, {"session": "s1"}),
        ({"session": ""}, {}),
        ({"action": "order.placed", "order": "12-01", **VALUE},
         {"order": "12", "placed": [to_ms(AT), 500, "BRL"]}),
        ({"action": "order.placed", "order": "12-01"}, {"order": "12"}),
        ({"action": "order.delivered", "order": "12-01", **VALUE}, {"order": "12"}),
        ({"action": "cart.added", "order": "12-01", **VALUE}, {}),
        ({"action": "order.placed", **VALUE}, {}),
        ({"action": "checkout.started", "order_form": "f1"}, {"cart": "f1"}),
        ({"action": "checkout.started", "order_form": ""}, {}),
        ({"action": "cart.added", "order_form": "f1"}, {}),
        ({"landing": {"campaign": "c", "at": AT}}, {"landing": Arrival("c", to_ms(AT), None, None)}),
        ({"landing": {"campaign": "c", "channel": "sms", "at": SENT, "observed_at": AT}},
         {"landing": Arrival("c", to_ms(SENT), "sms", to_ms(AT))}),
    ],
)  # fmt: skip
def test_an_event_tells_what_it_says(data, changes):
    """An order by its group, where it acts on one; a cart where its checkout begins; a landing with its own note."""
    assert told(**data) == NOTHING._replace(**changes)
