"""From what a call ended with to the outcome that its agent hears (contracts/hellotext B6, contracts/infobip NOTES 7).

| the call | outcome |
| --- | --- |
| succeeded | done |
| never arrived, or 429; 401 of what is about a message | retry, after the pause that was asked for |
| time-out after sending, cut connection, 408, 5xx | uncertain |
| any other answer | rejected, with its status as code |
"""

from collections.abc import Awaitable
from time import time
from typing import Any

from connectors.outbound import CallError, KeyRefused, NotApplied, Unsure
from schemas.clock import to_text
from schemas.fates import EffectOutcome, OutcomeStatus
from streams.engine.effect import Effect


async def answered(
    effect: Effect, made: Awaitable[dict[str, Any]], *, renewable: bool = False
) -> EffectOutcome:  # fmt: skip
    """Await a call and return its outcome; what it returns is the outcome's result.

    Args:
        effect: the call.
        made: makes it.
        renewable: a refused key is waited for: of a message, which is asked for once, nothing else would try again.
    """
    try:
        result = await made
    except KeyRefused as error:
        outcome = failed(effect, error)
        return outcome.model_copy(update={"status": "retry"}) if renewable else outcome
    except CallError as error:
        return failed(effect, error)
    return outcome_of(effect, "done", result=result)


def failed(effect: Effect, error: CallError) -> EffectOutcome:
    """Return the outcome of a call that raised."""
    status: OutcomeStatus = "rejected"
    if isinstance(error, NotApplied):
        status = "retry"
    elif isinstance(error, Unsure):
        status = "uncertain"
    return outcome_of(
        effect, status, code=error.status, reason=str(error), retry_after_ms=error.retry_after_ms
    )  # fmt: skip


def outcome_of(
    effect: Effect, status: OutcomeStatus, *, code: int | None = None, reason: str | None = None,
    retry_after_ms: int | None = None, result: dict[str, Any] | None = None,
) -> EffectOutcome:  # fmt: skip
    """Return an outcome of an effect."""
    return EffectOutcome.model_validate({
        "effect": effect.id, "agent": effect.agent, "kind": effect.kind, "store": effect.store,
        "destination": effect.destination, "key": effect.key, "revision": effect.revision, "status": status,
        "code": code, "reason": reason, "retry_after_ms": retry_after_ms, "result": result or {},
        "at": to_text(int(time() * 1000)),
    })  # fmt: skip
