"""The outbox: effects that are staged or under way, one row each, and the agent that hears their outcomes.

A row lives from the transaction that staged the effect to the transaction that consumed its outcome.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from pydantic import ValidationError

from schemas.fates import REDRIVEN
from schemas.topics import EFFECTS_OUTCOMES
from streams.engine.agent import Agent, Batch, Record, Shard
from streams.engine.calling import call
from streams.engine.effect import Effect, EffectOutcome
from streams.engine.errors import Poison
from streams.engine.table import Table

OUTBOX: Final = Table("engine.outbox")
Row = dict[str, Any]
"""`seq` (order of staging), `state` (staged or started), `attempt` (from 1), `not_before` (Unix ms), `effect`."""

FIRST_PAUSE_MS: Final = 1_000
LONGEST_PAUSE_MS: Final = 300_000


def row_key(store: str, effect: str) -> str:
    """Return the outbox key of an effect, which is the text of its outcome's record key."""
    return f"{store}/{effect}"


def staged_row(effect: Effect, sequence: int) -> Row:
    """Return the row of a newly staged effect."""
    return {
        "seq": sequence, "state": "staged", "attempt": 1, "not_before": effect.not_before, "effect": asdict(effect),
    }  # fmt: skip


def started_row(row: Row) -> Row:
    """Return the row of an effect that has been claimed: if the worker dies now, nobody knows how it ended."""
    return {**row, "state": "started"}


def retried_row(row: Row, outcome: EffectOutcome, now: int) -> Row:
    """Return the row of an effect that will be tried again, later each time."""
    pause = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(row["attempt"] - 1, 16))
    wait = max(pause, outcome.retry_after_ms or 0)
    return {**row, "state": "staged", "attempt": row["attempt"] + 1, "not_before": now + wait}


def effect_of(row: Row) -> Effect:
    """Return the effect of a row."""
    known = Effect.__dataclass_fields__
    return Effect(**{name: value for name, value in row["effect"].items() if name in known})


class Outcomes(Agent):
    """Consumes `effects.outcomes`: removes the outbox row and tells the agent that staged the effect."""

    name = "effects"
    inputs = (EFFECTS_OUTCOMES,)
    tables = (OUTBOX,)

    def __init__(self, agents: Mapping[str, Agent]) -> None:
        self._agents = agents

    def process(self, batch: Batch, shard: Shard) -> None:
        """Consume outcomes; one whose row is gone was told before."""
        outbox = shard.table(OUTBOX)
        for record in batch:
            try:
                outcome = EffectOutcome.model_validate_json(record.value or b"")
            except ValidationError as error:
                raise Poison("not an EffectOutcome") from error
            key = row_key(outcome.store, outcome.effect)
            row: Row | None = outbox.get(key)
            # An outcome of an earlier attempt may come late, from a worker that was frozen: it is not news.
            if (row is None and not _redriven(record)) or (row is not None and outcome.attempt < row["attempt"]):
                batch.duplicate(record, f"{outcome.effect}#{outcome.attempt}")
            elif row is not None and outcome.status == "retry" and row["attempt"] < row["effect"]["attempts"]:
                outbox[key] = retried_row(row, outcome, shard.now)
            else:
                if row is not None:
                    del outbox[key]
                self._tell(outcome, shard)

    def _tell(self, outcome: EffectOutcome, shard: Shard) -> None:
        agent = self._agents.get(outcome.agent)
        if agent is None:
            raise Poison(f"no agent {outcome.agent!r} in this worker hears the outcome")
        call(agent, "outcome", outcome, shard)

    def abandoned(self, record: Record, shard: Shard) -> None:
        """Remove the row of an outcome that was dead-lettered: its key must not be blocked for ever."""
        outbox = shard.table(OUTBOX)
        key = record.key.decode("utf-8", "replace")
        if key in outbox:
            del outbox[key]


def _redriven(record: Record) -> bool:
    """Say whether an outcome was dead-lettered, its row with it, and put back: its agent has not heard it yet."""
    return any(name == REDRIVEN for name, _ in record.headers)
