"""Effects: calls to destinations, staged inside a transaction and made after it (DESIGN section 3.4)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from schemas.fates import EffectOutcome
from streams.engine.errors import Misuse

__all__ = ["Effect", "EffectHandler", "EffectOutcome"]


@dataclass(frozen=True, slots=True)
class Effect:
    """One call to a destination.

    Attributes:
        id: stable identity, such as `profile/<customer>/<revision>`; unique within the store. Never a personal value.
        agent: name of the agent that hears the outcome.
        kind: which handler makes the call, such as `hellotext.profile`.
        store: the store on whose behalf.
        destination: `hellotext`, `infobip` ...; rate and breaker are per (store, destination).
        key: effects of one shard with the same key are made one after another, in the order they were staged.
        payload: what the handler needs; plain JSON.
        revision: the sender's own counter, returned in the outcome.
        repeatable: True when making it twice has the effect of once. What is not repeatable is claimed durably
            before it is made; if the worker dies meanwhile, its outcome is `uncertain`.
        not_before: Unix milliseconds; 0 is at once. Later effects with the same key wait behind it.
        attempts: how often `retry` is answered by the engine itself (with growing pauses) before the agent hears it.
    """

    id: str
    agent: str
    kind: str
    store: str
    destination: str
    key: str
    payload: dict[str, Any] = field(default_factory=dict)
    revision: int = 0
    repeatable: bool = True
    not_before: int = 0
    attempts: int = 12


EffectHandler = Callable[[Effect], Awaitable[EffectOutcome]]
"""Makes one call. It answers with an outcome for everything a destination can do; what it raises is `uncertain`."""

_TEXTS = ("id", "agent", "kind", "store", "destination", "key")
_NUMBERS = ("revision", "not_before", "attempts")


def require_sound(effect: Effect) -> None:
    """Raise where a field is of another type than it says: after the commit, its row would stop the runner for ever.

    Raises:
        Misuse: names the fields, and the types that they have.
    """
    wrong = [name for name in _TEXTS if not isinstance(getattr(effect, name), str)]
    wrong += [name for name in _NUMBERS if not isinstance(getattr(effect, name), int)]
    wrong += ["payload"] * (not isinstance(effect.payload, dict))
    if wrong:
        found = {name: type(getattr(effect, name)).__name__ for name in wrong}
        raise Misuse(f"effect of kind {effect.kind!r}: {found} is not what these fields hold")
