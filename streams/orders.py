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
from schemas.money import LARGEST, UnknownCurrencyError, exponent
from schemas.vtex import ORDER_CHANGED, OrderRead, group_of
from streams.engine.agent import Agent, Batch, Poison, Record, Shard, Table
from streams.models import wrong_fields
from streams.stores import Stores
from streams.suppressions import SUPPRESSED, Suppressed
from streams.vtex_rules.order import BUYER, State, after_read, content_of, told_by
from streams.vtex_rules.versions import read_at, version_of

ORDERS: Final = Table("orders", ttl=timedelta(milliseconds=topics.VTEX_ORDERS.retention_ms or 0), disk=True)
"""`store/order`: its parts (streams/vtex_rules/order.py); kept as long as the row after the last change."""


class OrdersAgent(Agent):
    """`vtex.changes` in, `vtex.orders` out.

    Args:
        stores: the connected stores.
    """

    name = "orders"
    inputs = (topics.VTEX_CHANGES,)
    tables = (ORDERS, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Take in parts of orders."""
        suppressed = Suppressed(shard)
        for record in batch:
            envelope = _order_event(record)
            if envelope is None:
                batch.passed(record)
            elif not self._changed(record, envelope, shard, suppressed):
                batch.duplicate(record, str(envelope["id"]))

    def _changed(self, record: Record, envelope: dict[str, Any], shard: Shard, suppressed: Suppressed) -> bool:
        """Take in an order event and return whether the order says something new.

        An order of somebody who was forgotten counts, without its buyer; the record that names them is removed.
        """
        store = record.store
        known, data = self._stores.of(store), envelope["data"]
        read = _read(data)
        told = told_by(read, known.connection.country, known.hash)
        if suppressed.buyer(known, told):
            told = {name: value for name, value in told.items() if name not in BUYER}
            shard.send(topics.VTEX_CHANGES, record.key, None)
        order = read.order_group.strip() or group_of(read.order_id)
        orders, key = shard.table(ORDERS), f"{store}/{order}"
        before = orders.get(key)
        # The text as it came: the model's instant would lose the seventh digit.
        at = version_of(str(data["changed_at"]), read_at(envelope), data)
        after = after_read(before or {}, read.order_id, told, at)
        if after == before:
            return False
        content = content_of(after)
        news = before is None or content != content_of(before)
        after = {**after, "version": after.get("version", 0) + news}
        orders[key] = after
        if news:
            publish(shard, store, order, after)
        return news


def publish(shard: Shard, store: str, order: str, state: State) -> None:
    """Send the row that an order's state makes."""
    row = {"store": store, "order": order, **content_of(state), "version": state["version"]}
    shard.send(topics.VTEX_ORDERS, topics.VTEX_ORDERS.key(store, order), encode(row))


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
        raise Poison(f"unreadable {ORDER_CHANGED}: {wrong_fields(error)}") from None
    except UnknownCurrencyError as error:
        raise Poison(str(error)) from None
    if any(abs(told) > LARGEST for told in (read.value, read.changes_value, *(each.value for each in read.returns))):
        raise Poison("an amount of the order is larger than any shop sells for: it would spoil the sums of the others")
    return read
