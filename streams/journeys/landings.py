"""A landing: a session that came from a campaign, and the message that brought it. Pure.

A row: `o` the arrivals that the browser noted (note -> time), `s` the earliest sight of a visit that noted none, `c`
the channel.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from streams.journeys.limits import recent_times

Row = dict[str, Any]


def arrive(row: Row | None, at: int, channel: str | None, observed: int | None) -> Row | None:
    """Return the row after an arrival, or None when that is nothing new.

    Args:
        row: as it was.
        at: Unix milliseconds.
        channel: as the landing tells it.
        observed: the browser's own note of the arrival, which names it; None when `at` is when the visit was seen.
    """
    new: Row = dict(row or {})
    if observed is None:
        new["s"] = min(at, new.get("s", at))
    else:
        known = new.get("o", {})
        name = str(observed)
        joined = {**known, name: min(at, known.get(name, at))}
        new["o"] = {str(note): joined[str(note)] for note in recent_times(map(int, joined))}
    if channel is not None:
        new["c"] = min(channel, new.get("c", channel))
    return None if new == row else new


def times(row: Row) -> list[int]:
    """Return the times of its clicks: of each arrival that the browser noted; without any, the earliest sight."""
    return sorted(set(row["o"].values())) if row.get("o") else [row["s"]]


def time(row: Row) -> int:
    """Return the landing's time: its earliest."""
    return times(row)[0]


def known_message(landed: int, candidates: Iterable[tuple[str, Mapping[str, Any]]]) -> str | None:
    """Return which message brought a landing.

    Args:
        landed: the landing's time.
        candidates: messages (id and row) of its campaign to its session's people.

    Returns:
        The latest delivered at or before the landing, else the one reported earliest; ties by the smallest id.
    """
    delivered, others = [], []
    for message, row in candidates:
        at = row.get("d")
        if at is not None and at <= landed:
            delivered.append((-at, message))
        elif "f" in row:
            others.append((row["f"], message))
    best = min(delivered, default=None) or min(others, default=None)
    return best and best[1]
