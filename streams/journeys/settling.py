"""The explanation of an order whose buyer was forgotten: it stands, and tells of nobody any more. Pure.

What the order is worth may still change (a refund, a cancellation), what explains it may not: its evidence is erased.
Kept in the order's row as `fixed`: explanation, rule, winner, losers; touches without session and message.
"""

from collections.abc import Mapping
from typing import Any, Final

from streams.journeys.evidence import Evidence
from streams.journeys.touches import Explanation, Touch

NO_EVIDENCE: Final = Evidence({}, [], {"t": {}, "l": []})


def settled(row: Mapping[str, Any] | None) -> Explanation | None:
    """Return the explanation that was settled in an order's row; None where it is open."""
    fixed = row.get("fixed") if row else None
    if fixed is None:
        return None
    explanation, rule, winner, losers = fixed
    return Explanation(explanation, rule, Touch(*winner) if winner else None, tuple(Touch(*one) for one in losers))


def settle(row: Mapping[str, Any], found: Explanation) -> dict[str, Any]:
    """Return an order's row with its explanation settled."""
    winner = _anonymous(found.winner) if found.winner else None
    losers = sorted({_anonymous(one) for one in found.losers}, reverse=True)
    return {**row, "fixed": [found.explanation, found.rule, winner, losers]}


def _anonymous(touch: Touch) -> tuple[Any, ...]:
    return tuple(touch._replace(message=None, session=None))
