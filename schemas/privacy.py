"""`privacy.requests` and `privacy.suppressions`: who has to be forgotten, and who was. No personal value in either."""

from typing import Literal

from pydantic import Field

from schemas.model import Hash, Instant, Model, Store

SuppressedKind = Literal["email", "phone", "customer", "session"]


class ErasureRequest(Model):
    """What one turn of a shard shall erase: a person's identifiers, and where they were found to stand.

    A request that is too large for a record comes in parts, each complete in itself; doing one twice changes nothing.
    """

    store: Store
    request: str = Field(description="Random; names the person from now on, and tells nothing of them.")
    action: Literal["forget", "lift"] = "forget"
    hashes: dict[Hash, SuppressedKind] = Field(
        default_factory=dict, description="The person's own: one shared with somebody who stays is not among them."
    )
    customers: tuple[str, ...] = ()
    users: tuple[str, ...] = Field(default=(), description="VTEX profile ids, as orders and links name them.")
    sessions: tuple[str, ...] = Field(default=(), description="Browser sessions that told of nobody else.")
    orders: tuple[str, ...] = Field(default=(), description="They stay, without their buyer; so do their figures.")
    records: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Compacted topic to keys of records that carry the person."
    )
    rows: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="Table to keys of rows that carry the person."
    )
    requested_at: Instant


class Suppression(Model):
    """An identifier of a forgotten person: whatever tells it again is left out (fate `filtered: forgotten`)."""

    store: Store
    hash: Hash
    kind: SuppressedKind
    request: str = Field(description="The same for all identifiers of one person, so that one lifts them all.")
    since: Instant
