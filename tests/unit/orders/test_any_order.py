"""Parts of purchases in whatever order and however often they are told: the orders end the same."""

import asyncio

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.vtex import Order
from streams.orders import ORDERS
from tests.unit.orders.events import a_shard, feed, part

PARTS = st.builds(
    lambda order, changed, late, fields: part(order, changed, seen=changed + late, **fields),
    st.sampled_from(["1-01", "1-02", "1-03", "2-01"]), st.integers(1, 6), st.integers(0, 3),
    st.fixed_dictionaries({
        "status": st.sampled_from(["order-created", "handling", "invoiced", "canceled", "replaced", "odd", None]),
        "value": st.integers(0, 5_000),
        "changes_value": st.integers(-500, 500),
        "created": st.integers(0, 3),
        "origin": st.sampled_from(["Marketplace", "Fulfillment", "Chain", None]),
        "returns": st.lists(st.tuples(st.sampled_from(["R1", "R2"]), st.integers(0, 3_000)), max_size=2),
        "buyer": st.sampled_from([{}, {"email": "a@b.co"}, {"phone": "11987654321", "user_profile_id": "U1"}]),
        "marketing": st.sampled_from([None, {"utm_source": "google"}, {"utm_source": "hellotext"}]),
    }),
)  # fmt: skip


def end_of(events):
    """Return the last row of each order without its version, and the state behind; check what always holds."""
    shard = a_shard()
    asyncio.run(feed(shard, *events))
    rows = {key: orjson.loads(value) for key, value in dict(shard.outputs(topics.VTEX_ORDERS)).items()}
    for row in rows.values():
        order = Order.model_validate(row)
        assert 0 <= order.cancelled <= order.amount
        assert 0 <= order.refunded <= order.amount - order.cancelled
    return (
        {key: {**row, "version": None} for key, row in rows.items()},
        {key: state["parts"] for key, state in shard.table(ORDERS).items()},
    )


@settings(max_examples=100, deadline=None)
@given(events=st.lists(PARTS, min_size=1, max_size=8), chance=st.randoms(use_true_random=False))
def test_any_permutation_and_repetition_ends_the_same(events, chance):
    """The same rows, and the same state."""
    arrival = events + chance.choices(events, k=3)
    chance.shuffle(arrival)

    assert end_of(arrival) == end_of(events)
