"""No cent without an explanation (DESIGN section 3.5): a cell is the sum of the orders that `kpis explain` lists."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kafka.explain import agrees, orders_behind
from schemas import topics
from schemas.kpis import Attribution, CampaignKpis
from tests.oracle.running import agents, run, shuffled, standing
from tests.oracle.worlds import Builder, records
from tests.stores import stores_of


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_cell_is_the_sum_of_its_orders(seed: int):
    """And every order that a campaign explains stands behind one cell of each basis."""
    world, random = Builder(seed).world(), Random(seed)
    shard = run(agents(stores_of(world.store)), shuffled(records(world), random), random)
    orders = [Attribution.model_validate(row) for row in standing(shard, topics.ATTRIBUTIONS).values()]
    cells = [CampaignKpis.model_validate(row) for row in standing(shard, topics.KPI_CAMPAIGNS).values()]

    behind = {id(cell): orders_behind(orders, cell) for cell in cells}

    assert all(agrees(cell, behind[id(cell)]) for cell in cells)
    for basis in ("delivery", "purchase", "total"):
        listed = [order.order for cell in cells if cell.basis == basis for order in behind[id(cell)]]
        assert sorted(order.order for order in orders if order.explanation == "campaign") == sorted(listed)


def test_a_cell_that_is_ahead_of_its_orders_does_not_agree():
    """Any figure that differs is told."""
    cell = CampaignKpis(
        store="acme", campaign="spring", basis="total", date="all", currency="BRL", conversions=1, revenue=5, net=5,
        time_to_conversion={"same_day": 1}, updated_at="2027-01-01T00:00:00Z",
    )  # fmt: skip

    assert not agrees(cell, [])
    assert agrees(cell.model_copy(update={"conversions": 0, "revenue": 0, "net": 0, "time_to_conversion": {}}), [])
