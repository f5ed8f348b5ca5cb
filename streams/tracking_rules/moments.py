"""When an event happened: what its sender says, bounded by the receipt (issue 7, item 4). Pure."""

from typing import Final

from schemas.clock import DAY_MS, to_text
from streams.tracking_rules.envelope import Event, instant

OLDEST_MS: Final = 30 * DAY_MS
"""What is kept of events. A browser that says more has a wrong clock, since its queue does not wait so long."""


def place_in_time(event: Event) -> None:
    """Set when the event happened: `tracked_at`, unless that is impossible.

    The future is impossible. So is, for a browser or an app, what is older than 30 days; a shop's back end has a clock
    and a past, so its word stands.

    Raises:
        Poison: `tracked_at` is unreadable.
    """
    data = event.data
    told = data.get("tracked_at")
    if told is None:
        data["at"] = event.received_text
        return
    at = instant(told)
    server = data.get("sent_by") == "server"
    if at > event.received or (at < event.received - OLDEST_MS and not server):
        data["at_received"] = True
        at = event.received
    event.at = at
    data["at"] = to_text(at)
