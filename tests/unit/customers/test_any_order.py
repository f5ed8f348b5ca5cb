"""Whatever happened to customers, and in whatever order and how often it is told: they end the same."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import to_text
from streams.customers import CUSTOMERS
from streams.vtex_rules.known import merge, nothing_known
from streams.vtex_rules.versions import ticks
from tests.unit.customers.events import a_shard, bought, deleted, feed, last_rows, read

SECONDS = st.integers(1, 12)
EMAILS = st.sampled_from(["ana@b.co", "bea@b.co", "ANA@b.co", "***", "", None])
PHONES = st.sampled_from(["11987654321", "+55 11 98765-4321", "11911111111", "0", None])
IDS = st.sampled_from(["u1", "U1", "u2", "c1", None])


def _told(fields):
    return {name: value for name, value in fields.items() if value is not None}


READS = st.builds(
    lambda customer, second, digit, late, fields: read(
        customer, second, version=None if digit is None else f"2026-09-22T00:00:{second:02}.123456{digit}Z",
        seen=second + late, **_told(fields)),
    st.sampled_from(["c1", "C1", "c2", "c3"]), SECONDS, st.sampled_from([None, 1, 2]), st.integers(-3, 8),
    st.fixed_dictionaries({
        "user_id": IDS, "email": EMAILS, "home_phone": PHONES, "phone": PHONES,
        "first_name": st.sampled_from(["Ana", "Anna", "***", None]),
        "newsletter_opt_in": st.sampled_from([True, False, None]),
        "address": st.sampled_from([None, {"city": "Recife"}, {"city": "Olinda"}]),
    }),
)  # fmt: skip
DELETIONS = st.builds(deleted, st.sampled_from(["c1", "C2"]), SECONDS)
ORDERS = st.builds(
    lambda order, second, fields: bought(f"{order}-01", second, **_told(fields)),
    st.integers(1, 3), SECONDS,
    st.fixed_dictionaries({
        "user_profile_id": IDS, "email": EMAILS, "phone": PHONES, "first_name": st.sampled_from(["Ana", None]),
    }),
)  # fmt: skip
HISTORIES = st.lists(st.one_of(READS, ORDERS, ORDERS, DELETIONS), min_size=1, max_size=9)
NOT_COMPARED = {"version", "updated_at", "changed", "source_version"}


def end_of(events, nulls_erase):
    """Return what readers of `vtex.customers` know in the end, and check what holds at every end."""
    shard = a_shard(*nulls_erase)
    asyncio.run(feed(shard, *events))
    rows = last_rows(shard)
    for row in rows.values():
        if "replaced_by" in row:
            assert stands_for(rows, row["customer"]) in rows
    shown = {row["customer"]: row for row in rows.values() if "replaced_by" not in row}
    return {
        customer: {name: value for name, value in row.items() if name not in NOT_COMPARED}
        for customer, row in shown.items()
    }, {key: state.get("told") for key, state in shard.table(CUSTOMERS).items() if "told" in state}


def stands_for(rows, customer):
    """Follow who replaced whom to the one who stands; it ends, since each is better known than the last."""
    while (by := rows[customer].get("replaced_by")) is not None:
        customer = by
    return customer


@settings(max_examples=100, deadline=None)
@given(
    events=HISTORIES, erase=st.sampled_from([(), ("phone", "first_name")]), chance=st.randoms(use_true_random=False)
)  # fmt: skip
def test_any_permutation_and_repetition_ends_the_same(events, erase, chance):
    """The same customers with the same values, and the same state behind them."""
    arrival = events + chance.choices(events, k=3)
    chance.shuffle(arrival)

    assert end_of(arrival, erase) == end_of(events, erase)


@settings(max_examples=200, deadline=None)
@given(
    reads=st.lists(st.tuples(st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)),
                             st.lists(st.integers(0, 4), min_size=3, max_size=3)), max_size=6),
    chance=st.randoms(use_true_random=False),
)  # fmt: skip
def test_facts_are_a_function_of_the_set_of_reads(reads, chance):
    """Equal versions are one read; each field has the value of the newest read that told it."""
    distinct = {tuple(at): told for told, at in reads}
    arrival = list(distinct.items()) * 2
    chance.shuffle(arrival)
    facts = nothing_known()
    for at, told in arrival:
        facts = merge(facts, told, list(at))

    expected = {}
    for _, told in sorted(distinct.items()):
        expected |= told
    assert facts["told"] == expected


@given(ms=st.integers(0, 4_000_000_000_000), rest=st.integers(0, 9_999))
def test_ticks_keep_the_seventh_digit(ms, rest):
    """Also with an offset, and with fewer digits."""
    text = to_text(ms)
    assert ticks(f"{text[:-1]}{rest:04}Z") == ms * 10_000 + rest
    assert ticks(f"{text[:-1]}{rest:04}+00:00") == ms * 10_000 + rest
    assert ticks(text) == ms * 10_000
    assert ticks("") == ticks("yesterday") == 0
