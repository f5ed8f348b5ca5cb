"""A store, its destinations and the profiles agent, in memory, with the product's own clients and handlers."""

import pytest

from schemas import topics
from schemas.personal import hash_value
from schemas.pixel import Identification
from schemas.profiles import ProfileState
from schemas.stores import InfobipAccess
from schemas.vtex import Customer
from streams.engine.testing import MemoryShard
from streams.profiles import ProfilesAgent
from streams.stores import Stores
from tests.destinations import Calls, StandInHellotext
from tests.stores import GivenDirectory, a_store

INFOBIP = InfobipAccess(url="http://infobip.test", api_key="key")
SECRET = b"hash-secret-of-acme"


def a_customer(customer="c1", version=1, *, day=1, **changes):
    """Return a customer of the store; `day` is when VTEX changed it."""
    values = {
        "store": "acme", "customer": customer, "version": version, "source_version": f"2026-01-{day:02d}T00:00:00Z",
        "email": f"{customer}@shop.example", "first_name": "Ana", "updated_at": "2026-02-01T00:00:00Z", **changes,
    }  # fmt: skip
    email, phone = values.get("email"), values.get("phone")
    values.setdefault("email_hash", hash_value(SECRET, "email", email) if email else None)
    values.setdefault("phone_hash", hash_value(SECRET, "phone", phone) if phone else None)
    return Customer(**values)


def an_identification(session="S1", event="e1", at="2026-02-01T10:00:00Z", **values):
    """Return what a session told."""
    hashes = {f"{kind}_hash": hash_value(SECRET, kind, value) for kind, value in values.items()}
    return Identification(store="acme", session=session, event_id=event, received_at=at, **values, **hashes)


class World:
    """Everything together."""

    def __init__(self, hellotext=None, **store):
        self.hellotext = hellotext or StandInHellotext()
        self.directory = GivenDirectory(a_store(**store))
        self.stores = Stores(self.directory, lambda sealed: sealed)
        self.shard = MemoryShard([ProfilesAgent(self.stores)])
        self.calls = Calls(self.shard, self.stores, self.hellotext.client())

    def connect(self, **store):
        """Change the store's connection."""
        self.directory.put(a_store(**store))

    async def feed(self, *customers):
        """Feed customers' states in one batch."""
        rows = [(topics.VTEX_CUSTOMERS.key("acme", one.customer), one.model_dump_json().encode()) for one in customers]
        await self.shard.feed(topics.VTEX_CUSTOMERS, *rows)

    async def forget(self, customer):
        """Feed a customer's tombstone."""
        await self.shard.feed(topics.VTEX_CUSTOMERS, (topics.VTEX_CUSTOMERS.key("acme", customer), None))

    async def tell(self, *identifications):
        """Feed what sessions told."""
        rows = [
            (topics.PIXEL_IDENTITIES.key("acme", one.session), one.model_dump_json().encode())
            for one in identifications
        ]
        await self.shard.feed(topics.PIXEL_IDENTITIES, *rows)

    async def settle(self):
        """Make calls until none waits."""
        await self.calls.settle()

    def state(self, customer="c1"):
        """Return a customer's last published state; None when it was removed or never published."""
        key = topics.PROFILES.key("acme", customer)
        last = [value for found, value in self.shard.outputs(topics.PROFILES) if found == key]
        return ProfileState.model_validate_json(last[-1]) if last and last[-1] is not None else None

    def at(self, customer="c1", destination="hellotext"):
        """Return where a customer stands at a destination."""
        return self.state(customer).destinations[destination]


@pytest.fixture
def world():
    """A store that is connected to Hellotext alone."""
    return World()
