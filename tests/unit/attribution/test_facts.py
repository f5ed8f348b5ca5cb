"""Facts only join: any order of the same joins ends in the same row, and no row grows without bound."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.vtex import group_of
from streams.journeys import customers, landings, limits, messages, sessions
from streams.journeys.messages import Report
from streams.journeys.orders import amounts, time_to_conversion
from streams.journeys.touches import Touch

DAY = 86_400_000


def vtex(**changes):
    """An order's facts."""
    return {"state": "placed", "amount": 1000, "currency": "BRL", **changes}


class TestOrders:
    @pytest.mark.parametrize(("name", "order"), [
        ("1234567890123", "1234567890123"), ("1234567890123-01", "1234567890123"), (" 1-99 ", "1"), ("a-1", "a-1"),
    ])  # fmt: skip
    def test_a_part_names_its_group(self, name, order):
        """The pixel may tell an order id where VTEX's group is meant."""
        assert order == group_of(name)

    @pytest.mark.parametrize(("order", "replaced", "expected"), [
        (vtex(), None, (1000, 0, 1000, 1)),
        (vtex(cancelled=300), None, (700, 0, 700, 1)),
        (vtex(cancelled=300, refunded=900), None, (700, 700, 0, 1)),
        (vtex(state="cancelled", refunded=1), None, (0, 0, 0, 0)),
        (vtex(state="replaced"), None, (0, 0, 0, 0)),
        (vtex(), vtex(amount=600), (600, 0, 600, 1)),
        (vtex(cancelled=500), vtex(amount=600, state="cancelled"), (500, 0, 500, 1)),
        (vtex(), vtex(amount=600, currency="USD"), (1000, 0, 1000, 1)),
        (vtex(amount=-5, refunded=3), None, (0, 0, 0, 1)),
        (vtex(refunded=3), vtex(amount=-5), (0, 0, 0, 1)),
    ])  # fmt: skip
    def test_what_counts_of_an_order(self, order, replaced, expected):
        """Cancelled is 0, refunds stay below what was not cancelled, a replacement is worth the smaller of both."""
        assert expected == amounts(order, replaced)

    @pytest.mark.parametrize(("days", "bucket"), [
        (0, "same_day"), (1, "d1_3"), (3, "d1_3"), (4, "d4_7"), (7, "d4_7"), (8, "d8_30"), (30, "d8_30"),
        (31, "d30_plus"), (-2, "same_day"),
    ])  # fmt: skip
    def test_days_to_conversion_are_local_days(self, days, bucket):
        """23:59 and 00:01 of the store's clock are two days."""
        evening = 1_800_000_000_000 // DAY * DAY + 2 * 3_600_000 + 59 * 60_000  # 23:59 in São Paulo
        touch = Touch("click", evening, "c", None, None, "landing", "")

        assert bucket == time_to_conversion(touch, evening + days * DAY, "America/Sao_Paulo")
        assert time_to_conversion(touch, evening + 2 * 60_000, "America/Sao_Paulo") == "d1_3"


class TestLimits:
    @given(st.lists(st.text(min_size=1, max_size=3), max_size=12), st.randoms())
    def test_a_bounded_choice_does_not_depend_on_the_order(self, members, random):
        """Members that come one by one are chosen as if they had come at once."""
        kept: list[str] = []
        for member in random.sample(members, k=len(members)):
            kept = limits.choose([*kept, member], 4)

        assert limits.choose(members, 4) == kept

    @given(st.lists(st.integers(0, 50), max_size=15), st.randoms())
    def test_the_most_recent_times_and_the_earliest_are_kept(self, times, random):
        """Whatever the order in which they become known."""
        kept: list[int] = []
        for at in random.sample(times, k=len(times)):
            kept = limits.recent_times([*kept, at], 3)

        assert sorted({min(times), *sorted(set(times))[-3:]} if times else ()) == kept

    def test_too_many_members_become_nobody(self):
        """Beyond the limit a set says that it is no longer one person's."""
        row = None
        for number in range(4):
            row = limits.dated(row, f"s{number}", 7, oldest=0, most=3)

        assert row == {limits.TOO_MANY: 7}
        assert limits.dated(row, "s9", 7, oldest=0, most=3) is None

    def test_members_not_seen_for_long_leave(self):
        """A daily visitor never becomes too many."""
        row = limits.dated({"old": 1, "new": 90}, "now", 100, oldest=50, most=2)

        assert row == {"new": 90, "now": 100}


class TestSessions:
    def test_what_is_known_is_no_news(self):
        """An identified shopper's every page tells the same hash: nothing is written."""
        row = sessions.tell(None, {"h": "e"}, 5, 0)

        assert row == {"t": {"h": ["e", 5]}, "n": 1}
        assert sessions.tell(row, {"h": "e"}, 5, 0) is None
        assert sessions.tell(row, {}, 6, 0) is None

    def test_a_new_day_is_written_without_news(self):
        """So that the row does not expire while the session lives."""
        row = sessions.tell({"t": {"h": ["e", 5]}}, {"h": "e"}, 6, 0)

        assert row == {"t": {"h": ["e", 6]}}

    @pytest.mark.parametrize("steps", [
        [lambda row, n: sessions.tell(row, {f"h{n}": "e"}, 1, 0)] * (limits.SESSION_HASHES + 1),
        [lambda row, n: sessions.act(row, [f"o{n}"], [])] * (limits.SESSION_ORDERS + 1),
        [lambda row, n: sessions.land(row, f"c{n}")] * (limits.SESSION_CAMPAIGNS + 1),
    ])  # fmt: skip
    def test_beyond_a_limit_it_is_a_machine(self, steps):
        """It tells nothing any more, and stays so."""
        row = None
        for number, step in enumerate(steps):
            assert not sessions.is_machine(row)
            row = step(row, number)

        assert sessions.is_machine(row)
        assert sessions.hashes(row) == {}
        assert sessions.tell(row, {"x": "e"}, 9, 0) is None
        assert sessions.act(row, ["x"], ["y"]) is None


class TestMessages:
    reports = st.builds(
        lambda number, status, at, facts: Report(f"r{number}", status, at, facts),
        st.integers(0, 9), st.sampled_from(["sent", "delivered", "clicked", "failed"]), st.integers(0, 5),
        st.fixed_dictionaries({}, optional={
            "campaign": st.sampled_from("ab"), "recipient": st.sampled_from("xy"),
            "price_micros": st.integers(0, 3), "currency": st.just("BRL"), "parts": st.integers(1, 2),
        }),
    )  # fmt: skip

    @given(st.lists(reports, max_size=8), st.randoms())
    def test_any_order_and_repetition_joins_to_one_row(self, reports, random):
        """Reports are a set."""
        once = again = None
        for report in reports:
            once = messages.join(once, report)
        for report in random.sample(reports * 2, k=2 * len(reports)):
            again = messages.join(again, report)

        assert once == again
        assert all(messages.note(once, report) is None for report in reports)

    def test_clicks_beyond_the_limit_are_not_counted(self):
        """What clicks so often is a machine; the row stays small."""
        row = None
        for number in range(limits.CLICK_REPORTS + 50):
            row = messages.join(row, Report(f"r{number}", "clicked", number, {}))

        assert len(row["n"]) == limits.CLICK_REPORTS
        assert [0, *range(limits.CLICK_REPORTS + 50 - limits.CLICK_TIMES, limits.CLICK_REPORTS + 50)] == row["k"]


class TestLandings:
    def test_an_arrival_that_the_browser_noted_is_one_however_often_told(self):
        """The earliest time told for a note counts; mere sight counts for nothing beside a note."""
        row = None
        for at, noted in ((50, None), (70, 60), (60, 60), (90, 90), (95, None)):
            row = landings.arrive(row, at, None, noted) or row

        assert landings.times(row) == [60, 90]
        assert landings.time(row) == 60
        assert landings.arrive(row, 70, None, 60) is None

    def test_without_a_note_the_earliest_sight_is_the_click(self):
        """A campaign that the cookie carries for years is clicked once."""
        row = None
        for at in (50, 40, 70):
            row = landings.arrive(row, at, None, None) or row

        assert landings.times(row) == [40]

    def test_the_message_delivered_last_before_the_landing_brought_it(self):
        """Else the one reported earliest; ties by the smallest id."""
        sent = {"m1": {"d": 10, "f": 5}, "m2": {"d": 20, "f": 1}, "m3": {"d": 20, "f": 1}, "m4": {"f": 2}}

        found = [landings.known_message(at, sent.items()) for at in (25, 15, 5)]

        assert found == ["m2", "m1", "m2"]
        assert landings.known_message(5, []) is None


def test_limits_of_the_documentation_are_those_of_the_code():
    """docs/kpis.md tells them in the order of the table."""
    from pathlib import Path  # noqa: PLC0415  only here

    text = (Path(__file__).parents[3] / "docs" / "kpis.md").read_text()
    told = [
        f"a session: {limits.SESSION_HASHES} hashes, {limits.SESSION_CAMPAIGNS} campaigns",
        f", {limits.SESSION_ORDERS} orders or carts",
        f"a hash: {limits.HASH_SESSIONS} sessions in 90 days, {limits.HASH_CUSTOMERS} customers",
        f"an order or cart: {limits.ORDER_SESSIONS} sessions",
        f"an order: {limits.ORDER_TOLD} hashes told in its sessions, {limits.ORDER_PEOPLE} hashes of its people",
        f"a hash: {limits.HASH_ORDERS} orders",
        f"a landing: {limits.CLICK_TIMES} click times",
        f"a message: {limits.CLICK_REPORTS} click reports; {limits.CLICK_TIMES} of their times",
        f"a recipient: {limits.RECIPIENT_DAY} messages a day, {limits.RECIPIENT_CAMPAIGN} messages of one campaign",
    ]

    places = [text.index(line) for line in told]

    assert all(before < after for before, after in pairwise(places))


class TestCustomers:
    def test_what_it_had_before_is_kept_until_kpis_has_looked(self):
        """Two versions in one batch: the hashes of both earlier states."""
        first = customers.change(None, 1, {"a": "e"})
        second = customers.change(customers.change({"v": 1, "h": {"a": "e"}}, 2, {"b": "e"}), 3, {"c": "e"})

        assert first == {"v": 1, "h": {"a": "e"}, "was": {}}
        assert second == {"v": 3, "h": {"c": "e"}, "was": {"a": "e", "b": "e"}}
        assert customers.change(second, 3, {"d": "e"}) is None
