"""The customers that a turn touches: each is read once, written once, and published when its state has changed."""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from schemas import topics
from schemas.clock import to_text
from schemas.profiles import DestinationState, ProfileState
from schemas.vtex import Customer
from streams.engine.agent import Shard, Table
from streams.profile_rules.destination import Sync
from streams.profile_rules.mapping import reach_of

CUSTOMERS: Final = Table("profiles.customers", disk=True)


@dataclass(slots=True)
class Entry:
    """A customer and where it stands at each destination.

    Attributes:
        store: of the customer.
        customer: its id.
        content: its last state from `vtex.customers`; None when nothing may be kept of it.
        version: of the content.
        at: when the content changed in VTEX, in ticks (vtex_rules/versions.py): in a shared profile the latest wins.
        deleted: gone from VTEX.
        gone: forgotten; what is left waits for the destinations to erase it too.
        bucket: of the store's roster.
        syncs: by destination.
        shared: other customers in the same profile, by destination.
        parted: the profile that it has left because it had nothing in common with who is in it, by destination.
        gave: hashes that it had at the destinations and has no more, by destination: another may be waiting for one.
    """

    store: str
    customer: str
    content: Customer | None = None
    version: int = 0
    at: int = 0
    deleted: bool = False
    gone: bool = False
    bucket: int = -1
    syncs: dict[str, Sync] = field(default_factory=dict)
    shared: dict[str, list[str]] = field(default_factory=dict)
    parted: dict[str, str] = field(default_factory=dict)
    gave: dict[str, list[str]] = field(default_factory=dict)
    removed: bool = False
    before: Any = None

    @property
    def recency(self) -> tuple[int, str]:
        """The order in which customers who share a profile take precedence."""
        return self.at, self.customer

    def meets(self, other: "Entry") -> bool:
        """Whether the two have an e-mail or a phone in common, so that a destination takes them for one."""
        mine, theirs = self.content, other.content
        if mine is None or theirs is None:
            return False
        return (mine.email_hash is not None and mine.email_hash == theirs.email_hash) or (
            mine.phone_hash is not None and mine.phone_hash == theirs.phone_hash
        )

    def sync(self, destination: str) -> Sync:
        """Return where it stands at a destination."""
        return self.syncs.get(destination) or Sync()

    def state(self) -> dict[str, Any]:
        """Return the ProfileState to publish."""
        content = self.content
        state = ProfileState(
            store=self.store, customer=self.customer,
            email_hash=content.email_hash if content else None,
            phone_hash=content.phone_hash if content else None,
            reach=reach_of(content.phone if content and not self.deleted else None),
            destinations={name: _shown(sync) for name, sync in sorted(self.syncs.items())},
            shared_with=tuple(sorted({other for others in self.shared.values() for other in others})),
        )  # fmt: skip
        return state.model_dump(mode="json")

    def row(self) -> dict[str, Any]:
        """Return it as the table keeps it."""
        return {
            "content": None if self.content is None else _kept(self.content),
            "version": self.version, "at": self.at, "deleted": self.deleted, "gone": self.gone, "bucket": self.bucket,
            "syncs": {name: sync.row() for name, sync in self.syncs.items()},
            "shared": self.shared, "parted": self.parted, "gave": self.gave,
        }  # fmt: skip


class Book:
    """The customers of one turn's step.

    Args:
        shard: the turn.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._view = shard.table(CUSTOMERS)
        self._open: dict[tuple[str, str], Entry | None] = {}

    def get(self, store: str, customer: str) -> Entry | None:
        """Return a customer that is known."""
        key = (store, customer)
        if key not in self._open:
            row = self._view.get(f"{store}/{customer}")
            self._open[key] = None if row is None else _entry(store, customer, row)
        found = self._open[key]
        return None if found is None or found.removed else found

    def add(self, store: str, customer: str) -> Entry:
        """Return a customer that was not known."""
        entry = self._open[store, customer] = Entry(store, customer)
        return entry

    def flush(self) -> None:
        """Write what has changed, and publish the states that have."""
        for (store, customer), entry in self._open.items():
            if entry is None:
                continue
            key = f"{store}/{customer}"
            if entry.removed:
                del self._view[key]
                self._publish(entry, None)
                continue
            row = entry.row()
            if row == entry.before:
                continue
            self._view[key] = row
            state = entry.state()
            if entry.before is None or state != _entry(store, customer, entry.before).state():
                self._publish(entry, orjson.dumps(state))
        self._open.clear()

    def _publish(self, entry: Entry, value: bytes | None) -> None:
        self._shard.send(topics.PROFILES, topics.PROFILES.key(entry.store, entry.customer), value)


def _kept(content: Customer) -> dict[str, Any]:
    return content.model_dump(mode="json", exclude_none=True, exclude={"changed"})


def _entry(store: str, customer: str, row: dict[str, Any]) -> Entry:
    content = row["content"]
    return Entry(
        store, customer,
        content=None if content is None else Customer.model_validate(content),
        version=row["version"], at=row["at"], deleted=row["deleted"], gone=row["gone"], bucket=row["bucket"],
        syncs={name: Sync.of(sync) for name, sync in row["syncs"].items()},
        shared={name: list(others) for name, others in row["shared"].items()},
        parted=dict(row.get("parted", {})),
        gave={name: list(hashes) for name, hashes in row["gave"].items()},
        before=row,
    )  # fmt: skip


def _shown(sync: Sync) -> DestinationState:
    return DestinationState(
        id=sync.id, state=sync.state, revision=sync.revision, fingerprint=sync.fingerprint, error=sync.error,
        updated_at=to_text(sync.at),
    )  # fmt: skip
