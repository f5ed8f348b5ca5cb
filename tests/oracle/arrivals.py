"""Small random shops as VTEX and pages tell them: what comes in before any agent has read it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, event
from schemas.stores import Price, Rate
from schemas.vtex import CUSTOMER_CHANGED, CUSTOMER_DELETED, ORDER_CHANGED
from streams.engine.testing import MemoryShard
from tests.oracle.facts import HOUR, World
from tests.oracle.worlds import CAMPAIGNS, EMAILS, ORDERS, PHONE_HASHES, PHONES, SECRET, Builder, Record, h, records
from tests.stores import a_store

DAY = 24 * HOUR
PLACES = (
    ("America/New_York", "USD", (2026, 11, 9)), ("America/Santiago", "CLP", (2026, 9, 15)),
    ("Australia/Lord_Howe", "KWD", (2026, 10, 13)), ("Africa/Cairo", "JPY", (2026, 5, 5)),
    ("Asia/Kathmandu", "BRL", (2026, 6, 1)),
)  # fmt: skip
"""A time zone, a currency, and a day soon after the clocks have changed there (in Kathmandu they never do)."""
ADDRESSES = ("a@example.com", "b@example.com")
DOCUMENTS = ("c1", "c2", "u1")
USERS = ("u1", "u2", None)


class Arrivals(Builder):
    """Makes the records of one seed; `store` and `now` say where and when."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.zone, self.currency, day = self.random.choice(PLACES)
        self.now = int((datetime(*day, 15, tzinfo=UTC)).timestamp() * 1000)
        currencies = (self.currency, "EUR")
        self.store = a_store(
            timezone=self.zone, currency=self.currency, click_window_hours=self.random.choice((168, 48)),
            prices=(Price(channel="sms", price_micros=35_001, currency=self.random.choice(currencies)),),
            rates=(Rate(currency="EUR", rate="6.123456789",
                        since=(datetime(*day, tzinfo=UTC) - timedelta(days=9)).date()),),
        )  # fmt: skip

    def at(self) -> int:
        """Return an instant: few hours of few days, so that many coincide, the days of the change among them."""
        return self.now - self.random.choice((1, 2, 2, 3, 7, 8, 8, 9, 10, 15)) * DAY + self.random.randrange(24) * HOUR

    def told(self) -> tuple[World, list[Record]]:
        """Return what needs no agent before attribution, and all records."""
        some = self.random.randrange
        world = World(
            self.store, SECRET, reports=[self.report() for _ in range(some(8))],
            requests=[self.request() for _ in range(some(2))],
            campaigns=[self.campaign(name) for name in CAMPAIGNS if some(2)],
        )  # fmt: skip
        found = records(world)
        found += [self._document() for _ in range(some(6))]
        found += [self._part() for _ in range(some(7))]
        found += [self._event() for _ in range(some(14))]
        return world, found

    def _vtex(self, kind: str, name: str, data: dict[str, Any], seen: int) -> Record:
        envelope = event(type=kind, source="poller", store="acme", data=data, time=seen, received=seen)
        return topics.VTEX_CHANGES, topics.VTEX_CHANGES.key("acme", name), encode(envelope)

    def _document(self) -> Record:
        choice, at, name = self.random.choice, self.at(), self.random.choice(DOCUMENTS)
        if self.random.random() < 0.2:
            return self._vtex(CUSTOMER_DELETED, name, {"customer_id": name, "read_by": "scan"}, at)
        data = {
            "customer_id": name, "user_id": choice(USERS), "source_version": to_text(at), "read_by": "scan",
            "email": choice((*ADDRESSES, None)), "phone": choice((*PHONES, None)),
        }  # fmt: skip
        return self._vtex(CUSTOMER_CHANGED, name, data, at + 1)

    def _part(self) -> Record:
        choice, at, order = self.random.choice, self.at(), self.random.choice(ORDERS)
        name, value = f"{order}-{choice(('01', '02'))}", choice((0, 1_250, 99_999, 100_050))
        data = {
            "order_id": name, "order_group": order, "value": value, "changes_value": choice((0, 0, -value, 7)),
            "status": choice(("handling", "invoiced", "canceled", "replaced")),
            "currency": choice((self.currency, self.currency, "EUR")) if order == ORDERS[0] else self.currency,
            "created_at": to_text(at), "changed_at": to_text(at + self.random.randrange(3) * DAY),
            "buyer": {"email": choice((*ADDRESSES, None)), "phone": choice((*PHONES, None)),
                      "user_profile_id": choice(USERS)},
            "marketing": choice((None, None, {"utm_source": "google"},
                                 {"utm_source": "hellotext", "utm_campaign": CAMPAIGNS[0]})),
            "returns": [{"invoice_number": choice("ab"), "value": choice((100, value, 2 * value))}],
            "order_form_id": choice(("f1", None)), "replaces": self.maybe(0.2, choice(ORDERS)),
        }  # fmt: skip
        return self._vtex(ORDER_CHANGED, name, data, at + 1)

    def _event(self) -> Record:
        """Return an event of a page or back end; without an id of its sender no two say the same."""
        choice, chance, at, name = self.random.choice, self.random.random, self.at(), self.id()
        data: dict[str, Any] = {
            "store": "acme", "kind": "event", "device": {}, "page": {}, "object": name,
            "action": choice(("page.viewed", "order.placed", "order.placed", "checkout.started")),
        }  # fmt: skip
        data |= {"session": choice(("s1", "s2", "s3"))} if chance() < 0.9 else {}
        for field, values in (
            ("email_hash", EMAILS[:2]), ("phone_hash", PHONE_HASHES), ("customer_hash", [h("customer", "u1")]),
        ):  # fmt: skip
            data |= {field: choice(values)} if chance() < 0.3 else {}
        if chance() < 0.5:
            data["utm"] = {"source": choice(("hellotext", "Hellotext", "google")), "campaign": choice(CAMPAIGNS)}
            data["utm"] |= {"observed_at": to_text(at + choice((0, -DAY, DAY)))} if chance() < 0.5 else {}
        if data["action"] == "order.placed":
            data |= {"order": choice(ORDERS) + choice(("", "-01"))}
            data |= {"amount": choice(("10.00", "0.125"))} if chance() < 0.8 else {}
        elif data["action"] == "checkout.started":
            data["order_form"] = "f1"
        data |= {"given_id": name} if chance() < 0.5 else {}
        data |= {"tracked_at": to_text(at + choice((-DAY, -1, DAY)))} if chance() < 0.5 else {}
        envelope = event(type="pixel.event", source="collector", store="acme", data=data, time=at, received=at, id=name)
        return topics.PIXEL_EVENTS, topics.PIXEL_EVENTS.key("acme", data.get("session", name)), encode(envelope)


def understood(world: World, shard: MemoryShard) -> World:
    """Return the world with what the agents before attribution have made of documents, orders and events."""
    rows = {
        topic.name: [orjson.loads(value) for _, value in shard.outputs(topic) if value is not None]
        for topic in (topics.VTEX_CUSTOMERS, topics.VTEX_ORDERS, topics.TRACKING_EVENTS)
    }
    return replace(
        world, customers=rows["vtex.customers"], orders=rows["vtex.orders"], events=rows["tracking.events"]
    )  # fmt: skip
