"""The chart of revenue over time, as geometry: a template draws it as SVG, with no script.

Widths are percentages and heights pixels, so that text keeps its size on any screen.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from connectors.console.figures import Figures

HEIGHT: Final = 220.0
_LABELS: Final = 6
_STEPS: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: net revenue, and what was refunded on top of it."""

    x: float
    width: float
    y: float
    height: float
    refund_y: float
    refund_height: float
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """A value of the scale."""

    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Label:
    """A day of the scale."""

    x: float
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What the template draws."""

    height: float
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    labels: tuple[Label, ...]
    summary: str
    empty: bool


@dataclass(frozen=True, slots=True)
class Day:
    """Revenue of one day, in minor units."""

    net: int = 0
    refunded: int = 0
    orders: int = 0


def revenue_chart(days: dict[date, Day], first: date, last: date, currency: str, figures: Figures) -> Chart:
    """Return the chart of the days from first to last, both included.

    Args:
        days: those that have something; others count as none.
        first: day of the scale.
        last: day of the scale.
        currency: of the amounts.
        figures: formats amounts and days.
    """
    span = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    shown = [days.get(day, Day()) for day in span]
    top = _ceiling(max((max(day.net, 0) + day.refunded for day in shown), default=0))
    slot = 100 / len(span)
    bars = tuple(
        _bar(number * slot, slot, day, top, _title(when, day, currency, figures))
        for number, (when, day) in enumerate(zip(span, shown, strict=True))
        if day.orders or day.net or day.refunded
    )
    net = sum(day.net for day in shown)
    summary = (
        f"Net revenue by day, {figures.day(first)} to {figures.day(last)}: "
        f"{figures.money(net, currency).text} in all, from {sum(day.orders for day in shown)} orders"
    )
    lines = tuple(Line(_y(top * part / 4, top), figures.short_money(top * part / 4, currency)) for part in range(5))
    return Chart(HEIGHT, bars, lines, _labels(span, slot, figures), summary, empty=not bars)


def _bar(x: float, slot: float, day: Day, top: float, title: str) -> Bar:
    net = max(day.net, 0)
    y, refund_y = _y(net, top), _y(net + day.refunded, top)
    gap = slot * 0.14
    return Bar(
        round(x + gap, 3), round(slot - 2 * gap, 3), y, round(HEIGHT - y, 1), refund_y, round(y - refund_y, 1), title
    )


def _title(when: date, day: Day, currency: str, figures: Figures) -> str:
    text = f"{figures.day(when)}: {figures.money(day.net, currency).text} net, {day.orders} orders"
    return f"{text}, {figures.money(day.refunded, currency).text} refunded" if day.refunded else text


def _y(value: float, top: float) -> float:
    return round(HEIGHT - HEIGHT * value / top, 1)


def _ceiling(value: int) -> float:
    """Return the round number at the top of the scale: divisible by four, so that the lines are round too."""
    size: int = 10 ** max(len(str(max(value, 1))) - 1, 2)
    return next(float(step * size * 4) for step in (*(s / 10 for s in _STEPS), *_STEPS) if step * size * 4 >= value)


def _labels(span: list[date], slot: float, figures: Figures) -> tuple[Label, ...]:
    every = max(1, -(-len(span) // _LABELS))
    labels = []
    for number in range(0, len(span), every):
        middle = (number + 0.5) * slot
        anchor = "start" if middle < 6 else "end" if middle > 94 else "middle"  # noqa: PLR2004  room for half a label
        labels.append(Label(round(middle, 3), figures.short_day(span[number]), anchor))
    return tuple(labels)
