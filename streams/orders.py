"""Orders: from what the poller read of sellers' parts to one row for each purchase (`vtex.orders`).

In come the parts of a purchase, each again with every change of its status, out of order and more than once (contracts/
vtex NOTES 4.4). Out goes the order with all its parts, whenever it says something new: hashes stand for the buyer, and
amounts are minor units. Customers' events are the customers agent's; this one passes them.
"""

from datetime import timedelta
from typing import Any, Final

from pydantic import ValidationError

from schemas import topics
from schemas.events import InvalidEventError, decode, encode
from schemas.money import UnknownCurrencyError, exponent
from schemas.vtex import ORDER_CHANGED, OrderRead
from streams.engine.agent import Agent, Batch, Poison, Record, Shard, Table
from streams.stores import Stores
from streams.vtex_rules.order import after_read, content_of, group_of, told_by
from streams.vtex_rules.versions import version_of

ORDERS: Final = Table("orders", ttl=timedelta(milliseconds=topics.VTEX_ORDERS.retention_ms or 0), disk=True)
"""`store/order`: its parts (streams/vtex_rules/order.py); kept as long as the row after the last change."""


class OrdersAgent(Agent):
    """`vtex.changes` in, `vtex.orders` out.

    Args:
        stores: the connected stores.
    """

    name = "orders"
    inputs = (topics.VTEX_CHANGES,)
    tables = (ORDERS,)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Take in parts of orders."""
        for record in batch:
            envelope = _order_event(record)
            if envelope is None:
                batch.passed(record)
            elif not self._changed(record.store, envelope, shard):
                batch.duplicate(record, str(envelope["id"]))

    def _changed(self, store: str, envelope: dict[str, Any], shard: Shard) -> bool:
        """Take in an order event and return whether the order says something new."""
        known, data = self._stores.of(store), envelope["data"]
        read = _read(data)
        told = told_by(read, known.connection.country, known.hash)
        seen = str(envelope.get("receivedtime") or envelope.get("time") or "")
        order = read.order_group.strip() or group_of(read.order_id)
        orders, key = shard.table(ORDERS), f"{store}/{order}"
        before = orders.get(key)
        # The text as it came: the model's instant would lose the seventh digit.
        after = after_read(before or {}, read.order_id, told, version_of(str(data["changed_at"]), seen, data))
        if after == before:
            return False
        content = content_of(after)
        news = before is None or content != content_of(before)
        after = {**after, "version": after.get("version", 0) + news}
        orders[key] = after
        if news:
            row = {"store": store, "order": order, **content, "version": after["version"]}
            shard.send(topics.VTEX_ORDERS, topics.VTEX_ORDERS.key(store, order), encode(row))
        return news


def _order_event(record: Record) -> dict[str, Any] | None:
    """Return the event, or None when it is none of an order: then the customers agent accounts for it."""
    try:
        envelope = decode(record.value)
    except InvalidEventError:
        return None
    return envelope if envelope["type"] == ORDER_CHANGED else None


def _read(data: dict[str, Any]) -> OrderRead:
    try:
        read = OrderRead.model_validate(data)
        exponent(read.currency)
    except ValidationError as error:
        wrong = sorted({".".join(str(part) for part in each["loc"]) for each in error.errors(include_input=False)})
        raise Poison(f"unreadable {ORDER_CHANGED}: {', '.join(wrong[:5])}") from None
    except UnknownCurrencyError as error:
        raise Poison(str(error)) from None
    return read
