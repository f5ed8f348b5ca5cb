"""Which tracking events have to be read: whatever is marked as quiet would have told nothing."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import CONTENT_TYPE
from streams.engine.agent import Record
from streams.journeys.news import QUIET, is_news, may_be_news
from streams.journeys.reading import read_event

AT = "2026-11-26T10:00:00.000Z"
HASH = "a" * 64
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "action": st.sampled_from(
        ["page.viewed", "order.placed", "order.delivered", "checkout.started", "checkout.completed", "cart.added", ""]
    ),
    "session": st.sampled_from(["s1", ""]),
    "email_hash": st.just(HASH), "phone_hash": st.just(HASH), "customer_hash": st.just(HASH),
    "order": st.just("1001-01"), "order_form": st.just("form-1"), "amount_minor": st.integers(0, 10**6),
    "landing": st.just({"campaign": "C1", "at": AT, "channel": "sms"}),
    "page": st.just({"url": "https://shop.example/p?landing=order.placed"}),
}  # fmt: skip


@given(st.fixed_dictionaries({"kind": st.just("event"), "at": st.just(AT)}, optional=FIELDS))
def test_what_is_no_news_tells_nothing(data: dict[str, Any]) -> None:
    """An event that is marked as quiet holds no hash, landing, order or checkout, whatever else it says."""
    envelope = {"id": "e1", "type": "tracking.event", "store": "acme", "time": AT, "data": data}
    told = read_event(Record(b"acme/s1", orjson.dumps(envelope), 0, 0))
    tells = bool(told.hashes or told.landing or told.order or told.cart or told.placed)
    assert is_news(data) or not tells


def test_only_the_mark_saves_the_reading() -> None:
    """A record without the mark is read, whoever wrote it."""
    assert may_be_news(Record(b"acme/s1", b"{}", 0, 0))
    assert may_be_news(Record(b"acme/s1", b"{}", 0, 0, CONTENT_TYPE))
    assert not may_be_news(Record(b"acme/s1", b"{}", 0, 0, (*CONTENT_TYPE, QUIET)))
