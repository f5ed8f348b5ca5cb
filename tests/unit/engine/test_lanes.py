"""Lanes and breakers: order per key, due times, and destinations that fail."""

import asyncio
from time import monotonic

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.breaker import Breaker
from streams.engine.lanes import Lanes

ROUTE = ("acme", "nowhere")


def row(seq, key="k", not_before=0, attempt=1, destination="nowhere"):
    """Return an outbox row."""
    effect = {"store": "acme", "destination": destination, "key": key}
    return {"seq": seq, "state": "staged", "attempt": attempt, "not_before": not_before, "effect": effect}


class TestLanes:
    """Only the head of a lane may run."""

    def test_one_key_runs_in_order(self):
        """The second waits until the first is gone."""
        lanes = Lanes()
        lanes.put("a", row(1))
        lanes.put("b", row(2))
        assert lanes.next(ROUTE, 0)[0] == "a"
        assert lanes.next(ROUTE, 0) is None
        lanes.remove("a")
        assert lanes.next(ROUTE, 0)[0] == "b"

    def test_keys_and_destinations_do_not_wait_for_each_other(self):
        """Different keys run side by side; different destinations too."""
        lanes = Lanes()
        lanes.put("a", row(1, "k1", not_before=99))
        lanes.put("b", row(2, "k2"))
        lanes.put("c", row(3, "k1", destination="elsewhere"))
        assert lanes.next(ROUTE, 0)[0] == "b"
        assert lanes.next(ROUTE, 0) == 99
        assert lanes.next(("acme", "elsewhere"), 0)[0] == "c"
        assert lanes.next(ROUTE, 99)[0] == "a"

    def test_an_effect_that_was_taken_back_is_not_held_for_the_one_of_its_key(self):
        """Staged again under its id it is another one: what was taken to run has no row any more."""
        lanes = Lanes()
        lanes.put("a", row(1))
        key, taken = lanes.next(ROUTE, 0)
        assert lanes.holds(key, taken)
        lanes.remove("a")
        assert not lanes.holds(key, taken)
        lanes.put("a", row(2))
        assert not lanes.holds(key, taken)
        assert lanes.next(ROUTE, 0) == ("a", row(2))

    def test_a_retried_effect_runs_again_when_due_and_before_those_behind_it(self):
        """A retry keeps its place."""
        lanes = Lanes()
        lanes.put("a", row(1))
        lanes.put("b", row(2))
        lanes.next(ROUTE, 0)
        lanes.put("a", row(1, attempt=2, not_before=50))
        assert lanes.next(ROUTE, 10) == 50
        assert lanes.next(ROUTE, 50)[0] == "a"

    def test_a_claim_does_not_start_it_twice(self):
        """The row changes to `started` while it runs."""
        lanes = Lanes()
        lanes.put("a", row(1))
        lanes.next(ROUTE, 0)
        lanes.put("a", row(1) | {"state": "started"})
        assert lanes.next(ROUTE, 0) is None

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=30), st.randoms())
    def test_everything_runs_once_and_in_order(self, staged, chance):
        """Whatever the due times, each key's effects run in the order of staging."""
        lanes = Lanes()
        for seq, (key, due) in enumerate(staged):
            lanes.put(f"e{seq}", row(seq, f"k{key}", due))
        ran, running, now = [], [], 0
        while lanes.rows:
            found = lanes.next(ROUTE, now)
            if isinstance(found, tuple):
                running.append(found)
            elif running:
                done = running.pop(chance.randrange(len(running)))
                ran.append((done[1]["effect"]["key"], done[1]["seq"]))
                lanes.remove(done[0])
            else:
                now = found
        for key in range(4):
            mine = [seq for name, seq in ran if name == f"k{key}"]
            assert mine == sorted(mine)
        assert len(ran) == len(staged)


class TestBreaker:
    """After failures in a row, nobody calls for a while; then one tries."""

    async def test_opens_after_failures_in_a_row_and_lets_one_try(self):
        """A success closes it again."""
        breaker = Breaker(after=3, first_s=0.05, longest_s=1.0)
        for _ in range(3):
            await breaker.ready()
            breaker.bad()
        assert breaker.open_since is not None
        started = monotonic()
        await breaker.ready()
        assert monotonic() - started >= 0.045
        second = asyncio.create_task(breaker.ready())
        await asyncio.sleep(0)
        assert not second.done()
        breaker.good()
        await asyncio.wait_for(second, 1)
        assert breaker.open_since is None

    async def test_stays_open_longer_each_time(self):
        """The pause doubles up to its limit."""
        breaker = Breaker(after=1, first_s=0.02, longest_s=0.05)
        waited = []
        for _ in range(4):
            breaker.bad()
            started = monotonic()
            await breaker.ready()
            waited.append(monotonic() - started)
        assert waited[0] >= 0.018
        assert waited[1] >= 0.036
        assert waited[3] < 0.5

    def test_calls_that_had_begun_before_it_opened_do_not_keep_it_open_longer(self):
        """Eight calls that fail together are one failure of the destination, not four more pauses."""
        breaker = Breaker(after=5, first_s=10.0, longest_s=300.0)
        for _ in range(8):
            breaker.bad()
        assert breaker._open_until - monotonic() <= 10.0

    async def test_whoever_makes_no_call_after_all_lets_another_one_try(self):
        """Else nobody would ever try again, and the destination stay closed."""
        breaker = Breaker(after=1, first_s=0.0, longest_s=0.0)
        breaker.bad()
        await breaker.ready()
        breaker.untried()
        await asyncio.wait_for(breaker.ready(), 10)
        assert breaker.open_since is not None

    async def test_failures_count_in_a_row_only_and_the_first_pause_comes_again(self):
        """An answer between them closes it, and it begins anew."""
        breaker = Breaker(after=2, first_s=10.0, longest_s=300.0)
        for answered in (True, False):
            breaker.bad()
            assert breaker.open_since is None
            if answered:
                breaker.good()
        breaker.bad()
        breaker.good()
        breaker._open_until = 0.0
        breaker.bad()
        breaker.bad()
        assert 9.0 < breaker._open_until - monotonic() <= 10.0

    def test_a_destination_may_ask_for_more_time_never_for_less(self):
        """Of two pauses the longer one holds."""
        breaker = Breaker(after=5, first_s=1.0, longest_s=2.0)
        breaker.pause(60.0)
        breaker.pause(1.0)
        assert breaker._open_until - monotonic() > 50.0
