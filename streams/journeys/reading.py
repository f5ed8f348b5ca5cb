"""From records to what they tell the facts; what cannot be read is known before anything is written."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from schemas.clock import to_ms
from schemas.events import InvalidEventError, decode
from schemas.pixel import CHECKOUT_STARTED, ORDER_PLACED
from schemas.vtex import group_of
from streams.engine.agent import Batch, Record, Shard
from streams.journeys import messages, orders
from streams.journeys.facts import Facts
from streams.journeys.hashes import Hashes, told
from streams.journeys.messages import Report
from streams.journeys.news import may_be_news
from streams.stores import Stores

Content = TypeVar("Content")
UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)


class Arrival(NamedTuple):
    """A landing; times in Unix milliseconds, `noted` is the browser's own note of the arrival."""

    campaign: str
    at: int
    channel: str | None
    noted: int | None


class Told(NamedTuple):
    """What a tracking event tells the facts.

    Attributes:
        session: whose event it is.
        at: when it happened, Unix milliseconds.
        hashes: of who sits before the browser.
        landing: an arrival from a campaign.
        order: the order that it acts on.
        cart: the order form whose checkout it begins.
        placed: what stands for the order until VTEX's is known (`orders.placed_facts`).
    """

    session: str | None
    at: int
    hashes: Hashes
    landing: Arrival | None
    order: str | None
    cart: str | None
    placed: list[Any] | None


class Books:
    """The facts of each store that a batch concerns."""

    def __init__(self, shard: Shard, stores: Stores) -> None:
        self._shard = shard
        self._stores = stores
        self._open: dict[str, Facts] = {}

    def of(self, store: str) -> Facts:
        """Return the facts of a store.

        Raises:
            NotYet: the store is not known yet.
        """
        facts = self._open.get(store)
        if facts is None:
            facts = self._open[store] = Facts(self._shard, self._stores.of(store))
        return facts


def read_event(record: Record) -> Told:
    """Return what a tracking event tells.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is unreadable.
    """
    envelope = decode(record.value)
    data = envelope["data"]
    at = to_ms(data.get("at") or envelope["time"])
    action = data.get("action") or ""
    order = group_of(data["order"]) if action.startswith("order.") and data.get("order") else None
    placed = orders.placed_facts(data, at) if order and action == ORDER_PLACED else None
    return Told(
        data.get("session") or None,
        at,
        told(data),
        _arrival(data.get("landing")),
        order,
        (data.get("order_form") or None) if action == CHECKOUT_STARTED else None,
        placed,
    )


def _arrival(landing: Mapping[str, Any] | None) -> Arrival | None:
    if not landing:
        return None
    noted = landing.get("observed_at")
    return Arrival(landing["campaign"], to_ms(landing["at"]), landing.get("channel"), to_ms(noted) if noted else None)


def read_report(record: Record) -> tuple[str, Report]:
    """Return a report and the message it is about.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is unreadable.
    """
    envelope = decode(record.value)
    return envelope["data"]["message"], messages.read_report(envelope["id"], envelope["data"])


def read_row(record: Record) -> dict[str, Any]:
    """Return the row that a compacted topic holds.

    Raises:
        ValueError: it is no JSON object.
    """
    row = orjson.loads(record.value or b"null")
    if not isinstance(row, dict):
        raise InvalidEventError("the value is not a JSON object")
    return row


def readable(
    batch: Batch, read: Callable[[Record], Content], records: Iterable[Record] | None = None
) -> list[tuple[Record, Content]]:
    """Return records with what they tell; the unreadable ones become dead letters.

    Args:
        batch: where they stand.
        read: how they are read.
        records: those to be read; all of the batch by default.
    """
    found = []
    for record in batch if records is None else records:
        try:
            found.append((record, read(record)))
        except UNREADABLE as error:
            reason = str(error) if isinstance(error, InvalidEventError) else f"unreadable: {type(error).__name__}"
            batch.dead(record, reason)
    return found


def events_of(batch: Batch) -> list[tuple[Record, Told]]:
    """Return the tracking events that may be news, with what they tell."""
    return readable(batch, read_event, [record for record in batch if may_be_news(record)])


def reports_of(batch: Batch) -> list[tuple[Record, tuple[str, Report]]]:
    """Return reports, with the messages they are about."""
    return readable(batch, read_report)
