"""Bounds for rows that the outside world could make grow (docs/kpis.md, limits). Pure.

A bound may not make the result depend on the order of arrival: sets are cut to those with the smallest digest, or
the highest rank, of all that were ever offered; or they become "too many" for good.
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Final

SESSION_HASHES: Final = 50
SESSION_CAMPAIGNS: Final = 200
SESSION_ORDERS: Final = 50
HASH_SESSIONS: Final = 200
HASH_CUSTOMERS: Final = 20
HASH_ORDERS: Final = 200
ORDER_SESSIONS: Final = 50
ORDER_TOLD: Final = 100
ORDER_PEOPLE: Final = 200
ORDER_LANDINGS: Final = 50
CLICK_TIMES: Final = 100
CLICK_REPORTS: Final = 500
OTHER_REPORTS: Final = 200
RECIPIENT_DAY: Final = 200
RECIPIENT_CAMPAIGN: Final = 100

TOO_MANY: Final = ""
"""Stands in a set for all of its members; no identifier is empty."""


def digest(text: str) -> str:
    """Return 64 bits that stand for an identifier."""
    return b64encode(blake2b(text.encode(), digest_size=8).digest()).decode()[:11]


def choose(members: Iterable[str], most: int) -> list[str]:
    """Return at most so many members, sorted: those with the smallest digests, whatever the order of their coming."""
    found = set(members)
    if len(found) > most:
        found = set(sorted(found, key=lambda member: (digest(member), member))[:most])
    return sorted(found)


def recent(dated: Mapping[str, int], most: int) -> dict[str, int]:
    """Return at most so many entries: those with the highest values; ties by the smallest key."""
    if len(dated) <= most:
        return dict(dated)
    return dict(sorted(dated.items(), key=lambda entry: (-entry[1], entry[0]))[:most])


def recent_times(times: Iterable[int], most: int = CLICK_TIMES) -> list[int]:
    """Return the times in order: the most recent so many, and the earliest."""
    ordered = sorted(set(times))
    return ordered if len(ordered) <= most + 1 else [ordered[0], *ordered[-most:]]


def dated(members: Mapping[str, int] | None, member: str, day: int, *, oldest: int, most: int) -> dict[str, int] | None:
    """Return a set with a member seen on a day, or None when that tells nothing new.

    Args:
        members: each with the last day it was seen.
        member: who was seen.
        day: when.
        oldest: members not seen since are let go, when something is written at all.
        most: beyond it the set becomes "too many".
    """
    old = members or {}
    if TOO_MANY in old:
        return {TOO_MANY: day} if day > old[TOO_MANY] else None
    if old.get(member, -1) >= day:
        return None
    new = {one: seen for one, seen in old.items() if seen >= oldest} | {member: day}
    return new if len(new) <= most else {TOO_MANY: max(new.values())}
