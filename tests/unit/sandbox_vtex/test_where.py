"""The `_where` grammar, and what VTEX makes of dates in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.vtex.clock import iso, parse
from sandbox.vtex.rows import Kept
from sandbox.vtex.where import BadWhere, Rounding, parse_where

FILTERS = {"createdIn", "updatedIn", "email", "firstName", "isNewsletterOptIn", "userId", "homePhone"}
DATES = {"createdIn", "updatedIn"}


def row(created: str = "2026-05-26T20:05:00Z", updated: str | None = None, **fields) -> Kept:
    """Return a document."""
    return Kept("id", parse(created), parse(updated) if updated else None, {"id": "id", **fields})


def holds(text: str, found: Kept, **rounding: bool) -> bool:
    """Whether a document fulfils a condition."""
    return parse_where(text, filters=FILTERS, dates=DATES, rounding=Rounding(**rounding)).test(found)


class TestDates:
    def test_a_day_is_a_whole_day_so_later_the_same_day_is_not_after_it(self):
        """The trap that lost profiles: created at 20:05 does not match `createdIn>` its own date."""
        assert not holds("createdIn>2026-05-26", row())
        assert holds("createdIn>2026-05-25", row())
        assert holds("createdIn=2026-05-26", row())
        assert not holds("createdIn<2026-05-26", row())

    def test_bounds_of_between_are_in_or_out_by_choice(self):
        """Whether `between` includes its bounds is documented nowhere."""
        text = "createdIn between 2026-05-26T20:05:00Z AND 2026-05-26T20:06:00Z"

        assert holds(text, row())
        assert not holds(text, row(), open_between=True)

    def test_whole_milliseconds_lose_what_is_below_them(self):
        """An index that keeps milliseconds finds 0.1234567 at a bound of 0.1239."""
        text = "createdIn > 2026-05-26T20:05:00.1231Z"
        found = row("2026-05-26T20:05:00.1234567Z")

        assert holds(text, found)
        assert not holds(text, found, whole_milliseconds=True)

    def test_a_missing_date_fulfils_no_comparison(self):
        """Documents never updated are found by their creation alone."""
        assert not holds("updatedIn between 2000-01-01T00:00:00Z AND 2100-01-01T00:00:00Z", row())
        assert holds("updatedIn is null", row())
        assert holds("(updatedIn is null) AND (createdIn between 2026-05-26T00:00:00Z AND 2026-05-27T00:00:00Z)", row())

    @given(st.integers(0, 4 * 10**16), st.integers(0, 4 * 10**16), st.integers(0, 4 * 10**16))
    def test_full_timestamps_compare_by_the_tick(self, low, high, at):
        """A closed range over written timestamps is a closed range over ticks."""
        text = f"createdIn between {iso(low)} AND {iso(high)}"
        assert holds(text, row(iso(at))) == (low <= at <= high)


class TestGrammar:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("email=ANA@x.example", True),
            ("email<>ana@x.example", False),
            ("firstName=Ana Maria", True),
            ('firstName="Ana Maria" AND isNewsletterOptIn=true', True),
            ("firstName=*maria*", True),
            ("isNewsletterOptIn=false OR email=ana@x.example", True),
            ("isNewsletterOptIn=false AND email=ana@x.example OR firstName=Ana Maria", True),
            ("isNewsletterOptIn=false AND (email=ana@x.example OR firstName=Ana Maria)", False),
            ("homePhone is null", True),
            ("homePhone is not null", False),
            ("email is not null", True),
        ],
    )
    def test_conditions(self, text, expected):
        """AND binds stronger than OR; text is compared without case."""
        assert holds(text, row(email="ana@x.example", firstName="Ana Maria", isNewsletterOptIn=True)) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "rclastcart=x", "email", "email=", "createdIn between 2026-01-01", "(email=a", "email=a)", "AND",
            "createdIn>=2026-01-01", "createdIn>soon", "email is nothing", "createdIn between x AND y",
        ],
    )  # fmt: skip
    def test_everything_else_is_refused(self, text):
        """`>=` is not in VTEX's reference, fields without a filter cannot be filtered."""
        with pytest.raises(BadWhere):
            parse_where(text, filters=FILTERS, dates=DATES, rounding=Rounding())
