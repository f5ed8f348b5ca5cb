"""Hashes that stand for e-mails, phones and customer ids: how they are written in rows. Pure.

A hash's kind matters where a phone is looked for: messages go to phones.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

EMAIL: Final = "e"
PHONE: Final = "p"
CUSTOMER: Final = "c"
FIELDS: Final = (("email_hash", EMAIL), ("phone_hash", PHONE), ("customer_hash", CUSTOMER))

Hashes = dict[str, str]
"""Each hash with its kind."""


def told(data: Mapping[str, Any]) -> Hashes:
    """Return the hashes that a tracking event or an order tells."""
    return {data[field]: kind for field, kind in FIELDS if data.get(field)}


def phones(hashes: Mapping[str, str]) -> list[str]:
    """Return those that stand for phones."""
    return sorted(value for value, kind in hashes.items() if kind == PHONE)


def smallest(hashes: Mapping[str, str]) -> str | None:
    """Return the smallest e-mail hash, else the smallest phone hash, else the smallest customer hash."""
    for _, kind in FIELDS:
        if found := [value for value, of in hashes.items() if of == kind]:
            return min(found)
    return None


def union(many: Iterable[Mapping[str, str]]) -> Hashes:
    """Return all of them together."""
    return dict(_pairs(many))


def _pairs(many: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for one in many:
        yield from one.items()
