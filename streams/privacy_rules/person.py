"""A person to be forgotten, as the erasers see them. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.privacy import ErasureRequest

_ALIAS_DIGITS = 24


class Person:
    """The identifiers of one person.

    Attributes:
        hashes: of e-mails, phones and ids.
        customers: ids of customers.
        users: VTEX profile ids.
        sessions: browser sessions that are theirs alone.
        orders: theirs.
    """

    def __init__(self, request: ErasureRequest) -> None:
        self.hashes = frozenset(request.hashes)
        self.customers = frozenset(request.customers)
        self.users = frozenset(request.users) | self.customers
        self.sessions = frozenset(request.sessions)
        self.orders = frozenset(request.orders)
        self._salt = request.request

    def visitor(self, name: str) -> str:
        """Return the name under which a visitor stays counted: another one for this person, told by nothing.

        Unique visitors are counted by name (Facts.visitor: `c:` customer, `h:` hash, `s:` session). Mixed with the
        request's random id it says no more than that it is one visitor.
        """
        kind, _, value = name.partition(":")
        theirs = {"c": self.customers, "h": self.hashes, "s": self.sessions}.get(kind, frozenset())
        if value not in theirs:
            return name
        return f"f:{hashlib.sha256(f'{self._salt}/{name}'.encode()).hexdigest()[:_ALIAS_DIGITS]}"

    def without(self, row: Mapping[str, Any] | Iterable[str], gone: frozenset[str]) -> Any:
        """Return a list or mapping without the members that are gone; None when nothing is left."""
        if isinstance(row, Mapping):
            return {name: value for name, value in row.items() if name not in gone} or None
        return [one for one in row if one not in gone] or None
