"""Short ways to tell one thing to the agents' topics, for examples that a person can follow."""

from typing import Any

from schemas import topics
from schemas.clock import to_text
from schemas.events import encode
from tests.oracle.worlds import NOW, Record, h

DAY = 86_400_000
HOUR = DAY // 24
PHONE = h("phone", "+5511987654321")
EMAIL = h("email", "a@example.com")


def event(session: str | None, at: int = NOW - DAY, id: str = "e1", **data: Any) -> Record:  # noqa: A002  CloudEvents' word
    """Return a tracking event."""
    told = {"store": "acme", "kind": "event", "at": to_text(at), **data} | ({"session": session} if session else {})
    envelope = {"id": id, "type": "pixel.event", "store": "acme", "time": to_text(at), "data": told}
    return topics.TRACKING_EVENTS, topics.TRACKING_EVENTS.key("acme", session or id), encode(envelope)


def landing(session: str, campaign: str = "spring", at: int = NOW - DAY, **data: Any) -> Record:
    """Return a landing that the browser noted."""
    told = {"campaign": campaign, "at": to_text(at), "observed_at": to_text(at)}
    return event(session, at, landing=told, **data)


def report(status: str, message: str = "m1", at: int = NOW - DAY, id: str | None = None, **data: Any) -> Record:  # noqa: A002  as above
    """Return a report of a message of the campaign spring to the one phone."""
    told = {
        "store": "acme", "message": message, "campaign": "spring", "recipient": PHONE, "status": status,
        "at": to_text(at), "received_at": to_text(at), **data,
    }  # fmt: skip
    envelope = {"id": id or f"{message}-{status}", "type": "message.report", "store": "acme", "time": to_text(at)}
    key = topics.MESSAGE_REPORTS.key("acme", message)
    return topics.MESSAGE_REPORTS, key, encode({**envelope, "data": told})


def order(name: str = "1000000000001", at: int = NOW, version: int = 1, **row: Any) -> Record:
    """Return VTEX's order."""
    told = {
        "store": "acme", "order": name, "order_ids": [f"{name}-01"], "state": "placed", "created_at": to_text(at),
        "currency": "BRL", "amount": 10_000, "version": version, **row,
    }  # fmt: skip
    return topics.VTEX_ORDERS, topics.VTEX_ORDERS.key("acme", name), encode(told)


def customer(name: str = "c1", version: int = 1, **row: Any) -> Record:
    """Return a customer."""
    told = {"store": "acme", "customer": name, "version": version, **row}
    return topics.VTEX_CUSTOMERS, topics.VTEX_CUSTOMERS.key("acme", name), encode(told)


def campaign(name: str = "spring", **row: Any) -> Record:
    """Return a campaign as imported."""
    told = {"store": "acme", "campaign": name, "name": name, "day": "2027-01-10", **row}
    return topics.CAMPAIGNS, topics.CAMPAIGNS.key("acme", name), encode(told)
