"""How far a first reading is, from the position that its poller commits."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.vtex.progress import STALLED, progress_of
from schemas.vtex import Cursor

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def told(resource="customers.backfill", **position):
    """Return what a cursor of such a position tells."""
    return progress_of(Cursor(store="acme", resource=resource, position=position, updated_at=NOW))


def test_what_the_poller_tells():
    """Done, in total, a second, time left."""
    reading = told(done=250, total=1000, rate=12.5, left_s=60.0)
    assert (reading.resource, reading.done, reading.total, reading.share) == ("customers", 250, 1000, 0.25)
    assert (reading.rate, reading.left_s, reading.finished) == (12.5, 60.0, False)
    assert told("customers.scan", done=1).resource == "customers.scan"


@pytest.mark.parametrize("position", [{}, {"done": True}, {"done": -1}, {"done": "5"}, {"settled": 1}])
def test_what_is_no_reading_of_everything(position):
    """Nothing in a position can harm."""
    assert told(**position) is None
    assert told("customers", done=5) is None


def test_a_total_is_an_estimate():
    """More than there are is all of them; none is not known; what has ended is whole."""
    assert told(done=12, total=10).share == 1.0
    assert told(done=12).share is told(done=12, total=0).share is None
    assert told(done=12, total="many").total is None
    assert told(done=3, total=10, finished=True).share == 1.0


def test_who_tells_nothing_for_minutes_stands_still():
    """Unless it has ended."""
    assert not told(done=1).stalled(NOW + STALLED)
    assert told(done=1).stalled(NOW + STALLED + timedelta(seconds=1))
    assert not told(done=1, finished=True).stalled(NOW + timedelta(days=1))
