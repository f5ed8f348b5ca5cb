"""The facts of one store in one transaction: rows by identifier, and who belongs to whom (docs/kpis.md, Touches)."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from schemas.clock import DAY_MS, HOUR_MS
from streams.engine.agent import Shard, View
from streams.journeys import landings, sessions
from streams.journeys.hashes import PHONE, Hashes, phones, smallest, union
from streams.journeys.limits import TOO_MANY
from streams.journeys.messages import Row
from streams.journeys.tables import (
    CUSTOMERS,
    HASH_CUSTOMERS,
    HASH_ORDERS,
    HASH_SESSIONS,
    LANDINGS,
    MESSAGES,
    ORDERS,
    RECIPIENT_CAMPAIGNS,
    RECIPIENT_DAYS,
    REFERENCES,
    SESSION_DAYS,
    SESSIONS,
    key,
)
from streams.journeys.touches import Windows
from streams.stores import KnownStore

Messages = list[tuple[str, Row]]


class Facts:
    """What is known of one store.

    Args:
        shard: the transaction.
        store: the connected store.
    """

    def __init__(self, shard: Shard, store: KnownStore) -> None:
        self.known = store
        self.store = store.connection.store
        self.timezone = store.connection.timezone
        self.now = shard.now
        self.oldest_day = shard.now // DAY_MS - SESSION_DAYS
        self.sessions = shard.table(SESSIONS)
        self.landings = shard.table(LANDINGS)
        self.customers = shard.table(CUSTOMERS)
        self.messages = shard.table(MESSAGES)
        self.orders = shard.table(ORDERS)
        self.hash_sessions = shard.table(HASH_SESSIONS)
        self.hash_customers = shard.table(HASH_CUSTOMERS)
        self.hash_orders = shard.table(HASH_ORDERS)
        self.recipient_days = shard.table(RECIPIENT_DAYS)
        self.recipient_campaigns = shard.table(RECIPIENT_CAMPAIGNS)
        self.references = shard.table(REFERENCES)

    @cached_property
    def windows(self) -> Windows:
        """For how long touches of this store may explain an order."""
        connection = self.known.connection
        return Windows(connection.click_window_hours * HOUR_MS, connection.delivery_window_hours * HOUR_MS)

    def row(self, table: View, *parts: str | int) -> Any:
        """Return a row of one of the tables, or None."""
        return table.get(key(self.store, *parts))

    def key(self, *parts: str | int) -> str:
        """Return a key of this store."""
        return key(self.store, *parts)

    def put(self, table: View, value: Any, *parts: str | int) -> None:
        """Set a row."""
        table[key(self.store, *parts)] = value

    def sessions_of_hash(self, value: str) -> list[str]:
        """Return the sessions that told a hash; none where they are too many."""
        found = self.row(self.hash_sessions, value) or {}
        return [] if TOO_MANY in found else sorted(found)

    def customers_of(self, hashes: Mapping[str, str]) -> dict[str, Hashes]:
        """Return the customers that have one of these hashes, with all their own."""
        found: dict[str, Hashes] = {}
        for value in hashes:
            for customer in self.row(self.hash_customers, value) or ():
                if customer != TOO_MANY and customer not in found:
                    # Who was forgotten may still be listed for a moment (streams/privacy.py).
                    found[customer] = (self.row(self.customers, customer) or {}).get("h", {})
        return found

    def people_of_session(self, row: sessions.Row | None) -> tuple[Hashes, dict[str, Hashes]]:
        """Return the hashes told in a session, and the customers that they identify."""
        told = sessions.hashes(row)
        return told, self.customers_of(told)

    def sessions_of_recipient(self, recipient: str) -> set[str]:
        """Return the sessions known to belong to a recipient: they told its phone, or a hash of a customer with it."""
        holders = self.customers_of({recipient: PHONE})
        hashes = {recipient: PHONE} | union(of for of in holders.values() if recipient in of)
        return {session for value in hashes for session in self.sessions_of_hash(value)}

    def messages_to(self, recipient: str, campaign: str) -> Iterator[tuple[str, Row]]:
        """Return the messages of a campaign to a recipient."""
        for message in self.row(self.recipient_campaigns, recipient, campaign) or ():
            row = self.row(self.messages, message)
            if row and row.get("r") == recipient and row.get("c") == campaign:
                yield message, row

    def touching(self, recipient: str, first: int, last: int) -> Messages:
        """Return the messages that touched a recipient between two instants (whole UTC days)."""
        ids = {
            message
            for day in range(first // DAY_MS, last // DAY_MS + 1)
            for message in self.row(self.recipient_days, recipient, day) or ()
        }
        rows = [(message, self.row(self.messages, message)) for message in sorted(ids)]
        return [(message, row) for message, row in rows if row and row.get("r") == recipient and row.get("c")]

    def known_message(
        self, told: Hashes, customers: Mapping[str, Hashes], campaign: str, landing: landings.Row
    ) -> str | None:
        """Return the message that brought a landing, when its session is known to belong to a recipient."""
        recipients = {*phones(told), *(phone for hashes in customers.values() for phone in phones(hashes))}
        candidates = [found for phone in sorted(recipients) for found in self.messages_to(phone, campaign)]
        return landings.known_message(landings.time(landing), candidates)

    def visitor(self, session: str, told: Hashes, customers: Mapping[str, Hashes]) -> str:
        """Return who visits in a session: a customer, else a hash, else the session itself."""
        if customers:
            return f"c:{min(customers)}"
        value = smallest(told)
        return f"h:{value}" if value else f"s:{session}"

    def orders_of_session(self, row: sessions.Row | None) -> set[str]:
        """Return the orders that what a session tells may concern: its own, and those of the people it told."""
        if not row:
            return set()
        found = {order for name in row.get("o", ()) for order in self.orders_named(name)}
        for cart in row.get("f", ()):
            found |= self.orders_of_cart(cart)
        for value in row.get("t", ()):
            found.update(self.row(self.hash_orders, value) or ())
        return found

    def orders_of_cart(self, cart: str) -> set[str]:
        """Return the orders that came from a cart."""
        return set((self.row(self.references, "cart", cart) or {}).get("o", ()))

    def orders_named(self, name: str) -> set[str]:
        """Return the orders that a reference may mean: the one of that name, and those with a part of that name."""
        return {name, *(self.row(self.references, "order", name) or {}).get("o", ())}

    def orders_replacing(self, name: str) -> list[str]:
        """Return the orders that replace, or once replaced, the one of that name."""
        listed: list[str] = (self.row(self.references, "order", name) or {}).get("r", [])
        return listed

    def owners(self, name: str) -> list[str]:
        """Return VTEX's orders that go by a name, sorted."""
        listed = (self.row(self.references, "order", name) or {}).get("o", ())
        return [order for order in listed if name in self._names(order)]

    def _names(self, order: str) -> list[str]:
        row = self.row(self.orders, order) or {}
        names: list[str] = (row.get("v") or {}).get("names", [])
        return names
