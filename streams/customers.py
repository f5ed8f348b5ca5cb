"""Customers: from what the poller read to the last state of each customer (`vtex.customers`).

In come customer documents, in any order and more than once, most of them without any news: VTEX moves a document's
time with every visit (contracts/vtex NOTES 2.5). Out goes a row for each change of a field that somebody mapped. What
changes nothing is a duplicate.

Orders are the second source: a buyer whom no document shows (NOTES 2.3, 2.5) becomes a provisional customer, replaced
as soon as a document of theirs appears. The orders agent accounts for those events; this one passes them.
"""

from typing import Any, Final

from pydantic import ValidationError

from schemas import topics
from schemas.clock import to_text
from schemas.events import InvalidEventError, decode, encode
from schemas.personal import normal_customer
from schemas.stores import VtexAccess
from schemas.vtex import CUSTOMER_CHANGED, CUSTOMER_DELETED, ORDER_CHANGED, CustomerDeleted, CustomerRead, OrderRead
from streams.engine.agent import Agent, Batch, NotYet, Poison, Record, Shard, Table
from streams.models import wrong_fields
from streams.stores import KnownStore, Stores
from streams.suppressions import FORGOTTEN, SUPPRESSED, Suppressed
from streams.vtex_rules.customer import place_of, told_by, told_by_order
from streams.vtex_rules.customer_book import CustomerBook
from streams.vtex_rules.customer_links import Links
from streams.vtex_rules.versions import read_at, ticks, version_of

CUSTOMERS: Final = Table("customers", disk=True)
"""`store/customer`: its state (streams/vtex_rules/customer.py)."""
LINKS: Final = Table("customers.links", disk=True)
"""`store/kind/identifier`: who ever had it (streams/vtex_rules/customer_links.py)."""


class CustomersAgent(Agent):
    """`vtex.changes` in, `vtex.customers` out.

    Args:
        stores: the connected stores.
    """

    name = "customers"
    inputs = (topics.VTEX_CHANGES,)
    tables = (CUSTOMERS, LINKS, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._asked: set[str] = set()
        """Stores that only an order named, and that the directory was asked to look for: once is enough, since the
        orders agent, which accounts for the order, asks as well."""

    def process(self, batch: Batch, shard: Shard) -> None:
        """Take in what was read of customers, and who bought."""
        suppressed = Suppressed(shard)
        for record in batch:
            if record.value is None:
                batch.filtered(record, "", "tombstone")
                continue
            envelope = _decoded(record)
            if envelope["type"] == ORDER_CHANGED:
                self._bought(record.store, envelope, shard, suppressed)
                batch.passed(record)
            elif self._forgotten(record.store, envelope, suppressed):
                batch.filtered(record, str(envelope["id"]), FORGOTTEN)
                shard.send(topics.VTEX_CHANGES, record.key, None)
            elif not self._changed(record.store, envelope, shard):
                batch.duplicate(record, str(envelope["id"]))

    def _forgotten(self, store: str, envelope: dict[str, Any], suppressed: Suppressed) -> bool:
        """Say whether a customer event is of somebody who was forgotten; whether it can be read is said elsewhere."""
        if not suppressed.concerns(store):
            return False
        known, data = self._stores.of(store), envelope["data"]
        better = [known.hash("customer", normal_customer(data.get(name))) for name in ("customer_id", "user_id")]
        try:
            told = told_by(CustomerRead.model_validate(data), known.connection.country, known.hash)
        except ValidationError:
            return suppressed.has(store, *better)
        return suppressed.has(store, *better) or suppressed.person(
            store, phone=told.get("phone_hash"), better=(told.get("email_hash"),)
        )

    def _changed(self, store: str, envelope: dict[str, Any], shard: Shard) -> bool:
        """Take in a customer event and return whether it changed anything."""
        known = self._stores.of(store)
        book = _book(store, shard)
        try:
            if envelope["type"] == CUSTOMER_CHANGED:
                self._read(book, known, envelope)
            elif envelope["type"] == CUSTOMER_DELETED:
                gone = CustomerDeleted.model_validate(envelope["data"])
                book.gone(_id(gone.customer_id), ticks(read_at(envelope)))
            else:
                raise Poison("the event's type is none of vtex.changes")
        except ValidationError as error:
            raise Poison(f"unreadable {envelope['type']}: {wrong_fields(error)}") from None
        return _publish(book, store, shard)

    @staticmethod
    def _read(book: CustomerBook, known: KnownStore, envelope: dict[str, Any]) -> None:
        data = envelope["data"]
        read = CustomerRead.model_validate(data)
        told = told_by(read, known.connection.country, known.hash, _nulls_erase(known.connection.vtex))
        at = version_of(read.source_version, read_at(envelope), data)
        book.read(_id(read.customer_id), told, place_of(read), read.source_version, at)

    def _bought(self, store: str, envelope: dict[str, Any], shard: Shard, suppressed: Suppressed) -> None:
        """Learn of an order's buyer; whatever is wrong with the event is the orders agent's to say."""
        try:
            order = OrderRead.model_validate(envelope["data"])
            known = self._stores.of(store)
        except ValidationError:
            return
        except NotYet:
            if store in self._asked:
                return
            self._asked.add(store)
            raise
        self._asked.discard(store)
        told = told_by_order(order.buyer, order.newsletter_opt_in, known.connection.country, known.hash)
        if told and not suppressed.buyer(known, told):
            source = str(envelope["data"]["changed_at"])
            book = _book(store, shard)
            book.bought(told, source, version_of(source, read_at(envelope), envelope["data"]))
            _publish(book, store, shard)


def _nulls_erase(vtex: VtexAccess) -> tuple[str, ...]:
    """Return the fields whose null tells something: of an opt-in in another entity it may not have been looked at."""
    if vtex.opt_in_entity is None:
        return vtex.nulls_erase
    return tuple(name for name in vtex.nulls_erase if name != "newsletter_opt_in")


def _decoded(record: Record) -> dict[str, Any]:
    try:
        return decode(record.value)
    except InvalidEventError as error:
        raise Poison(str(error)) from None


def _id(told: str) -> str:
    customer = normal_customer(told)
    if customer is None:
        raise Poison("the event names no customer")
    return customer


def _book(store: str, shard: Shard) -> CustomerBook:
    return CustomerBook(shard.table(CUSTOMERS), Links(shard.table(LINKS), store), store)


def _publish(book: CustomerBook, store: str, shard: Shard) -> bool:
    """Send the rows that changed and return whether there were any."""
    news = False
    for customer, content in book.rows():
        row = {"store": store, "customer": customer, **content, "updated_at": to_text(shard.now)}
        shard.send(topics.VTEX_CUSTOMERS, topics.VTEX_CUSTOMERS.key(store, customer), encode(row))
        news = True
    return news
