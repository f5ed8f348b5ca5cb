"""Run agents in a turn: whole batches first; when an agent raises, its batch again, record by record."""

from collections.abc import Sequence

import structlog

from schemas.topics import Topic
from streams.engine.agent import Agent, Batch, Record
from streams.engine.calling import call
from streams.engine.errors import NotYet, Poison, together
from streams.engine.fates import reason_of, spans_of, store_of, trace_of
from streams.engine.fuse import Fuses
from streams.engine.table import Table
from streams.engine.turn import Turn

log = structlog.get_logger(__name__)

EXPIRED_PER_TURN = 5_000
"""Tombstones for expired keys that one transaction may carry: about 20 ms of work."""


class Patience:
    """Remembers, over the runs of one turn, for what it has been prepared already."""

    def __init__(self) -> None:
        self._batches: set[tuple[str, str]] = set()
        self._records: set[tuple[str, str, int]] = set()

    def first_for_batch(self, agent: Agent, topic: Topic) -> bool:
        """Say whether the agent asks for the first time on this batch."""
        key = (agent.name, topic.name)
        first = key not in self._batches
        self._batches.add(key)
        return first

    def first_for_record(self, agent: Agent, topic: Topic, record: Record) -> bool:
        """Say whether the agent asks for the first time on this record."""
        key = (agent.name, topic.name, record.offset)
        first = key not in self._records
        self._records.add(key)
        return first


def process(
    turn: Turn, agents: Sequence[Agent], topic: Topic, records: Sequence[Record], *, fuses: Fuses, patience: Patience
) -> None:
    """Let every agent of a topic process its records in this turn.

    Raises:
        NotYet: prepare, drop the turn and run it again with the same patience.
        AgentStopped: an agent fails on nearly everything.
    """
    records = tuple(records)  # shared by the agents of a topic: one that sorts or empties a list takes from the next
    spans = spans_of(records)
    for agent in agents:
        batch = Batch(topic, turn.number, records)
        try:
            _process(agent, batch, turn)
        except NotYet:
            turn.drop()
            if patience.first_for_batch(agent, topic):
                raise
            batch = _one_by_one(turn, agent, topic, records, fuses=fuses, patience=patience)
        except Exception as error:  # noqa: BLE001  whatever an agent raises stops only its culprit
            turn.drop()
            log.warning("agent raised: running its batch again record by record", agent=agent.name, topic=topic.name,
                        shard=turn.number, first_offset=records[0].offset, records=len(records),
                        error=reason_of(error))  # fmt: skip
            batch = _one_by_one(turn, agent, topic, records, fuses=fuses, patience=patience)
        else:
            fuses.good(agent.name, topic.name, {store: span.count for store, span in spans.items()})
        turn.settle(agent.name, batch, spans)


def _process(agent: Agent, batch: Batch, turn: Turn) -> None:
    call(agent, "process", batch, turn)
    batch.check()
    turn.keep()


def _one_by_one(
    turn: Turn, agent: Agent, topic: Topic, records: Sequence[Record], *, fuses: Fuses, patience: Patience
) -> Batch:
    whole = Batch(topic, turn.number, records)
    asking: list[NotYet] = []
    for record in records:
        single = Batch(topic, turn.number, (record,))
        try:
            _process(agent, single, turn)
        except NotYet as error:
            turn.drop()
            if patience.first_for_record(agent, topic, record):
                asking.append(error)
            elif not asking:
                _bury(turn, agent, whole, record, error)
        except Exception as error:  # noqa: BLE001  as above
            turn.drop()
            if asking:  # this run of the turn comes to nothing; the next one decides
                continue
            if not isinstance(error, Poison):
                fuses.bad(agent.name, topic.name, store_of(record), error)
            _bury(turn, agent, whole, record, error)
        else:
            fuses.good(agent.name, topic.name, {store_of(record): 1})
            whole.not_counted += single.not_counted
            whole.passed_over += single.passed_over
    if asking:
        raise together(asking)
    return whole


def _bury(turn: Turn, agent: Agent, batch: Batch, record: Record, error: Exception) -> None:
    turn.bury(agent.name, batch, record, reason_of(error), trace_of(error))
    batch.not_counted.append((record, "dead", f"{batch.topic.name}/{batch.shard}/{record.offset}", reason_of(error)))
    log.error("record dead-lettered", agent=agent.name, topic=batch.topic.name, shard=batch.shard,
              offset=record.offset, reason=reason_of(error), where=trace_of(error))  # fmt: skip
    try:
        call(agent, "abandoned", record, turn)
        turn.keep()
    except Exception as failure:  # noqa: BLE001  as above
        turn.drop()
        log.error(  # noqa: TRY400  the exception's text may quote a personal value
            "agent raised in abandoned()",
            agent=agent.name,
            where=trace_of(failure),
        )


def tick(turn: Turn, agents: Sequence[Agent]) -> list[str]:
    """Tick every agent; return the names of agents that raised (what they did is undone)."""
    failed = []
    for agent in agents:
        try:
            call(agent, "tick", turn.now, turn)
            turn.keep()
        except Exception as error:  # noqa: BLE001  as above
            turn.drop()
            failed.append(agent.name)
            log.error(  # noqa: TRY400  as above
                "agent raised in tick(): undone, tried again at the next",
                agent=agent.name, shard=turn.number, where=trace_of(error),
            )  # fmt: skip
    return failed


def expire(turn: Turn, tables: Sequence[Table]) -> list[Table]:
    """Stage tombstones for keys whose time to live is over, so many as a transaction may carry.

    Returns:
        The tables, in the order in which the next turn goes on; none when nothing is left.
    """
    left = EXPIRED_PER_TURN
    for number, table in enumerate(tables, 1):
        left -= turn.table(table).expire(left)
        if left <= 0:
            return [*tables[number:], *tables[:number]]
    return []
