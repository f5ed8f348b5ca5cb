"""The tables of facts: the agent attribution joins them, kpis reads them and ticks off what is new in them.

How long what is kept (`docs/kpis.md`, What is kept): sessions 90 days, landings, messages and orders 2 years,
customers for as long as there are. All stand on disk: they grow with the shop, and most events touch none of them.
"""

from datetime import timedelta
from typing import Final

from streams.engine.agent import Table

SESSION_DAYS: Final = 90
_SHORT: Final = timedelta(days=SESSION_DAYS)
_LONG: Final = timedelta(days=730)

SESSIONS: Final = Table("journey-sessions", ttl=_SHORT, disk=True)
"""store/session -> what it told, where it landed, which orders it acted on (sessions.py)."""
LANDINGS: Final = Table("journey-landings", ttl=_LONG, disk=True)
"""store/session+campaign -> times (landings.py)."""
CUSTOMERS: Final = Table("journey-customers", disk=True)
"""store/customer -> version and hashes (customers.py)."""
MESSAGES: Final = Table("journey-messages", ttl=_LONG, disk=True)
"""store/message -> what its reports and its request tell (messages.py)."""
ORDERS: Final = Table("journey-orders", ttl=_LONG, disk=True)
"""store/order -> what VTEX and the pixel tell of it, its session evidence, what was published (orders.py)."""

HASH_SESSIONS: Final = Table("journey-hash-sessions", ttl=_SHORT, disk=True)
"""store/hash -> {session: the last day it told the hash}."""
HASH_CUSTOMERS: Final = Table("journey-hash-customers", disk=True)
"""store/hash -> [customer]."""
HASH_ORDERS: Final = Table("journey-hash-orders", ttl=_LONG, disk=True)
"""store/hash -> {order: when it was placed}: the orders to judge again when something is learned of the hash."""
RECIPIENT_DAYS: Final = Table("journey-recipient-days", ttl=_LONG, disk=True)
"""store/hash+UTC day -> [message]: those that a touch of that day belongs to."""
RECIPIENT_CAMPAIGNS: Final = Table("journey-recipient-campaigns", ttl=_LONG, disk=True)
"""store/hash+campaign -> [message]."""
REFERENCES: Final = Table("journey-references", ttl=_LONG, disk=True)
"""store/order reference or cart -> its sessions, orders and replacements."""

FACTS: Final = (
    SESSIONS, LANDINGS, CUSTOMERS, MESSAGES, ORDERS, HASH_SESSIONS, HASH_CUSTOMERS, HASH_ORDERS, RECIPIENT_DAYS,
    RECIPIENT_CAMPAIGNS, REFERENCES,
)  # fmt: skip


def key(store: str, *parts: str | int) -> str:
    """Return a table key: `store/part`, further parts behind a separator that no identifier holds."""
    return f"{store}/" + "\x1f".join(map(str, parts))
