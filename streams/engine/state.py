"""A shard's state and how a turn changes it: everything the engine decides, without Kafka, asyncio or a clock.

The worker (`shard.py`) and the in-memory driver (`testing.py`) both run exactly this.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from schemas.topics import Topic
from streams.engine.agent import Agent, Record
from streams.engine.declared import require_sound
from streams.engine.fuse import Fuses
from streams.engine.outbox import OUTBOX, Outcomes, Row, started_row
from streams.engine.parts import Part
from streams.engine.process import Patience, expire, process, tick
from streams.engine.table import Table
from streams.engine.turn import Turn

RECORD_LIMIT = 1_000_000
"""Bytes; the broker's default `message.max.bytes` is 1,048,588."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What was fetched of one topic for one shard, and not yet consumed.

    Attributes:
        topic: where from.
        records: in offset order; never empty.
        first: the consumer's position before them.
        next: the position behind them: what is committed.
    """

    topic: Topic
    records: Sequence[Record]
    first: int
    next: int


class Line:
    """The agents of a worker, in the order in which they were given, and what they need."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        listed = list(agents)
        for agent in listed:
            require_sound(agent)
        self.agents: tuple[Agent, ...] = (*listed, Outcomes({agent.name: agent for agent in listed}))
        names = [agent.name for agent in self.agents]
        if len(set(names)) < len(names):
            raise ValueError(f"two agents share a name ({Outcomes.name!r} is the engine's own): {sorted(names)}")
        self.by_topic: dict[str, tuple[Agent, ...]] = {}
        self.topics: dict[str, Topic] = {}
        self.tables: dict[str, Table] = {}
        for agent in self.agents:
            for topic in agent.inputs:
                self.topics[topic.name] = topic
                self.by_topic[topic.name] = (*self.by_topic.get(topic.name, ()), agent)
            for table in agent.tables:
                if self.tables.setdefault(table.name, table) != table:
                    raise ValueError(f"two tables share the name {table.name!r} but differ")
        self.expiring = [table for table in self.tables.values() if table.ttl_ms]


class ShardState:
    """The tables of one shard and the turns that change them.

    Args:
        number: the shard.
        line: the agents.
        parts: this shard's part of each of their tables.
        fuses: the worker's.
    """

    def __init__(self, number: int, line: Line, parts: Mapping[str, Part], fuses: Fuses) -> None:
        self.number = number
        self.record_limit = RECORD_LIMIT
        self._line = line
        self._parts = parts
        self._fuses = fuses
        self._sequence = 1 + max((row["seq"] for row in self.outbox().values()), default=0)
        self.failed_ticks: list[str] = []
        self._overdue: Sequence[Table] = ()
        """Tables with more expired keys than one turn could take: the next turn goes on, whatever it is for."""

    def outbox(self) -> dict[str, Row]:
        """Return the rows of the outbox."""
        return {key: OUTBOX.codec.decode(raw) for key, raw in self._parts[OUTBOX.name].items("", -1)}

    def run(
        self, now: int, arrived: Iterable[Arrived] = (), *, patience: Patience | None = None,
        claims: Iterable[str] = (), ticking: bool = False,
    ) -> Turn:  # fmt: skip
        """Run one turn; nothing is changed before `committed()`.

        Args:
            now: Unix milliseconds.
            arrived: at most one for each topic.
            patience: of the earlier runs of this turn, when `NotYet` was raised.
            claims: outbox keys of effects that are about to be made.
            ticking: whether a tick is due.

        Raises:
            NotYet, AgentStopped: see `process`.
        """
        turn = Turn(self.number, self._line.tables, self._parts, now=now, sequence=self._sequence,
                    record_limit=self.record_limit)  # fmt: skip
        patience = patience or Patience()
        for one in arrived:
            agents = self._line.by_topic[one.topic.name]
            process(turn, agents, one.topic, one.records, fuses=self._fuses, patience=patience)
            turn.offsets[one.topic.name] = one.next
        self._claim(turn, claims)
        if ticking:
            self.failed_ticks = tick(turn, self._line.agents)
        if ticking or self._overdue:
            self._overdue = expire(turn, self._overdue or self._line.expiring)
        turn.end()
        return turn

    @staticmethod
    def _claim(turn: Turn, claims: Iterable[str]) -> None:
        for key in claims:
            outbox = turn.table(OUTBOX)
            row = outbox.get(key)
            if row is not None:
                outbox[key] = started_row(row)
        turn.keep_as_it_is()

    def committed(self, turn: Turn, positions: Mapping[str, int]) -> None:
        """Take over what a committed turn has changed.

        Args:
            turn: the turn.
            positions: for each table that it wrote, the changelog offset behind its writes.
        """
        turn.apply(positions)
        self._sequence = turn.sequence
