"""Windows over VTEX's timestamps take in every document, whatever `between` and the index do to dates."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from connectors.vtex.conditions import changed_in, created_in, one_of
from connectors.vtex.instants import UNKNOWN, Window, version_ms, version_of
from connectors.vtex.seen import Sighting
from sandbox.vtex.clock import iso, parse
from sandbox.vtex.entity import kept
from sandbox.vtex.where import Rounding, parse_where

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICKS = st.integers(1_700_000_000 * 10**7, 1_800_000_000 * 10**7)


def _row(created, updated):
    return kept({"id": "a", "createdIn": iso(created), "updatedIn": None if updated is None else iso(updated)})


@given(
    ticks=TICKS, created_only=st.booleans(), around=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    rounding=st.builds(Rounding, open_between=st.booleans(), whole_milliseconds=st.booleans()),
)  # fmt: skip
def test_a_document_of_the_window_is_found(ticks, created_only, around, rounding):
    """Updated or never updated, at 100 ns, on the very bound, with exclusive bounds, with an index of milliseconds."""
    ms = version_ms(iso(ticks))
    window = Window(ms - around[0], ms + around[1])
    row = _row(ticks if created_only else ticks - 10**9, None if created_only else ticks)
    condition = parse_where(
        changed_in(window), filters={"createdIn", "updatedIn"}, dates={"createdIn", "updatedIn"},
        rounding=rounding,
    )  # fmt: skip
    assert condition.test(row)


@given(ticks=TICKS, distance=st.integers(3, 1000))
def test_a_document_far_outside_is_not(ticks, distance):
    """A window is widened by a millisecond or two, not more."""
    ms = version_ms(iso(ticks))
    condition = parse_where(
        changed_in(Window(ms + distance, ms + distance + 10)), filters={"createdIn", "updatedIn"},
        dates={"createdIn", "updatedIn"}, rounding=Rounding(),
    )  # fmt: skip
    assert not condition.test(_row(ticks - 10**9, ticks))


@given(TICKS)
def test_versions_are_read_to_the_millisecond_below(ticks):
    """Seven digits become three, rounded down."""
    moment = EPOCH + timedelta(milliseconds=version_ms(iso(ticks)))
    assert 0 <= ticks - parse(moment.isoformat().replace("+00:00", "Z")) < 10_000


def test_the_version_is_updated_in_or_else_created_in():
    """UpdatedIn is null until the first update (NOTES 2.4)."""
    created, updated = "2026-01-01T00:00:00.1234567Z", "2026-01-02T00:00:00.1234567Z"
    assert version_of({"createdIn": created, "updatedIn": None}) == created
    assert version_of({"createdIn": created, "updatedIn": updated}) == updated
    assert version_of({}) == UNKNOWN
    assert version_ms(UNKNOWN) is None


def test_halves_are_the_whole():
    """Nothing lies between two halves."""
    first, second = Window(10, 21).halves()
    assert (first, second) == (Window(10, 15), Window(15, 21))
    assert Window(1, 3).splits
    assert not Window(1, 2).splits


def test_conditions_are_what_vtex_documents():
    """Full instants, no date-only bounds, both parts of coalesce."""
    assert changed_in(Window(1_795_687_200_000, 1_795_687_260_000)) == (
        "(updatedIn between 2026-11-26T09:59:59.999Z AND 2026-11-26T10:01:00.001Z) OR "
        "((updatedIn is null) AND (createdIn between 2026-11-26T09:59:59.999Z AND 2026-11-26T10:01:00.001Z))"
    )
    assert created_in(None) == "createdIn is null"
    assert one_of("id", ["a", "b"]) == "id=a OR id=b"


@given(TICKS, st.integers(-14, 14), st.integers(1, 10**10))
def test_versions_of_any_zone_are_compared_as_instants(ticks, hours, later):
    """Created in UTC, updated in the shop's own zone: the update is the newer, to the seventh digit."""
    shown = iso(ticks + later)
    local = datetime.fromisoformat(shown).astimezone(timezone(timedelta(hours=hours))).isoformat(timespec="seconds")
    digits = shown[len("2026-01-01T00:00:00.") : -len("Z")]
    updated = version_of({"updatedIn": f"{local[:19]}.{digits}{local[19:]}", "createdIn": iso(ticks)})
    created = Sighting(iso(ticks), "", 1, strong=True, settled=True)
    assert not created.outdates(Sighting(updated, "", 2, strong=True, settled=True))
    assert version_ms(updated) == version_ms(shown)


def test_what_only_looks_like_a_date_stays_as_it_is():
    """It tells no time, and is no reason to stop."""
    assert version_of({"updatedIn": "2026-99-99T00:00:00-03:00"}) == "2026-99-99T00:00:00-03:00"
