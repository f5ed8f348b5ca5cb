"""Landings: the arrivals from our campaigns (docs/kpis.md, "Touches"). Pure.

Hellotext's cookie carries a campaign for ten years, so an event that merely carries it is no click. A landing is a
(session, campaign) that was not seen before, or seen now with an earlier time, or with another `observed_at`. What is
kept for it makes repeated landings rare; readers take them as a set, so that one told twice changes nothing.
"""

from typing import Any, Final

from schemas.clock import to_text
from streams.tracking_rules.envelope import Event

SOURCE: Final = "hellotext"
_MOST: Final = 16
"""Notes of arrivals kept for a (session, campaign), the latest: an older client notes one for each page it builds."""

Row = dict[str, int]
"""Arrivals: the browser's own note of each, Unix milliseconds as text, to the earliest time; `""` is mere sight."""


def carries_campaign(data: dict[str, Any]) -> bool:
    """Return whether an event carries one of our campaigns in a session."""
    utm = data.get("utm")
    return utm is not None and utm.get("source") == SOURCE and "campaign" in utm and "session" in data


def land(event: Event, known: Row | None) -> Row | None:
    """Add its landing to an event that carries a campaign, if it is one.

    Args:
        event: placed in time, its origin mended.
        known: the row of (session, campaign).

    Returns:
        The row to be kept; None when nothing is new.
    """
    utm, observed = event.data["utm"], event.observed
    note = "" if observed is None else str(observed)
    at = event.at if observed is None else min(observed, event.received)
    known = known or {}
    if known.get(note, at + 1) <= at or (observed is None and _noted(known)):
        return None
    landing = {"campaign": utm["campaign"], "channel": utm.get("medium"), "at": to_text(at)}
    if observed is not None:
        landing["observed_at"] = to_text(observed)
    event.data["landing"] = landing
    return _latest({**known, note: at})


def _noted(known: Row) -> bool:
    """Mere sight says nothing where the browser's own note is known."""
    return len(known) > ("" in known)


def _latest(row: Row) -> Row:
    if len(row) <= _MOST:
        return row
    notes = sorted((note for note in row if note), key=int)[-_MOST + 1 :]
    return {note: row[note] for note in ["", *notes] if note in row}
