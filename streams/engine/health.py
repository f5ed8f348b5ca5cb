"""Health from progress: who waits for whom, and since when. Nothing is pinged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import structlog

from connectors.seldom import Seldom
from streams.engine.waiting import FIRST_S, LONGEST_S, REMEDY, Contest

if TYPE_CHECKING:
    from streams.engine.engine import Engine

log = structlog.get_logger(__name__)

SLOW_TURN_S = 30.0
"""Longer than a transaction may take at worst: the broker's time-out is 20 s."""
SILENT_S = 30.0
"""A broker answers each fetch within a fraction of a second, also when nothing is new; leaders change in less."""
LONG_RESTORE_S = 300.0
"""At 300,000 keys a second, 90 million of them."""
TOLD = 3
"""Of what ails a worker, so much stands in a line of its log; `/health` has all."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody waits.

    Attributes:
        who: the shard or topic.
        whom: what it waits for, and what to do when that takes long.
        seconds: since when.
        healthy: False when somebody should look.
    """

    who: str
    whom: str
    seconds: float
    healthy: bool


Place = tuple[str, int]
"""A topic and a shard."""
Marks = dict[Place, tuple[int | None, float]]
"""What was seen of each, and since when that is so (monotonic seconds)."""


def _since(before: Marks, seen: Mapping[Place, int | None], now: float) -> Marks:
    return {
        place: known if (known := before.get(place)) is not None and known[0] == mark else (mark, now)
        for place, mark in seen.items()
    }


class Health:
    """What a worker waits for.

    Args:
        engine: the worker's.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._not_live_since: float | None = monotonic()
        self._stuck: Marks = {}
        self._silent: Marks = {}
        self._misshapen: Sequence[str] = ()
        self._refused: Mapping[Place, tuple[str, float]] = {}
        self._contest = Contest()
        self._telling = Seldom(FIRST_S, LONGEST_S)

    def observe(
        self, lags: Mapping[Place, int], answers: Mapping[Place, int] | None = None, misshapen: Sequence[str] = (),
        refused: Mapping[Place, tuple[str, float]] | None = None,
    ) -> None:  # fmt: skip
        """Take note; called about once a second.

        Args:
            lags: records that wait in each input partition, by topic and shard.
            answers: when a broker last answered a fetch of each input partition that a batch is wanted of (any mark
                that changes with every answer).
            misshapen: input topics that have another number of partitions than the rest.
            refused: partitions of which nothing can be had: what each waits for, and since when.
        """
        self._refused = refused or {}
        self._misshapen = misshapen
        now = monotonic()
        # What is not named any more has moved away, with whatever it waited for.
        committed = {
            (topic, number): self._engine.shards[number].committed.get(topic)
            for (topic, number), lag in lags.items()
            if lag and number in self._engine.shards
        }
        self._stuck = _since(self._stuck, committed, now)
        # Without an answer nobody knows of a lag: a fetch that has died looks like a topic in which nothing is new.
        self._silent = _since(self._silent, answers or {}, now)
        self._contest.observe(self._engine.epoch, self._engine.settings.instance, now)
        if self._engine.live:
            self._not_live_since = None
        elif self._not_live_since is None:
            self._not_live_since = now
        self._tell(now)

    def _tell(self, now: float) -> None:
        """Say what ails the worker, ever more seldom: not everybody looks at `/health`."""
        ails = [wait for wait in self.waits() if not wait.healthy]
        if ails and self._telling.due(now):
            waits = [f"{wait.who}: {wait.whom} ({wait.seconds:.0f} s)" for wait in ails[:TOLD]]
            log.warning("this worker is not healthy", waits=waits, more=len(ails) - len(waits))
        elif not ails and self._telling.over():
            log.info("this worker is healthy again")

    @property
    def ready(self) -> bool:
        """Whether the worker's shards are assigned, restored and at work."""
        return self._engine.live

    @property
    def healthy(self) -> bool:
        """Whether nobody has to look."""
        return all(wait.healthy for wait in self.waits())

    def waits(self) -> list[Wait]:
        """Return everything that waits now."""
        now = monotonic()
        found = [
            Wait(f"topic {topic}", message, 0.0, healthy=False) for topic, message in self._engine.halted.items()
        ]  # fmt: skip
        found += [
            Wait(f"topic {topic}", "its old number of partitions: nobody reads what stands in others; run "
                 "`hellotext-vtex doctor`", 0.0, healthy=False)
            for topic in self._misshapen
        ]  # fmt: skip
        found += [
            Wait(f"{topic} in shard {number}", whom, now - since, healthy=False)
            for (topic, number), (whom, since) in self._refused.items()
        ]  # fmt: skip
        if self._not_live_since is not None:
            waited = now - self._not_live_since
            found.append(
                Wait("worker", "an assignment, or its tables to be restored", waited, healthy=waited < LONG_RESTORE_S)
            )
        if self._contest.moves:
            found.append(
                Wait("worker", f"peace: its shards are taken away again and again; {REMEDY}", 0.0, healthy=False)
            )
        for (topic, number), (_, since) in self._stuck.items():
            if now - since > SLOW_TURN_S and topic not in self._engine.halted:
                what = "its next commit, although records wait: restart the worker if that does not end"
                found.append(Wait(f"{topic} in shard {number}", what, now - since, healthy=False))
        silent = {place: now - since for place, (_, since) in self._silent.items() if now - since > SILENT_S}
        if silent:
            who = f"{len(silent)} input partitions"
            whom = "an answer of their broker to a fetch: look at the broker; restart the worker if that does not end"
            found.append(Wait(who, whom, max(silent.values()), healthy=False))
        for shard in self._engine.shards.values():
            who = f"shard {shard.number}"
            if shard.fenced_since is not None:
                found.append(Wait(who, "a rebalance: it was fenced", now - shard.fenced_since, healthy=False))
            elif shard.turn_since is not None:
                waited = now - shard.turn_since
                found.append(Wait(who, "its transaction: look at the broker", waited, healthy=waited < SLOW_TURN_S))
            if shard.state.failed_ticks:
                found.append(Wait(who, f"a tick of {shard.state.failed_ticks}, which raises", 0.0, healthy=False))
        return found + self._engine.effects.waits()
