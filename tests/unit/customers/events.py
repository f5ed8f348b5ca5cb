"""Events of `vtex.changes` about customers and their orders, as the poller writes them."""

import orjson

from schemas import topics
from schemas.clock import to_text
from schemas.events import encode, event
from schemas.vtex import CUSTOMER_CHANGED, CUSTOMER_DELETED, ORDER_CHANGED
from streams.customers import CustomersAgent
from streams.engine.testing import MemoryShard
from tests.stores import a_store, stores_of

DAY = 1_790_000_000_000
"""Unix milliseconds at which the tests' histories begin."""


def at(second, digits=""):
    """Return VTEX's text of a moment of the test's day; `digits` are written behind the milliseconds."""
    return to_text(DAY + second * 1000)[:-1] + digits + "Z"


def change(kind, subject, data, seen, **more):
    """Return key and value of a change."""
    envelope = event(type=kind, source="poller", store="acme", data=data, time=DAY + seen * 1000,
                     received=DAY + seen * 1000, **more)  # fmt: skip
    return topics.VTEX_CHANGES.key("acme", subject), encode(envelope)


def read(customer="c1", second=1, *, seen=None, version=None, **fields):
    """Return the event of a CL document that changed at a second and was read soon after."""
    data = {"customer_id": customer, "source_version": version or at(second), "read_by": "search", **fields}
    return change(CUSTOMER_CHANGED, customer.lower(), data, second + 1 if seen is None else seen)


def deleted(customer="c1", seen=50):
    """Return the event of a document that is gone."""
    return change(CUSTOMER_DELETED, customer.lower(), {"customer_id": customer, "read_by": "scan"}, seen)


def bought(order="100-01", second=1, **buyer):
    """Return the event of an order of some buyer."""
    data = {
        "order_id": order, "order_group": order.partition("-")[0], "status": "payment-approved", "value": 1000,
        "currency": "BRL", "created_at": at(second), "changed_at": at(second), "buyer": buyer,
    }  # fmt: skip
    return change(ORDER_CHANGED, order, data, second + 1)


def a_shard(*nulls_erase):
    """Return a shard that runs the customers agent alone; in its store the nulls of the named fields erase."""
    connection = a_store()
    vtex = connection.vtex.model_copy(update={"nulls_erase": nulls_erase})
    return MemoryShard([CustomersAgent(stores_of(connection.model_copy(update={"vtex": vtex})))])


async def feed(shard, *events):
    """Feed events, each in a turn of its own, and return the rows that came out."""
    before = len(shard.outputs(topics.VTEX_CUSTOMERS))
    for one in events:
        await shard.feed(topics.VTEX_CHANGES, one)
    return [orjson.loads(value) for _, value in shard.outputs(topics.VTEX_CUSTOMERS)[before:]]


def last_rows(shard):
    """Return the last row of each customer."""
    return {row["customer"]: row for row in map(orjson.loads, dict(shard.outputs(topics.VTEX_CUSTOMERS)).values())}
