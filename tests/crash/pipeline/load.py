"""What a chaos run of the real pipeline puts in: two shops' days, as collector, poller and vendors write them.

Few people, campaigns and orders, so that nearly every record meets others: landings before and after they are
identified, orders before their visits, repetitions, versions that come late. Nothing is due at a destination.
"""

import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.pixel.records import Sender, seal
from connectors.pixel.wire import read_acknowledgement, read_event, read_identification
from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, event
from schemas.personal import hash_value
from schemas.stores import Price, StoreConnection
from schemas.topics import Topic
from schemas.vtex import CUSTOMER_CHANGED, ORDER_CHANGED
from tests.stores import a_store

STORES = ("acme", "bravo")
CAMPAIGNS = ("spring", "summer", "winter")
PEOPLE = 60
SESSIONS = 300
HOUR_MS = 3_600_000
BROWSER = "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 Chrome/122.0 Mobile Safari/537.36"
BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HOPELESS = b'{"no": "event"}'

Put = tuple[Topic, bytes, bytes]


def connections() -> list[StoreConnection]:
    """Return the two stores, paused: no call is made, so a run without kills is a run in memory."""
    prices = (Price(channel="whatsapp", price_micros=62_500, currency="BRL"),)
    return [a_store(name, forward=False, paused=True, prices=prices) for name in STORES]


def _id(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


@dataclass
class Day:
    """The records of a run, from a seed.

    Attributes:
        seed: of everything random.
        now: Unix milliseconds at which it was received.
        size: visits, orders, reports and changes together, roughly.
        accepted: how many records each topic was given.
    """

    seed: int
    now: int
    size: int
    accepted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._sessions = [_id(self._chance) for _ in range(SESSIONS)]
        self._versions: defaultdict[str, int] = defaultdict(int)

    def records(self) -> Iterator[Put]:
        """Yield every record, one in twelve of them a second time later on."""
        late: list[Put] = []
        makers = [self._visit] * 12 + [self._report] * 4 + [self._customer] * 2 + [self._order] * 2 + [self._identity]
        for number in range(self.size):
            made = list(self._chance.choice(makers)(self._chance.choice(STORES)))
            if number % 701 == 13:
                made.append((topics.PIXEL_EVENTS, topics.PIXEL_EVENTS.key("acme", "x"), HOPELESS))
            for record in made:
                yield self._counted(record)
                # A record of a compacted topic is never put anew by its writer without being newer.
                if self._chance.random() < 1 / 12:
                    late.append(record)
            if late and self._chance.random() < 1 / 12:
                yield self._counted(late.pop(0))
        for record in late:
            yield self._counted(record)

    def _counted(self, record: Put) -> Put:
        self.accepted[record[0].name] += 1
        return record

    def _sealed(self, store: str, told: Any, agent: str = BROWSER) -> Iterator[Put]:
        secret = f"hash-secret-of-{store}".encode()
        sealed = seal(told, Sender(store, secret, "BR", "none", self.now, "203.0.113.0/24", agent))
        for record in (sealed.identity, sealed.event):
            if record is not None:
                yield topics.BY_NAME[record.topic], record.key, record.value

    def _moment(self) -> int:
        return self.now - self._chance.randrange(1, 96) * HOUR_MS

    def _visit(self, store: str) -> Iterator[Put]:
        chance = self._chance
        session, share = chance.choice(self._sessions), chance.random()
        utm = {"source": "hellotext", "medium": "sms", "campaign": chance.choice(CAMPAIGNS)}
        if share < 0.2:
            yield from self._sealed(store, read_acknowledgement(
                {"session": session, "utm_params": utm, "at": to_text(self._moment())}, None
            ))  # fmt: skip
            return
        body: dict[str, Any] = {
            "session": session, "tracked_at": to_text(self._moment()), "utm_params": utm if share < 0.4 else {},
            "page": {"url": f"https://shop.example/p/{chance.randrange(40)}", "title": "T"}, "action": "page.viewed",
        }  # fmt: skip
        if share > 0.9:
            who = chance.randrange(PEOPLE)
            body |= {"action": "order.placed", "amount": 89.9, "currency": "BRL",
                     "object_parameters": {"reference": f"{1_000_000 + chance.randrange(80)}"},
                     "user_parameters": {"email": f"p{who}@example.com"}}  # fmt: skip
        elif share > 0.7:
            body |= {"action": "product.viewed", "event_id": f"view-{chance.randrange(self.size)}"}
        yield from self._sealed(store, read_event(body, None), BOT if chance.random() < 0.03 else BROWSER)

    def _identity(self, store: str) -> Iterator[Put]:
        chance = self._chance
        who = chance.randrange(PEOPLE)
        body = {"session": chance.choice(self._sessions), "user_id": f"u{who}", "email": f"p{who}@example.com",
                "phone": _phone(who)}  # fmt: skip
        yield from self._sealed(store, read_identification(body, None))

    def _report(self, store: str) -> Iterator[Put]:
        chance = self._chance
        number = chance.randrange(120)
        status = chance.choice(("accepted", "sent", "delivered", "delivered", "seen", "clicked", "failed"))
        secret = f"hash-secret-of-{store}".encode()
        data = {
            "store": store, "message": f"m{number}", "campaign": CAMPAIGNS[number % len(CAMPAIGNS)],
            "channel": "whatsapp", "status": status, "at": to_text(self._moment()), "received_at": to_text(self.now),
            "recipient": hash_value(secret, "phone", _phone(number % PEOPLE)),
        }  # fmt: skip
        envelope = event(type="message.report", source="collector", store=store, data=data, time=self.now,
                         received=self.now, id=_id(chance))  # fmt: skip
        yield topics.MESSAGE_REPORTS, topics.MESSAGE_REPORTS.key(store, data["message"]), encode(envelope)

    def _customer(self, store: str) -> Iterator[Put]:
        chance = self._chance
        who = chance.randrange(PEOPLE)
        data = {
            "customer_id": f"c{who}", "user_id": f"u{who}", "source_version": self._version(store, who),
            "email": f"p{who}@example.com", "home_phone": _phone(who), "read_by": "search",
            "first_name": f"N{chance.randrange(4)}",
        }  # fmt: skip
        yield self._change(CUSTOMER_CHANGED, store, f"c{who}", data)

    def _order(self, store: str) -> Iterator[Put]:
        chance = self._chance
        number = chance.randrange(80)
        who, group = number % PEOPLE, f"{1_000_000 + number}"
        data = {
            "order_id": f"{group}-01", "order_group": group, "value": 10_000 + number, "currency": "BRL",
            "status": chance.choice(("payment-approved", "invoiced", "invoiced", "canceled")),
            "created_at": to_text(self.now - (number % 70) * HOUR_MS), "changed_at": self._version(store, f"o{number}"),
            "buyer": {"user_profile_id": f"u{who}", "email": f"p{who}@example.com", "phone": _phone(who)},
        }  # fmt: skip
        if chance.random() < 0.2:
            data["returns"] = [{"invoice_number": f"r{chance.randrange(2)}", "value": 1_500}]
        yield self._change(ORDER_CHANGED, store, data["order_id"], data)

    def _version(self, store: str, of: object) -> str:
        """Return the next time at which VTEX changed something."""
        self._versions[f"{store}/{of}"] += 1
        return to_text(self.now - HOUR_MS + self._versions[f"{store}/{of}"])

    def _change(self, kind: str, store: str, subject: str, data: dict[str, Any]) -> Put:
        envelope = event(type=kind, source="poller", store=store, data=data, time=self.now, received=self.now,
                         id=_id(self._chance))  # fmt: skip
        return topics.VTEX_CHANGES, topics.VTEX_CHANGES.key(store, subject), encode(envelope)


def _phone(who: int) -> str:
    return f"+55119{87_654_321 + who}"
