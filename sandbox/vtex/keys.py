"""Application keys and what License Manager lets each of them do (NOTES 1)."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sandbox.vtex.clock import DAY, SECOND, Clock, system_clock


class Resource(StrEnum):
    """License Manager resources, by the names a merchant sees."""

    READ_DOCUMENTS = "Read only documents"
    WRITE_DOCUMENTS = "Insert or update document (not remove)"
    ALL_DOCUMENTS = "Full access to all documents"
    MASTER_DATA_ADMIN = "Master Data administrator"
    LIST_ENTITIES = "List data entity"
    VIEW_ENTITY = "View data entity details"
    LIST_ORDERS = "List Orders"
    VIEW_ORDER = "View order"
    ORDERS_FULL = "Orders Full Access"
    FEED_ADMIN = "Feed v3 and Hook Admin"
    FEED_VIEW = "Feed v3 and Hook view only"


class Call(StrEnum):
    """Kinds of calls, each open to keys with any one of some resources."""

    READ = "read documents"
    SCROLL = "scroll documents"
    WRITE = "write documents"
    DELETE = "delete documents"
    ENTITIES = "list entities"
    ENTITY = "describe an entity"
    LIST = "list orders"
    ORDER = "get order"
    CONVERSATION = "read an order's conversation"
    FEED = "read the feed"
    FEED_SET = "configure feed and hook"


_READERS: Final = frozenset({
    Resource.READ_DOCUMENTS, Resource.WRITE_DOCUMENTS, Resource.ALL_DOCUMENTS, Resource.MASTER_DATA_ADMIN,
})  # fmt: skip
_OPEN_TO: Final[dict[Call, frozenset[Resource]]] = {
    Call.READ: _READERS,
    Call.SCROLL: _READERS,
    Call.WRITE: frozenset({Resource.WRITE_DOCUMENTS, Resource.ALL_DOCUMENTS, Resource.MASTER_DATA_ADMIN}),
    Call.DELETE: frozenset({Resource.ALL_DOCUMENTS, Resource.MASTER_DATA_ADMIN}),
    Call.ENTITIES: frozenset({Resource.MASTER_DATA_ADMIN, Resource.LIST_ENTITIES}),
    Call.ENTITY: frozenset({Resource.MASTER_DATA_ADMIN, Resource.VIEW_ENTITY}),
    Call.LIST: frozenset({Resource.LIST_ORDERS, Resource.ORDERS_FULL}),
    Call.ORDER: frozenset({Resource.VIEW_ORDER, Resource.ORDERS_FULL}),
    Call.CONVERSATION: frozenset({Resource.ORDERS_FULL}),
    Call.FEED: frozenset({Resource.FEED_ADMIN, Resource.FEED_VIEW}),
    Call.FEED_SET: frozenset({Resource.FEED_ADMIN}),
}  # fmt: skip

CONNECTOR: Final = frozenset({
    Resource.READ_DOCUMENTS, Resource.LIST_ORDERS, Resource.VIEW_ORDER, Resource.FEED_ADMIN, Resource.ORDERS_FULL,
})  # fmt: skip
"""What a connector needs, and no right to write customers."""


@dataclass(slots=True)
class Key:
    """An application key. `tokens` holds two while a rotation is under way (NOTES 1).

    Attributes:
        closed: calls on one data entity that are refused although the roles open them, by call and acronym: an entity
            that is private to others, an account without scrolls.
    """

    app_key: str
    tokens: list[str]
    resources: set[Resource] = field(default_factory=lambda: set(CONNECTOR))
    closed: set[tuple[Call, str]] = field(default_factory=set)

    def may(self, call: Call, acronym: str = "") -> bool:
        """Whether the key's roles open a call."""
        return (call, acronym.upper()) not in self.closed and not _OPEN_TO[call].isdisjoint(self.resources)


@dataclass(slots=True)
class Keyring:
    """The account's keys, and the login tokens that were given out: they last 24 hours."""

    account: str
    clock: Clock = system_clock
    keys: dict[str, Key] = field(default_factory=dict)
    _logins: dict[str, tuple[Key, int]] = field(default_factory=dict)

    def add(self, app_key: str, token: str, resources: Iterable[Resource] = CONNECTOR) -> Key:
        """Make a key."""
        key = self.keys[app_key] = Key(app_key, [token], set(resources))
        return key

    def open(self, app_key: str, token: str) -> Key | None:
        """Return the key whose token this is."""
        key = self.keys.get(app_key)
        if key is None or not any(hmac.compare_digest(token.encode(), known.encode()) for known in key.tokens):
            return None
        return key

    def log_in(self, key: Key) -> tuple[str, int]:
        """Return a login token and the second it ends."""
        token, ends = f"eyJ{secrets.token_urlsafe(48)}", self.clock() + DAY
        self._logins[token] = (key, ends)
        return token, ends // SECOND

    def holder(self, token: str) -> Key | None:
        """Return whose login token this is, while it lasts."""
        key, ends = self._logins.get(token, (None, 0))
        return key if ends > self.clock() else None
