"""An opt-in that stands in an entity of its own: a reading that did not look there takes nothing away."""

import pytest

from schemas import topics
from streams.customers import CustomersAgent
from streams.engine.testing import MemoryShard
from tests.stores import a_store, stores_of
from tests.unit.customers.events import feed, read


@pytest.mark.parametrize(("entity", "kept"), [("NL", True), (None, None)])
async def test_a_null_erases_only_where_it_was_looked_at(entity, kept):
    """In CL a null of a field chosen so means that the value is gone; of another entity it may mean nothing."""
    connection = a_store()
    chosen = {"nulls_erase": ("newsletter_opt_in",), "opt_in_entity": entity}
    stores = stores_of(connection.model_copy(update={"vtex": connection.vtex.model_copy(update=chosen)}))
    shard = MemoryShard([CustomersAgent(stores)])
    await feed(shard, read(first_name="Ana", newsletter_opt_in=True), read(second=2, first_name="Bia"))
    [(_, _), (_, last)] = shard.outputs(topics.VTEX_CUSTOMERS)
    assert (b'"newsletter_opt_in":true' in last) is bool(kept)
