"""A whole worker's agents in memory, its destinations, and the command's own eyes looking at all of it."""

from types import SimpleNamespace

import orjson
import pytest

from connectors.privacy import reading
from connectors.privacy.finding import find
from connectors.privacy.forgetting import parts
from connectors.privacy.reading import Shard
from connectors.privacy.remains import look
from connectors.privacy.traces import Traces
from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, event
from schemas.personal import hash_value
from schemas.stores import InfobipAccess
from schemas.vtex import CUSTOMER_CHANGED, ORDER_CHANGED
from streams.engine.testing import MemoryShard
from streams.pipeline import agents
from streams.stores import Stores
from tests.destinations import Calls, StandInHellotext, StandInInfobip
from tests.stores import GivenDirectory, a_store

SECRET = b"hash-secret-of-acme"
NOW = 1_800_000_000_000
ANA = {"email": "ana@shop.example", "phone": "+5511987654321"}
C, U, S = "3f2c0a1e-ana", "7d1b-user-ana", "5e55-1011-ana"


class Both:
    """Hellotext and Infobip behind one client."""

    def __init__(self):
        self.hellotext, self.infobip = StandInHellotext(), StandInInfobip()

    def __call__(self, request):
        return (self.infobip if request.url.host == "infobip.test" else self.hellotext)(request)


class House:
    """A store, its worker, its destinations."""

    def __init__(self, monkeypatch):
        self.both = Both()
        infobip = InfobipAccess(url="http://infobip.test", api_key="key", sms_sender="Acme")
        self.directory = GivenDirectory(a_store(infobip=infobip))
        self.stores = Stores(self.directory, lambda sealed: sealed)
        self.shard = MemoryShard(agents(self.stores), now=NOW)
        client = self.both.hellotext.client()
        client._transport.handler = self.both
        self.calls = Calls(self.shard, self.stores, client)
        self.number = 0
        self.compacted = False
        """Whether Kafka has removed what later records replace."""
        monkeypatch.setattr(reading, "records_of", self._records_of)

    async def _records_of(self, shard, names):
        for name in names:
            if name.startswith("streams."):
                log = self.shard._changelogs[name.removeprefix("streams.").removesuffix("-changelog")]
            elif name in self.shard._inputs:
                log = self.shard._inputs[name]
            else:
                log = [
                    SimpleNamespace(key=key, value=value, offset=at, timestamp=self.shard.now)
                    for at, (key, value) in enumerate(self.shard.outputs(topics.BY_NAME[name]))
                ]
            records = list(log)
            if self.compacted and (name not in topics.BY_NAME or "compact" in topics.BY_NAME[name].cleanup):
                records = [one for one in {record.key: record for record in records}.values() if one.value is not None]
            for record in records:
                yield name, record

    @property
    def place(self):
        """The shard as the command sees it."""
        return Shard(None, "acme", 0, tuple(topics.BY_NAME), tuple(sorted(self.shard._line.tables)))

    def put(self, topic, key, value):
        """Put a record; None is a tombstone."""
        self.shard.put(topic, topic.key("acme", *key.split("/")), value)

    def envelope(self, kind, data, **more):
        """Return an event of ours."""
        self.number += 1
        return encode(event(type=kind, source="test", store="acme", data=data, time=self.shard.now,
                            received=self.shard.now, id=more.get("id", f"e{self.number}")))  # fmt: skip

    def customer(self, customer=C, day=1, **fields):
        """VTEX shows a customer."""
        data = {"customer_id": customer, "source_version": f"2026-01-{day:02d}T00:00:00.0000000Z", "read_by": "scan"}
        self.put(topics.VTEX_CHANGES, customer, self.envelope(CUSTOMER_CHANGED, data | fields))

    def order(self, order="1415", user=U, value=10_000, status="invoiced", minutes=0, **buyer):
        """VTEX shows an order."""
        at = to_text(self.shard.now + minutes * 60_000)
        data = {
            "order_id": f"{order}-01", "order_group": order, "status": status, "created_at": to_text(NOW + 3_600_000),
            "changed_at": at, "value": value, "currency": "BRL", "buyer": {"user_profile_id": user, **buyer},
        }  # fmt: skip
        self.put(topics.VTEX_CHANGES, f"{order}-01", self.envelope(ORDER_CHANGED, data))

    def hashes(self, **values):
        """Return hashes of values, as the collector makes them."""
        return {f"{kind}_hash": hash_value(SECRET, kind, value) for kind, value in values.items()}

    def page(self, session=S, action="page.viewed", **data):
        """A page tells something."""
        data = {"store": "acme", "kind": "event", "action": action, "session": session, "sent_by": "page",
                "device": {"user_agent": "Mozilla/5.0 (Windows NT 10.0)"}, **data}  # fmt: skip
        self.put(topics.PIXEL_EVENTS, session, self.envelope("pixel.event", data))

    def identify(self, session=S, **values):
        """A page tells who somebody is."""
        hashes = self.hashes(**values)
        name = f"i{self.number}"
        row = {"store": "acme", "session": session, "event_id": name, "received_at": to_text(self.shard.now)}
        self.put(topics.PIXEL_IDENTITIES, session, orjson.dumps(row | values | hashes))
        data = {"store": "acme", "kind": "identification", "session": session, "device": {}, **hashes}
        self.put(topics.PIXEL_EVENTS, session, self.envelope("pixel.identification", data, id=name))

    def message(self, message="offer.m1", to=ANA["phone"]):
        """Somebody asks for a message to be sent."""
        row = {"store": "acme", "message": message, "campaign": "offer", "channel": "sms", "to": to, "text": "Oi Ana",
               "requested_at": to_text(self.shard.now)}  # fmt: skip
        self.put(topics.MESSAGE_REQUESTS, message, orjson.dumps(row))

    def report(self, message="offer.m1", status="delivered", phone=ANA["phone"]):
        """A vendor reports."""
        data = {"store": "acme", "message": message, "campaign": "offer", "channel": "sms", "status": status,
                "at": to_text(self.shard.now), "received_at": to_text(self.shard.now),
                "recipient": hash_value(SECRET, "phone", phone)}  # fmt: skip
        self.put(topics.MESSAGE_REPORTS, message, self.envelope("message.report", data, id=f"{message}-{status}"))

    async def settle(self):
        """Let everything run to its end, calls too."""
        for _ in range(10):
            await self.shard.settle()
            await self.calls.settle()
            if not self.shard.waiting:
                return

    def traces(self, **asked):
        """Return who is asked for."""
        traces = Traces("acme", SECRET, "BR")
        traces.ask(**{name: [value] for name, value in asked.items()})
        return traces

    async def look(self, **asked):
        """Find a person; return who they are and what stands of them."""
        traces = self.traces(**asked)
        await find(self.place, traces)
        return traces, await look(self.place, traces)

    async def ask(self, traces, remains, request="r1"):
        """Ask for an erasure, as the command does."""
        for number, row in enumerate(parts(self.place, traces, remains, request)):
            self.put(topics.PRIVACY_REQUESTS, f"{row.request}/{number}", row.model_dump_json().encode())

    async def forget(self, rounds=3, **asked):
        """Do all that the command does; return who it was and what is left."""
        traces, remains = await self.look(**asked)
        for _ in range(rounds):
            await self.ask(traces, remains)
            await self.settle()
            await find(self.place, traces)
            remains = await look(self.place, traces)
            if not remains.standing("erased"):
                break
        return traces, remains

    def redriven(self, letter):
        """A dead letter has been redriven: its record is gone."""
        self.shard.sent[topics.DEAD_LETTERS.name].append((letter, None, ()))

    def cells(self):
        """Return the figures that stand, by key."""
        found = dict(self.shard.outputs(topics.KPI_CAMPAIGNS))
        rows = {key: orjson.loads(value) for key, value in found.items() if value is not None}
        return {key: {name: one for name, one in row.items() if name != "updated_at"} for key, row in rows.items()}

    def latest(self, topic):
        """Return the last record of each key, tombstones left out."""
        log = self.shard._inputs.get(topic.name)
        pairs = [(one.key, one.value) for one in log] if log is not None else self.shard.outputs(topic)
        return {key: orjson.loads(value) for key, value in dict(pairs).items() if value is not None}


@pytest.fixture
def house(monkeypatch):
    """A store with everything around it."""
    return House(monkeypatch)


@pytest.fixture
async def lived(house):
    """The same after a customer has got a message, visited, identified herself and bought."""
    house.customer(email="Ana@Shop.example", home_phone="(11) 98765-4321", first_name="Ana", user_id=U)
    house.message()
    await house.settle()
    house.report()
    await house.settle()
    house.shard.now += 600_000
    house.page(utm={"source": "hellotext", "medium": "sms", "campaign": "offer"})
    house.identify(email=ANA["email"], customer=C)
    house.page(action="checkout.started", order_form="cart1")
    await house.settle()
    house.shard.now += 3_600_000
    house.order(email=ANA["email"], phone="11 98765-4321")
    await house.settle()
    return house
