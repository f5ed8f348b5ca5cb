"""Which touch explains an order (docs/kpis.md, Which one does)."""

import pytest

from schemas.clock import HOUR_MS
from streams.journeys.touches import LOSERS, Touch, Windows, explain

WINDOWS = Windows(click=168 * HOUR_MS, delivery=24 * HOUR_MS)
ORDERED = 1_000 * HOUR_MS


def click(hours: float, **changes) -> Touch:
    """A click so many hours before the order."""
    touch = Touch("click", int(ORDERED - hours * HOUR_MS), "spring", "m1", None, "report", "2026-12-24")
    return touch._replace(**changes)


def delivery(hours: float, **changes) -> Touch:
    """A delivery so many hours before the order."""
    return click(hours, **{"kind": "delivery", **changes})


class TestWindows:
    @pytest.mark.parametrize(("touch", "explains"), [
        (click(168), True), (click(168.001), False), (click(0), True), (click(-0.001), False),
        (delivery(24), True), (delivery(24.001), False),
    ])  # fmt: skip
    def test_both_ends_belong_to_a_window(self, touch, explains):
        """A touch counts from its own instant to the last of its window, and never after the order."""
        found = explain([touch], ORDERED, WINDOWS, None)

        assert (touch if explains else None) == found.winner
        assert ("click" if touch.kind == "click" else "delivery") == found.rule or not explains

    def test_without_a_touch_nothing_explains_it(self):
        """No candidate: explanation none, with its rule."""
        assert explain([], ORDERED, WINDOWS, "") == ("none", "no touch in window", None, ())


class TestPrecedence:
    def test_an_older_click_beats_a_later_delivery(self):
        """The class counts before the time."""
        found = explain([delivery(1), click(100)], ORDERED, WINDOWS, None)

        assert click(100) == found.winner
        assert (delivery(1),) == found.losers

    def test_the_most_recent_of_a_class_wins(self):
        """Inside a class, time decides."""
        assert click(1) == explain([click(3), click(1), click(2)], ORDERED, WINDOWS, None).winner

    @pytest.mark.parametrize(("better", "worse"), [
        (click(1, message="a"), click(1, message="b")),
        (click(1, message="z"), click(1, message=None, session="a")),
        (click(1, message=None, session="a"), click(1, message=None, session="b")),
        (click(1, message=None, session="z"), click(1, message=None, session=None)),
        (click(1, campaign="a"), click(1, campaign="b")),
    ])  # fmt: skip
    def test_ties_go_to_the_smallest_message_then_session_then_campaign(self, better, worse):
        """What has no id sorts last."""
        assert better == explain([worse, better], ORDERED, WINDOWS, None).winner

    @pytest.mark.parametrize("source", ["google", " Google ", "facebook"])
    def test_a_recognised_source_beats_everything(self, source):
        """Our touches are kept beside it as losers."""
        found = explain([click(1)], ORDERED, WINDOWS, source)

        assert ("external", f"external:{source.strip().lower()}", None, (click(1),)) == found

    @pytest.mark.parametrize(
        "source", [None, "", "direct", "(direct)", "(none)", "None", "NULL", "undefined", "HelloText"]
    )
    def test_no_source_and_ours_are_not_external(self, source):
        """What names nobody, or us, leaves the order to the touches."""
        assert explain([click(1)], ORDERED, WINDOWS, source).explanation == "campaign"

    def test_only_the_next_best_are_kept(self):
        """A row stays small, however much a shopper was written to."""
        found = explain([click(hours) for hours in range(100)], ORDERED, WINDOWS, None)

        assert click(0) == found.winner
        assert tuple(click(hours) for hours in range(1, LOSERS + 1)) == found.losers
