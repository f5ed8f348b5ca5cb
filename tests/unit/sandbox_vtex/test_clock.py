"""Times with up to seven digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.vtex.clock import iso, order_time, parse


@given(st.integers(0, 6 * 10**16))
def test_written_ticks_read_back(ticks):
    """No precision is lost, whatever the zone is written like."""
    assert parse(iso(ticks)) == ticks
    assert parse(order_time(ticks)) == ticks


def test_trailing_zeros_are_left_out():
    """VTEX's own samples show six digits beside seven."""
    assert iso(parse("2019-08-12T20:54:01.1340570Z")) == "2019-08-12T20:54:01.134057Z"
    assert iso(parse("2019-08-12T20:54:01Z")) == "2019-08-12T20:54:01Z"


def test_offsets_are_heard():
    """`rclastsessiondate` has an offset, unlike `createdIn`."""
    assert parse("2026-07-02T20:09:17-03:00") == parse("2026-07-02T23:09:17Z")


@pytest.mark.parametrize("text", ["", "soon", "2026", "2026-13-01", "20260101"])
def test_anything_else_is_no_time(text):
    """A filter on it is answered 400."""
    with pytest.raises(ValueError):  # noqa: PT011  datetime has its own words
        parse(text)
