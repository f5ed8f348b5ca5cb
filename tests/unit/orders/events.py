"""Events of `vtex.changes` about orders, as the poller writes them."""

import orjson

from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, event
from schemas.vtex import ORDER_CHANGED
from streams.engine.testing import MemoryShard
from streams.orders import OrdersAgent
from tests.stores import a_store, stores_of

DAY = 1_790_000_000_000
"""Unix milliseconds at which the tests' histories begin."""


def at(second):
    """Return the text of a moment of the test's day."""
    return to_text(DAY + second * 1000)


def part(order="100-01", changed=1, *, seen=None, created=0, returns=(), **fields):
    """Return the event of a seller's part as it was at a second, and read soon after.

    Args:
        order: orderId.
        changed: second of its last change, or VTEX's text.
        seen: second of the read.
        created: second.
        returns: pairs of number and hundredths.
        fields: of `OrderRead`.
    """
    data = {
        "order_id": order, "order_group": order.rpartition("-")[0], "status": "payment-approved", "value": 10_000,
        "currency": "BRL", "created_at": at(created),
        "changed_at": changed if isinstance(changed, str) else at(changed),
        "returns": [{"invoice_number": number, "value": value} for number, value in returns], **fields,
    }  # fmt: skip
    seen = seen if seen is not None else (changed + 1 if isinstance(changed, int) else 1)
    envelope = event(type=ORDER_CHANGED, source="poller", store="acme", data=data, time=DAY + seen * 1000,
                     received=DAY + seen * 1000)  # fmt: skip
    return topics.VTEX_CHANGES.key("acme", order), encode(envelope)


def a_shard(**changes):
    """Return a shard that runs the orders agent alone, for a store with changes."""
    return MemoryShard([OrdersAgent(stores_of(a_store(**changes)))])


async def feed(shard, *events):
    """Feed events, each in a turn of its own, and return the rows that came out."""
    before = len(shard.outputs(topics.VTEX_ORDERS))
    for one in events:
        await shard.feed(topics.VTEX_CHANGES, one)
    return [orjson.loads(value) for _, value in shard.outputs(topics.VTEX_ORDERS)[before:]]
