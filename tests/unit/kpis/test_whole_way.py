"""From VTEX's reads and pages' events to the figures: time zones, currencies, and any order of arrival."""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.testing import MemoryShard
from tests.oracle.arrivals import Arrivals, understood
from tests.oracle.figures import Figures
from tests.oracle.running import attributions, cells, run, shuffled, whole_way
from tests.stores import stores_of


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**32), order=st.integers(0, 2**32))
def test_any_arrival_ends_in_the_same_figures(seed: int, order: int):
    """Orders before their buyers' documents, deletions before both, events repeated: the figures are the oracle's."""
    arrivals, random = Arrivals(seed), Random(order)
    world, told = arrivals.told()

    def ends_in(records: list[Any]) -> MemoryShard:
        return run(whole_way(stores_of(world.store)), records, random, arrivals.now)

    first, second = ends_in(told), ends_in(shuffled(told, random))

    assert first.dead_letters() == second.dead_letters() == []
    assert attributions(second) == attributions(first)
    assert cells(second) == cells(first) == Figures(understood(world, first)).cells()
