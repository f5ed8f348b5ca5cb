"""Which tracking events may be news to an order or a landing: the few that the agents behind tracking have to read.

The tracking agent, which has read every event, marks the others with a header, so that nobody has to look into them
again: looking at the bytes of each cost the two readers a tenth of the whole pipeline's time. A record without the
mark is read, whoever wrote it: the mark can only save work.
"""

from collections.abc import Mapping
from typing import Any, Final

from schemas.pixel import CHECKOUT_STARTED, HASHES
from streams.engine.agent import Header, Record

QUIET: Final[Header] = ("quiet", b"1")
_HASHES: Final = frozenset(HASHES)


def is_news(data: Mapping[str, Any]) -> bool:
    """Return whether a tracking event tells who somebody is, or of a landing, an order or a checkout."""
    if "landing" in data or not data.keys().isdisjoint(_HASHES):
        return True
    action = data.get("action")
    return action is not None and (action == CHECKOUT_STARTED or action.startswith("order."))


def may_be_news(record: Record) -> bool:
    """Return whether a record of `tracking.events` has to be read."""
    return QUIET not in record.headers
