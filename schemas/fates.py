"""What became of everything: `event.fates`, `dead.letters`, `effects.outcomes`."""

from typing import Any, Final, Literal

from pydantic import Field

from schemas.model import Instant, Model, Store

Fate = Literal["counted", "duplicate", "filtered", "dead"]


class Uncounted(Model):
    """An event that was not counted, and why."""

    id: str
    offset: int
    fate: Fate
    reason: str | None = None


class FateSummary(Model):
    """The fates of one store's events in one batch of one agent: accepted = fates + in flight."""

    store: Store
    agent: str
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    counts: dict[Fate, int]
    uncounted: tuple[Uncounted, ...] = ()
    at: Instant


REDRIVEN: Final = "redriven-from"
"""Header of a record that was put back where it stood; names the letter."""


class DeadLetter(Model):
    """Something that could not be processed, kept with its original bytes so that it can be sent again."""

    store: str = Field(description="A store's name, or `unknown`.")
    letter: str = Field(description="Stable id: step/topic/partition/offset, or a UUIDv7 where there is no position.")
    step: str = Field(description="Who gave up: `tracking`, `collector`, `hellotext` ...")
    reason: str
    detail: str | None = Field(default=None, description="Traceback or answer; never a personal value or secret.")
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    key: str | None = Field(default=None, description="Base64 of the original key.")
    value: str | None = Field(default=None, description="Base64 of the original bytes; cut at 256 kB.")
    size: int | None = Field(default=None, description="Bytes of the original: more than are kept when it was cut.")
    referred: bool = Field(
        default=False, description="The original is not kept here: it stands in its topic at its offset."
    )
    obstacle: str | None = Field(
        default=None, description="Why it is not to be sent again, and what to do instead; null when it can be."
    )
    at: Instant


OutcomeStatus = Literal["done", "rejected", "retry", "uncertain"]


class EffectOutcome(Model):
    """What a call to a destination ended with (`effects.outcomes`).

    done: applied. rejected: will never succeed unchanged. retry: not applied, try later.
    uncertain: may have been applied (time-out, 5xx).
    """

    effect: str
    agent: str
    kind: str
    store: Store
    destination: str
    key: str
    revision: int = 0
    status: OutcomeStatus
    code: int | None = Field(default=None, description="HTTP status, when there was an answer.")
    reason: str | None = None
    retry_after_ms: int | None = None
    attempt: int = 1
    result: dict[str, Any] = Field(default_factory=dict, description="What the answer told, such as the profile's id.")
    at: Instant
