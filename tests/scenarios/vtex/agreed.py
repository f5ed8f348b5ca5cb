"""What the agents make of everything in `vtex.changes`, held against the shop. For this folder's tests."""

import itertools
from collections import defaultdict
from typing import Any

import orjson

from connectors.kafka.connection import KafkaConnection
from sandbox.vtex.shop import Shop
from schemas import topics
from schemas.vtex import Customer, Order
from streams.customers import CustomersAgent
from streams.engine.testing import MemoryShard
from streams.orders import OrdersAgent
from streams.vtex_rules.order import state_of
from tests.scenarios.vtex.shops import events
from tests.stores import a_store, stores_of

Rows = dict[str, list[dict[str, Any]]]


async def rows_of(kafka: KafkaConnection, store: str) -> tuple[Rows, Rows]:
    """Return all rows of each customer and of each order of a store, in order, as the agents write them."""
    shard = MemoryShard([CustomersAgent(stores := stores_of(a_store(store))), OrdersAgent(stores)])
    for event in await events(kafka):
        if event["store"] == store:
            shard.put(topics.VTEX_CHANGES, topics.VTEX_CHANGES.key(store, event["subject"]), orjson.dumps(event))
    await shard.settle()
    assert shard.dead_letters() == []
    customers, orders = defaultdict(list), defaultdict(list)
    for _, value in shard.outputs(topics.VTEX_CUSTOMERS):
        row = Customer.model_validate_json(value or b"").model_dump()
        customers[row["customer"]].append(row)
    for _, value in shard.outputs(topics.VTEX_ORDERS):
        row = Order.model_validate_json(value or b"").model_dump()
        orders[row["order"]].append(row)
    return customers, orders


def written_once(rows: Rows) -> None:
    """Check that every row says something else than the one before, and that versions count them."""
    for each in rows.values():
        assert [row["version"] for row in each] == list(range(1, len(each) + 1))
        said = [_said(row) for row in each]
        assert all(before != after for before, after in itertools.pairwise(said))


def _said(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in row.items() if name not in {"version", "changed", "updated_at", "source_version"}
    }


def last_is_the_shops(customers: Rows, orders: Rows, shop: Shop) -> None:
    """Check that the last row of each customer and order is as the shop has it, deletes included."""
    last = {one: rows[-1] for one, rows in customers.items()}
    # A buyer whose document is gone again, or never was to be seen, is a provisional customer: not the shop's.
    there = {
        one: (row["email"], row["first_name"])
        for one, row in last.items()
        if not row["deleted"] and not row["provisional"]
    }
    wanted = {document["id"].lower(): (document["email"], document["firstName"]) for document in shop.customers.all()}
    assert {one for one in there.keys() | wanted.keys() if there.get(one) != wanted.get(one)} == set()
    states = {order: rows[-1]["state"] for order, rows in orders.items()}
    assert states == {order["orderGroup"]: state_of(order["status"]) for order in shop.book.orders.values()}
