"""What the index finds equals what reading everything finds, after any history and under any lag."""

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.vtex.bulk import customer_id, fill
from sandbox.vtex.clock import SECOND, ManualClock, iso
from sandbox.vtex.hostility import Hostility
from sandbox.vtex.index import Sort
from sandbox.vtex.shop import Shop
from sandbox.vtex.where import Rounding, parse_where

GENERATED = 12
STEP = st.sampled_from(["new", "change", "delete", "touch", "wait"])
STEPS = st.lists(st.tuples(STEP, st.integers(0, GENERATED - 1)), max_size=25)


def played(steps, lag: float = 0.0) -> tuple[Shop, ManualClock]:
    """Play a history of changes, a second apart, over a few generated customers."""
    clock = ManualClock()
    shop = Shop("acme", clock=clock, hostility=Hostility(lag=lag))
    fill(shop, GENERATED, days=1)
    for step, number in steps:
        clock.advance(1)
        known = customer_id(shop, number)
        if step == "new":
            shop.put_customer({"email": f"new{number}@x.example"})
        elif step == "change" and shop.customers.get(known):
            shop.put_customer({"id": known, "firstName": f"Outro {number}"})
        elif step == "delete":
            shop.delete_customer(known)
        elif step == "touch":
            shop.browse(known)
    return shop, clock


def naive(shop: Shop, condition) -> set[str]:
    """Return the ids that fulfil a condition, by reading everything stored."""
    entity = shop.customers
    rows = [entity.get(document["id"]) for document in entity.all()]
    return {row.document["id"] for row in rows if condition is None or condition.test(row)}


def found(shop: Shop, condition, sort=None) -> list[str]:
    """Return the ids that the index finds."""
    index = shop.customers.settle(shop.clock())
    return [str(index.row(hit).document["id"]) for hit in index.find(condition, sort)]


def conditions(shop: Shop, clock: ManualClock, back: int, ahead: int) -> list[str]:
    """Return conditions of every kind over a window of time."""
    low, high = iso(clock.ticks - back * SECOND), iso(clock.ticks - back * SECOND + ahead * SECOND)
    between = f"between {low} AND {high}"
    return [
        f"createdIn {between}",
        f"updatedIn {between}",
        f"(updatedIn {between}) OR ((updatedIn is null) AND (createdIn {between}))",
        f"(updatedIn {between}) OR (createdIn {between})",
        f"email={shop.customers.generated.document(3)['email']}",
        f"firstName=*o* AND updatedIn {between}",
        "updatedIn is null",
        "firstName=*a*",
        f"userId={shop.customers.generated.document(5)['userId'].upper()} OR createdIn > {low}",
    ]


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(0, 90_000), st.integers(0, 90_000))
def test_every_way_through_the_index_finds_what_reading_all_finds(steps, back, ahead):
    """Ranges of time, values, unions and plain reading agree, each document once."""
    shop, clock = played(steps)
    entity = shop.customers
    for text in conditions(shop, clock, back, ahead):
        condition = parse_where(text, filters=entity.fields, dates={"createdIn", "updatedIn"}, rounding=Rounding())
        hits = found(shop, condition)
        assert len(hits) == len(set(hits)), text
        assert set(hits) == naive(shop, condition), text
    assert set(found(shop, None)) == naive(shop, None)


@settings(max_examples=40, deadline=None)
@given(STEPS, st.sampled_from(["createdIn", "updatedIn", "email"]), st.booleans())
def test_sorting_is_by_one_field_with_missing_values_last(steps, name, descending):
    """A descending sort turns round those that have a value."""
    shop, _ = played(steps)
    hits = found(shop, None, Sort(name, descending))
    values = [shop.customers.get(hit).document[name] for hit in hits]
    present = [value for value in values if value is not None]

    assert values == present + [None] * (len(values) - len(present))
    ordered = [parse_or_text(value) for value in present]
    assert ordered == sorted(ordered, reverse=descending)


def parse_or_text(value: str):
    """Return a text that sorts like the value."""
    return value.ljust(28, "0") if value[:2] == "20" else value


@settings(max_examples=40, deadline=None)
@given(STEPS, st.floats(1, 3600))
def test_under_lag_the_index_is_some_earlier_state_and_in_the_end_the_last(steps, lag):
    """No older version follows a newer one, and when the lag is over nothing is missing."""
    shop, clock = played(steps, lag)
    for _ in range(5):
        index = shop.customers.settle(clock.ticks)
        seen = {row.key: row.updated or row.created for row in (index.row(hit) for hit in index.find(None, None))}
        clock.advance(lag / 4)
        index = shop.customers.settle(clock.ticks)
        after = {row.key: row.updated or row.created for row in (index.row(hit) for hit in index.find(None, None))}
        assert all(after[key] >= at for key, at in seen.items() if key in after)
    assert set(found(shop, None)) == naive(shop, None)
    documents = {document["id"]: document for document in shop.customers.all()}
    index = shop.customers.index
    assert {index.row(hit).document["id"]: index.row(hit).document for hit in index.find(None, None)} == documents
