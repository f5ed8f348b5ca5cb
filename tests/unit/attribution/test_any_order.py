"""The guarantee of DESIGN section 3.6, against an oracle that sees all facts at once."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.figures import Figures
from tests.oracle.running import agents, attributions, cells, run, shuffled
from tests.oracle.worlds import Builder, records
from tests.stores import stores_of


@settings(max_examples=1000, deadline=None)
@given(seed=st.integers(0, 2**32), order=st.integers(0, 2**32))
def test_any_order_and_repetition_ends_in_what_the_whole_set_says(seed: int, order: int):
    """Whatever the order, batches and repetitions of a small shop's records: the outputs are the oracle's."""
    world = Builder(seed).world()
    random = Random(order)
    expected = Figures(world)

    shard = run(agents(stores_of(world.store)), shuffled(records(world), random), random)

    assert shard.dead_letters() == []
    assert expected.attributions == attributions(shard)
    assert expected.cells() == cells(shard)
