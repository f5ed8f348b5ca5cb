"""Small random shops: few people, many coincidences (docs/kpis.md)."""

from datetime import date
from random import Random
from typing import Any

from schemas import topics
from schemas.clock import to_text
from schemas.events import encode
from schemas.personal import hash_value
from schemas.stores import Price, Rate
from schemas.topics import Topic
from tests.oracle.facts import HOUR, World
from tests.stores import a_store

NOW = 1_800_000_000_000
BASE = NOW - 20 * 24 * HOUR
SECRET = b"hash-secret-of-acme"
PHONES = ("+5511987654321", "+5511987654322", "+5511987654323")
CAMPAIGNS = ("spring", "summer/1")
ORDERS = ("1000000000001", "1000000000002", "1000000000003")
STATUSES = ("accepted", "sent", "delivered", "delivered", "seen", "clicked", "clicked", "failed")
SOURCES = (None, None, "hellotext", "HelloText ", "google", "(direct)", "")

Record = tuple[Topic, bytes, bytes]
Row = dict[str, Any]


def h(kind: Any, value: str) -> str:
    """Return the hash of a normal form."""
    return hash_value(SECRET, kind, value)


EMAILS = tuple(h("email", f"{name}@example.com") for name in "abc")
PHONE_HASHES = tuple(h("phone", phone) for phone in PHONES)


class Builder:
    """Makes a world from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.numbers = 0

    def maybe(self, chance: float, value: Any) -> Any:
        """Return the value, or None."""
        return value if self.random.random() < chance else None

    def at(self) -> int:
        """Return an instant: few hours of few days, so that many coincide."""
        return (
            BASE + self.random.choice((0, 1, 2, 2, 3, 4, 8, 9, 15)) * 24 * HOUR + self.random.randrange(0, 24, 3) * HOUR
        )

    def id(self) -> str:
        """Return an event id."""
        self.numbers += 1
        return f"e{self.numbers:03}"

    def world(self) -> World:
        """Return a world."""
        choice, some = self.random.choice, self.random.randrange
        prices = tuple(
            Price(channel=choice(("whatsapp", "sms")), country=choice((None, "BR", "CL")), price_micros=some(0, 90_000),
                  currency=choice(("BRL", "EUR")))
            for _ in range(some(3))
        )  # fmt: skip
        unique = {(price.channel, price.country): price for price in prices}
        rates = {
            (of, since): Rate(currency=of, rate=choice(("6.123456789", "5.5", "0.18")), since=since)
            for of in ("EUR", "USD")
            for since in (date(2026, 12, 1), date(2026, 12, 28))
            if some(2)
        }
        store = a_store(prices=tuple(unique.values()), rates=tuple(rates.values()))
        return World(
            store, SECRET,
            events=[self.event() for _ in range(some(14))],
            reports=[self.report() for _ in range(some(12))],
            requests=[self.request() for _ in range(some(3))],
            customers=[self.customer(version + 1) for version in range(some(6))],
            orders=[self.order(version + 1) for version in range(some(7))],
            campaigns=[self.campaign(name) for name in CAMPAIGNS if some(2)],
        )  # fmt: skip

    def event(self) -> Row:
        """Return a tracking event as the tracking agent passes it on."""
        choice, some = self.random.choice, self.random.random
        at = self.at()
        data: Row = {"store": "acme", "kind": "event", "session": choice(("s1", "s2", "s3")), "at": to_text(at)}
        if some() < 0.3:
            data[choice(("email_hash", "phone_hash", "customer_hash"))] = None
        for name, values in (
            ("email_hash", EMAILS), ("phone_hash", PHONE_HASHES), ("customer_hash", [h("customer", "c1")]),
        ):  # fmt: skip
            if some() < 0.2:
                data[name] = choice(values)
        kind = some()
        if kind < 0.4:
            noted = self.maybe(0.5, to_text(at + choice((0, HOUR))))
            landing = {"campaign": choice(CAMPAIGNS), "at": to_text(at), "channel": choice(("sms", None))}
            data["landing"] = landing | ({"observed_at": noted} if noted else {})
            data["action"] = "page.viewed"
        elif kind < 0.7:
            data["action"] = choice(("order.placed", "order.placed", "order.confirmed"))
            data["order"] = choice(ORDERS) + choice(("", "-01", "-02"))
            if some() < 0.7:
                data |= {"amount_minor": choice((1000, 2000)), "amount_currency": choice(("BRL", "BRL", "USD"))}
        elif kind < 0.85:
            data |= {"action": "checkout.started", "order_form": choice(("f1", "f2"))}
        else:
            data["action"] = "product.viewed"
        if some() < 0.05:
            del data["session"]
        return {"id": self.id(), "data": data, "time": to_text(at)}

    def report(self) -> Row:
        """Return a report."""
        choice = self.random.choice
        at = self.at()
        data = {
            "store": "acme", "message": choice(("m1", "m2", "m3")), "status": choice(STATUSES), "at": to_text(at),
            "received_at": to_text(at), "campaign": choice((*CAMPAIGNS, None)),
            "recipient": choice((*PHONE_HASHES[:2], None)), "channel": choice(("sms", "whatsapp", None)),
        }  # fmt: skip
        if self.random.random() < 0.15:
            data |= {
                "price_micros": choice((10_000, 33_333)),
                "currency": choice(("BRL", "EUR")),
                "parts": choice((1, 2)),
            }
        return {"id": self.id(), "data": {name: value for name, value in data.items() if value is not None}}

    def request(self) -> Row:
        """Return a request."""
        choice = self.random.choice
        return {
            "store": "acme", "message": choice(("m1", "m3")), "campaign": choice((*CAMPAIGNS, None)), "channel": "sms",
            "to": choice(PHONES), "text": "hi", "requested_at": to_text(self.at()),
        }  # fmt: skip

    def customer(self, version: int) -> Row:
        """Return a version of a customer; versions of all customers differ."""
        choice = self.random.choice
        return {
            "store": "acme", "customer": choice(("c1", "c2")), "version": version,
            "user_id": choice(("u1", "u2", None)),
            "email_hash": choice((*EMAILS, None)), "phone_hash": choice((*PHONE_HASHES, None)),
            "deleted": self.random.random() < 0.15, "replaced_by": self.maybe(0.1, "c2"),
        }  # fmt: skip

    def order(self, version: int) -> Row:
        """Return a version of an order."""
        choice = self.random.choice
        name = choice(ORDERS)
        source = choice(SOURCES)
        return {
            "store": "acme", "order": name, "order_ids": [f"{name}-01", *choice(([], [f"{choice(ORDERS)}-02"]))],
            "order_form_id": choice(("f1", "f2", None)),
            "state": choice(("placed", "invoiced", "cancelled", "replaced")),
            "created_at": to_text(self.at()), "currency": choice(("BRL", "BRL", "BRL", "USD")),
            "amount": choice((1000, 5000)), "cancelled": choice((0, 0, 500)), "refunded": choice((0, 300, 9000)),
            "marketing": None if source is None else {"utm_source": source, "utm_campaign": choice((*CAMPAIGNS, None))},
            "replaces": self.maybe(0.3, choice(ORDERS) + choice(("", "-01"))),
            "user_profile_id": choice(("U1", "u2", None)), "email_hash": choice((*EMAILS, None)),
            "phone_hash": choice((*PHONE_HASHES, None)), "version": version,
        }  # fmt: skip

    def campaign(self, name: str) -> Row:
        """Return an imported campaign."""
        some, day = self.random.randrange, self.at()
        return {
            "store": "acme", "campaign": name, "name": name, "channel": self.random.choice(("sms", "whatsapp", None)),
            "day": to_text(day)[:10], "recipients": self.maybe(0.6, some(50)), "deliveries": self.maybe(0.6, some(50)),
            "cost_micros": self.maybe(0.4, some(10**6)),
            "currency": self.maybe(0.5, self.random.choice(("BRL", "EUR"))),
        }  # fmt: skip


def records(world: World) -> list[Record]:
    """Return the world as records of its topics."""
    found: list[Record] = []
    envelope = {"type": "pixel.event", "store": "acme"}
    for event in world.events:
        key = topics.TRACKING_EVENTS.key("acme", event["data"].get("session") or event["id"])
        found.append((topics.TRACKING_EVENTS, key, encode({**envelope, **event})))
    for event in world.reports:
        key = topics.MESSAGE_REPORTS.key("acme", event["data"]["message"])
        found.append((topics.MESSAGE_REPORTS, key, encode({**envelope, **event, "time": event["data"]["at"]})))
    for topic, rows, name in (
        (topics.MESSAGE_REQUESTS, world.requests, "message"), (topics.VTEX_CUSTOMERS, world.customers, "customer"),
        (topics.VTEX_ORDERS, world.orders, "order"), (topics.CAMPAIGNS, world.campaigns, "campaign"),
    ):  # fmt: skip
        found += [(topic, topic.key("acme", row[name]), encode(row)) for row in rows]
    return found
