"""What pages tell, through the collector's own code into the agent in memory."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from connectors.pixel.records import Record, Sender, seal
from connectors.pixel.wire import read_acknowledgement, read_event, read_identification
from schemas import topics
from schemas.events import CloudEvent
from schemas.pixel import TrackingEvent
from streams.engine.testing import MemoryShard
from streams.stores import Stores
from streams.tracking import TrackingAgent
from tests.stores import GivenDirectory, a_store

NOW = 1_800_000_000_000
SECRET = b"hash-secret-of-acme"
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0 Mobile Safari/537.36"
)
READERS: dict[str, Callable[..., Any]] = {
    "event": read_event,
    "acknowledgement": read_acknowledgement,
    "identification": read_identification,
}


def told(
    body: dict[str, Any], kind: str = "event", *, received: int = NOW, agent: str | None = PHONE, **sender: Any
) -> Record:
    """The record of `pixel.events` that the collector makes of a body."""
    facts = {"store": "acme", "secret": SECRET, "country": "BR", "privacy": "none", "network": "203.0.113.0/24"}
    return seal(READERS[kind](body), Sender(received=received, user_agent=agent, **{**facts, **sender})).event


class Agent:
    """The agent on one shard, and what came out of it."""

    def __init__(self, **store: Any) -> None:
        self._directory = GivenDirectory(a_store(**store))
        self.shard = MemoryShard([TrackingAgent(Stores(self._directory, str))], now=NOW)

    def connect(self, store: str) -> None:
        """Connect one store more."""
        self._directory.put(a_store(store))

    async def feed(self, *records: Record, at: int | None = None) -> list[dict[str, Any]]:
        """Process records in one turn; return what was sent for them."""
        before = len(self.events)
        self.shard.now = self.shard.now if at is None else at
        await self.shard.feed(topics.PIXEL_EVENTS, *((record.key, record.value) for record in records))
        return self.events[before:]

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        """Everything in `tracking.events`; each row is what its model and its key promise."""
        found = []
        for key, value in self.shard.outputs(topics.TRACKING_EVENTS):
            event = CloudEvent[TrackingEvent].model_validate_json(value or b"")
            assert key == f"{event.store}/{event.data.session or event.id}".encode()
            assert event.time == event.data.at
            found.append(orjson.loads(value or b""))
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        """Their data."""
        return [envelope["data"] for envelope in self.envelopes]

    @property
    def reasons(self) -> list[str | None]:
        """Why events were not counted, in order."""
        fates = [orjson.loads(value or b"") for _, value in self.shard.outputs(topics.EVENT_FATES)]
        return [one["reason"] or one["fate"] for row in fates for one in row["uncounted"]]


@pytest.fixture
def agent() -> Agent:
    """An agent of one connected store in Brazil."""
    return Agent()


@pytest.fixture
def make_agent() -> Callable[..., Agent]:
    """Make an agent whose store has chosen otherwise."""
    return Agent


@pytest.fixture
def page() -> Callable[..., Record]:
    """Make what a page tells: a view of one page in one session, unless said otherwise."""

    def make(action: str = "page.viewed", *, received: int = NOW, agent: str | None = PHONE, **body: Any) -> Record:
        document = {"session": "S1", "action": action, "page": {"url": "https://shop.example/", "path": "/"}, **body}
        kept = {name: value for name, value in document.items() if value is not None}
        return told(kept, received=received, agent=agent)

    return make
