"""Where a person may stand, and what becomes of it there: every topic and every table, each once (docs/privacy.md)."""

from typing import Final, Literal

from schemas import topics

Fate = Literal["erased", "destinations", "kept"]
"""erased: by the erasure agent. destinations: by the profiles agent, once the vendors have erased. kept: until then."""

ERASED: Final = frozenset(
    topic.name
    for topic in (
        topics.VTEX_CHANGES, topics.VTEX_CUSTOMERS, topics.PIXEL_IDENTITIES, topics.MESSAGE_REQUESTS,
        topics.DEAD_LETTERS,
    )
)  # fmt: skip
"""Topics whose records that carry a person get a tombstone: all that hold personal values."""
REWRITTEN: Final = frozenset((topics.VTEX_ORDERS.name, topics.ATTRIBUTIONS.name))
"""Topics whose rows go on without the person."""
DESTINATIONS: Final = frozenset((
    topics.PROFILES.name, "profiles.customers", "profiles.ids", "profiles.roster", "profiles.stores",
))  # fmt: skip
"""What goes with the last destination that has erased."""
LISTS: Final = frozenset((topics.PRIVACY_SUPPRESSIONS.name, topics.PRIVACY_REQUESTS.name, "privacy.suppressed"))
"""The list of the forgotten itself, and requests, which the agent removes."""
KEPT: Final = {
    topics.PIXEL_EVENTS.name: "hashes and the session's id",
    topics.TRACKING_EVENTS.name: "hashes and the session's id",
    topics.MESSAGE_REPORTS.name: "the hash of the phone",
    topics.EFFECTS_OUTCOMES.name: "ids and hashes",
    topics.EVENT_FATES.name: "ids",
    topics.VTEX_HINTS.name: "ids",
    topics.VTEX_CURSORS.name: "ids",
}
"""Topics without personal values whose records cannot be removed one by one, and what they hold."""
UNCONCERNED: Final = frozenset((topics.STORES.name, topics.CAMPAIGNS.name, topics.KPI_CAMPAIGNS.name))
"""Nobody stands in them."""


def fate_of(name: str) -> Fate:
    """Return what becomes of a person in a topic or table."""
    if name in KEPT:
        return "kept"
    return "destinations" if name in DESTINATIONS else "erased"
