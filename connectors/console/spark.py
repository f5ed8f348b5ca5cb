"""A line so small that it needs no scale: SVG paths."""

from dataclasses import dataclass
from typing import Final

WIDTH: Final = 240.0
HEIGHT: Final = 44.0
_MARGIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Spark:
    """A line and the area below it; `empty` where every value is 0."""

    line: str
    area: str
    empty: bool


def spark(values: list[int]) -> Spark:
    """Return the line through values at equal distances; below 0 counts as 0."""
    shown = [max(value, 0) for value in values]
    top = max(shown, default=0)
    if top == 0:
        return Spark("", "", empty=True)
    step = WIDTH / max(len(shown) - 1, 1)
    points = [
        f"{place * step:.1f} {HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * value / top:.1f}"
        for place, value in enumerate(shown)
    ]
    line = "M" + " L".join(points)
    return Spark(line, f"{line} L{WIDTH:.1f} {HEIGHT:.1f} L0 {HEIGHT:.1f} Z", empty=False)
