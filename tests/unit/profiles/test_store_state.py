"""What a store's syncing knows as a whole: budget, gate, sweep and roster (streams/profile_rules/stores.py)."""

from types import SimpleNamespace

from streams.profile_rules.book import Entry
from streams.profile_rules.stores import BUCKET, MOST_UNDER_WAY, Gate, StoreBook, StoreState, Sweep
from tests.unit.profiles.conftest import a_customer

GATE = Gate("why", "mark", "c1", 7)


def shard():
    """Return a shard whose tables are dicts."""
    tables = {}
    return SimpleNamespace(table=lambda table: tables.setdefault(table.name, {}), tables=tables)


class TestBudget:
    def test_calls_are_counted_on_and_off_for_each_destination(self):
        """And never below none: an outcome that is told twice makes no room."""
        state = StoreState()
        state.started("a")
        state.started("a")
        assert (state.room("a"), state.room("b")) == (MOST_UNDER_WAY - 2, MOST_UNDER_WAY)
        for _ in range(3):
            state.ended("a")
        assert state.room("a") == MOST_UNDER_WAY


class TestSweep:
    def test_it_walks_over_each_bucket_once(self):
        """The last one, half full, too."""
        state = StoreState(count=2 * BUCKET + 1)
        state.want_sweep("a")
        walked = []
        while "a" in state.sweeps:
            walked.append(state.sweeps["a"].bucket)
            state.swept("a")
        assert walked == [0, 1, 2]

    def test_a_full_last_bucket_is_the_last(self):
        """No empty one is walked over."""
        state = StoreState(count=BUCKET, sweeps={"a": Sweep()})
        state.swept("a")
        assert state.sweeps == {}

    def test_wanted_on_its_way_it_begins_once_more(self):
        """Whom it has passed has to be looked at again; wanted before its first step it has passed nobody."""
        state = StoreState(count=2 * BUCKET)
        state.want_sweep("a")
        state.want_sweep("a")
        assert state.sweeps["a"] == Sweep()
        state.swept("a")
        state.want_sweep("a")
        state.swept("a")
        assert state.sweeps["a"] == Sweep()
        state.swept("a")
        state.swept("a")
        assert state.sweeps == {}


class TestGate:
    def test_only_one_that_was_closed_has_somebody_waiting(self):
        """To open it has everybody looked at; a destination that was open all the time has not."""
        state = StoreState()
        state.open("a")
        assert state.sweeps == {}
        state.close("a", GATE)
        state.open("a")
        assert (state.gates, state.sweeps) == ({}, {"a": Sweep()})


class TestBook:
    def test_only_what_has_changed_is_written(self):
        """A store that was only looked at has no row, and no row is written twice."""
        one = shard()
        book = StoreBook(one)
        book.get("acme")
        book.flush()
        assert one.tables["profiles.stores"] == {}

        book.get("acme").started("a")
        book.flush()
        written = one.tables["profiles.stores"]["acme"]
        StoreBook(one).get("acme")
        book.get("acme")
        book.flush()

        assert one.tables["profiles.stores"]["acme"] is written
        assert StoreBook(one).get("acme").room("a") == MOST_UNDER_WAY - 1

    def test_what_was_kept_is_read_again(self):
        """Gates, sweeps and counts."""
        one = shard()
        book = StoreBook(one)
        state = book.get("acme")
        state.close("a", GATE)
        state.want_sweep("b")
        state.count, state.options = 5, "x"
        book.flush()

        assert StoreBook(one).get("acme") == state

    def test_the_roster_fills_bucket_after_bucket(self):
        """Whoever is struck leaves a place that nobody takes: a walk passes each bucket once."""
        book = StoreBook(shard())
        buckets = [book.enroll("acme", f"c{number}") for number in range(BUCKET + 1)]
        book.strike("acme", "c0", 0)

        assert buckets == [0] * BUCKET + [1]
        assert book.members("acme", 0) == [f"c{number}" for number in range(1, BUCKET)]
        assert (book.members("acme", 1), book.members("acme", 2), book.members("other", 0)) == ([f"c{BUCKET}"], [], [])


def test_customers_meet_in_an_email_or_a_phone():
    """A value that neither has is nothing in common, and who tells none meets nobody."""

    def entry(**told):
        return Entry("acme", "c", content=a_customer(**{"email": None, "phone": None, **told}))

    email, phone, both = entry(email="a@x.co"), entry(phone="+551"), entry(email="a@x.co", phone="+551")

    assert email.meets(both)
    assert phone.meets(both)
    assert not email.meets(phone)
    assert not entry().meets(entry())
    assert not entry(email="a@x.co").meets(entry(email="b@x.co"))
    assert not Entry("acme", "c").meets(email)
    assert not email.meets(Entry("acme", "c"))
