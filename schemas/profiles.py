"""`profiles`: where each customer stands at each destination."""

from typing import Literal

from pydantic import Field

from schemas.model import Hash, Instant, Model, Store

SyncState = Literal["pending", "synced", "uncertain", "failed", "unreachable", "deleted"]


class DestinationState(Model):
    """A customer at one destination."""

    id: str | None = Field(default=None, description="The destination's own id, once known.")
    state: SyncState
    revision: int = Field(description="Customer.version that was sent last.")
    fingerprint: str = Field(description="Hash of what was sent: an equal one is not sent again.")
    error: str | None = None
    updated_at: Instant


class Reach(Model):
    """By which channels the customer can be reached."""

    sms: bool = False
    whatsapp: bool = False


class ProfileState(Model):
    """A customer's profile (Hellotext) and person (Infobip)."""

    store: Store
    customer: str
    email_hash: Hash | None = None
    phone_hash: Hash | None = None
    reach: Reach = Reach()
    destinations: dict[str, DestinationState] = Field(default_factory=dict)
    shared_with: tuple[str, ...] = Field(
        default=(), description="Other customers whom the destination merged into the same profile: a conflict."
    )
