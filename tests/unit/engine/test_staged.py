"""What a turn writes to a table before it is committed, and what stopped agents remember: the rules alone."""

from datetime import timedelta

import pytest

from streams.engine.errors import AgentStopped, Misuse
from streams.engine.fuse import BLOWS_AT, WINDOW, Fuses
from streams.engine.parts import memory_part
from streams.engine.staged import StagedTable
from streams.engine.table import TEXT, Table

DAY_MS = 86_400_000
START = 1_800_000_000_000
PLAIN = Table("plain", TEXT)
EXPIRING = Table("expiring", TEXT, ttl=timedelta(days=1))


def staged(table, rows=()):
    """Return a view two days after these rows were written."""
    part = memory_part(table)
    part.apply({key: key.encode() for key in rows}, START, 0)
    return StagedTable(table, part, START + 2 * DAY_MS)


class TestExpiry:
    def test_what_the_turn_has_written_anew_does_not_expire_with_the_old(self):
        """Its tombstone would take the new row along."""
        view = staged(EXPIRING, ["old", "written"])
        view["written"] = "again"
        view.keep(view.encoded(100))

        assert view.expire(10) == 1
        assert view.writes == {"written": b"again", "old": None}

    def test_rows_without_a_time_to_live_stay(self):
        """And nothing more is told to wait for the next turn."""
        view = staged(PLAIN, ["old"])

        assert (view.expire(10), view.writes) == (0, {})

    def test_a_removed_row_is_as_absent_as_one_that_never_was(self):
        """Before and after the step is kept; a default stands in its place."""
        view = staged(PLAIN, ["a", "b"])
        del view["a"]
        before = ("a" in view, view.get("a", "none"), list(view.items()))
        view.keep(view.encoded(100))

        assert before == (False, "none", [("b", "b")])
        assert ("a" in view, view.get("a", "none"), list(view.items())) == before
        with pytest.raises(KeyError):
            view["a"]

    @pytest.mark.parametrize("use", [lambda view: view.get("a"), lambda view: "a" in view])
    def test_a_view_of_an_earlier_turn_cannot_be_read(self, use):
        """It would tell what is no longer so."""
        view = staged(PLAIN, ["a"])
        view.end()

        with pytest.raises(Misuse, match="an earlier turn"):
            use(view)


def failures(fuses, most=10 * WINDOW, store="acme"):
    """Return how many failures it takes until the fuse blows."""
    for number in range(1, most):
        try:
            fuses.bad("agent", "topic", store, ValueError())
        except AgentStopped:
            return number
    return None


class TestFuses:
    def test_a_fuse_blows_at_so_many_failures(self):
        """Not one earlier or later."""
        assert failures(Fuses()) == BLOWS_AT

    def test_what_went_well_long_ago_does_not_hold_it_up(self):
        """It remembers a window, whatever went before: a million good records weigh no more than five hundred."""
        fuses = Fuses()
        for _ in range(BLOWS_AT - 1):
            fuses.bad("agent", "topic", "acme", ValueError())
        fuses.good("agent", "topic", {"acme": 1_000_000})

        assert failures(fuses) < 5 * WINDOW

    def test_each_agent_and_topic_has_its_own(self):
        """What one fails on is no other's fault."""
        fuses = Fuses()
        for _ in range(BLOWS_AT - 1):
            fuses.bad("agent", "topic", "acme", ValueError())
        fuses.bad("agent", "other", "acme", ValueError())
        fuses.bad("another", "topic", "acme", ValueError())

        assert failures(fuses) == 1
