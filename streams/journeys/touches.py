"""Which touch explains an order (docs/kpis.md, Which one does). Pure."""

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from schemas.clock import to_text

LOSERS: Final = 20
_LAST: Final = "\U0010ffff"
_NO_SOURCE: Final = frozenset(("", "direct", "(direct)", "(none)", "none", "null", "undefined", "hellotext"))


class Touch(NamedTuple):
    """A delivery or a click that may explain an order; `at` in Unix milliseconds."""

    kind: Literal["click", "delivery"]
    at: int
    campaign: str
    message: str | None
    session: str | None
    evidence: Literal["report", "landing", "marketing_data"]
    day: str

    def document(self) -> dict[str, Any]:
        """Return it as a row of `attributions` tells it (schemas.kpis.Touch)."""
        return {**self._asdict(), "at": to_text(self.at)}


class Windows(NamedTuple):
    """For how long a touch may explain what follows, in milliseconds."""

    click: int
    delivery: int

    @property
    def longest(self) -> int:
        """The longer of the two."""
        return max(self.click, self.delivery)


class Explanation(NamedTuple):
    """What explains an order, and what else might have."""

    explanation: Literal["campaign", "external", "none"]
    rule: str
    winner: Touch | None = None
    losers: tuple[Touch, ...] = ()


def external_source(utm_source: str | None) -> str | None:
    """Return the recognised source that is not ours, in lower case, or None."""
    source = (utm_source or "").strip().lower()
    return None if source in _NO_SOURCE else source


def is_ours(utm_source: str | None) -> bool:
    """Say whether an order's source is one of our campaigns."""
    return (utm_source or "").strip().lower() == "hellotext"


def explain(touches: Iterable[Touch], ordered: int, windows: Windows, utm_source: str | None) -> Explanation:
    """Return what explains an order.

    Args:
        touches: all that its people and sessions have.
        ordered: when it was placed, Unix milliseconds.
        windows: the store's.
        utm_source: of the order's own marketing data.
    """
    ranked = sorted({touch for touch in touches if _in_window(touch, ordered, windows)}, key=rank)
    source = external_source(utm_source)
    if source is not None:
        return Explanation("external", f"external:{source}", None, tuple(ranked[:LOSERS]))
    if not ranked:
        return Explanation("none", "no touch in window")
    return Explanation("campaign", ranked[0].kind, ranked[0], tuple(ranked[1 : LOSERS + 1]))


def rank(touch: Touch) -> tuple[Any, ...]:
    """Return the sort key, best first: clicks, the most recent, then the smallest ids; none sorts last."""
    return (
        touch.kind != "click", -touch.at, touch.message or _LAST, touch.session or _LAST, touch.campaign,
        touch.evidence, touch.day,
    )  # fmt: skip


def _in_window(touch: Touch, ordered: int, windows: Windows) -> bool:
    window = windows.click if touch.kind == "click" else windows.delivery
    return touch.at <= ordered <= touch.at + window
