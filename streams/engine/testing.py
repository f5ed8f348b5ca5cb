"""Run agents in memory, without Kafka: the same turns as in the worker, one shard at a time.

For tests of agents: feed records, look at tables, outputs, effects, fates and dead letters.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from schemas.fates import EffectOutcome
from schemas.topics import DEAD_LETTERS, EFFECTS_OUTCOMES, EVENT_FATES, Topic
from streams.engine.agent import Agent, Header, Record
from streams.engine.effect import Effect
from streams.engine.errors import NotYet
from streams.engine.fuse import Fuses
from streams.engine.milestones import Milestones, Unwatched
from streams.engine.outbox import OUTBOX, effect_of, row_key
from streams.engine.parts import Part, memory_part
from streams.engine.process import Patience
from streams.engine.registry import Parts
from streams.engine.state import Arrived, Line, ShardState
from streams.engine.table import Table
from streams.engine.turn import Entry, Turn


class MemoryShard:
    """One shard in memory.

    Args:
        agents: the agents under test; what one sends to another's input is given to it by `settle()`.
        number: of the shard.
        now: Unix milliseconds; set `shard.now` to move the clock.
        milestones: hears of `staged`, `committed` and `applied`; what it raises is a crash: call `restart()`.
        folder: where tables on disk live; without one they are kept in memory, which makes no difference to agents.
    """

    def __init__(
        self, agents: Iterable[Agent], *, number: int = 0, now: int = 1_800_000_000_000,
        milestones: Milestones | None = None, folder: Path | None = None,
    ) -> None:  # fmt: skip
        self.now = now
        self.number = number
        self.sent: dict[str, list[Entry]] = defaultdict(list)
        self.offsets: dict[str, int] = defaultdict(int)
        self._line = Line(agents)
        self._folder = folder
        self._opened: Parts | None = None
        self._parts = self._open()
        self._state = ShardState(number, self._line, self._parts, Fuses())
        self._changelogs: dict[str, list[Record]] = {name: [] for name in self._line.tables}
        self._inputs: dict[str, list[Record]] = {name: [] for name in self._line.topics}
        self._milestones = milestones or Unwatched()

    def put(
        self, topic: Topic, key: bytes, value: bytes | None, *, timestamp: int | None = None,
        headers: Sequence[Header] = (),
    ) -> None:  # fmt: skip
        """Add a record to an input topic; `run()` has it processed."""
        stamp = self.now if timestamp is None else timestamp
        log = self._inputs[topic.name]
        log.append(Record(key, value, len(log), stamp, headers))

    async def run(self, *, ticking: bool = False, most: int = 10_000) -> Turn:
        """Process what is waiting, at most so many records of a topic, in one turn, and commit it.

        `NotYet` is prepared for as in the worker.
        """
        arrived = []
        for name, log in self._inputs.items():
            first = self.offsets[name]
            if records := log[first : first + most]:
                arrived.append(Arrived(self._line.topics[name], records, first, first + len(records)))
        patience = Patience()
        while True:
            try:
                turn = self._state.run(self.now, arrived, patience=patience, ticking=ticking)
            except NotYet as missing:
                await missing.prepare()
            else:
                break
        self._milestones.reached("staged", self.number)
        self._commit(turn)
        return turn

    async def settle(self, limit: int = 100) -> None:
        """Run until no agent's output waits for another agent."""
        for _ in range(limit):
            if not self.waiting:
                return
            await self.run()
        raise AssertionError(f"agents still feed each other after {limit} turns")

    @property
    def waiting(self) -> int:
        """How many input records are not consumed."""
        return sum(len(log) - self.offsets[name] for name, log in self._inputs.items())

    async def tick(self, later_ms: int = 0) -> Turn:
        """Move the clock and tick."""
        self.now += later_ms
        return await self.run(ticking=True)

    async def feed(self, topic: Topic, *records: tuple[bytes, bytes | None]) -> Turn:
        """Put records and process them in one turn."""
        for key, value in records:
            self.put(topic, key, value)
        return await self.run()

    async def outcome(self, outcome: EffectOutcome) -> Turn:
        """Have an effect's outcome arrive."""
        key = row_key(outcome.store, outcome.effect).encode()
        return await self.feed(EFFECTS_OUTCOMES, (key, outcome.model_dump_json().encode()))

    def _commit(self, turn: Turn) -> None:
        """Make a turn visible: what a Kafka transaction does in the worker."""
        positions = {}
        for name, writes in turn.changelogs().items():
            log = self._changelogs[name]
            log += [Record(key.encode(), value, len(log), turn.now) for key, value in writes.items()]
            positions[name] = len(log)
        self.offsets.update(turn.offsets)
        for name, entries in turn.sent.items():
            self.sent[name] += entries
            for key, value, headers in entries if name in self._line.topics else ():
                self.put(self._line.topics[name], key, value, headers=headers)
        self._milestones.reached("committed", self.number)
        self._state.committed(turn, positions)
        self._milestones.reached("applied", self.number)

    def _open(self) -> dict[str, Part]:
        if self._folder is None:
            return {name: memory_part(table) for name, table in self._line.tables.items()}
        self._opened = Parts(self._line.tables, self._folder)
        return self._opened.of_shard(self.number)

    def restart(self) -> None:
        """Lose all memory, as a crash does, and bring the tables to the end of their changelogs."""
        self.close()
        self._parts = self._open()
        for name, part in self._parts.items():
            log = self._changelogs[name]
            part.restore(log[part.position or 0 :], len(log))
        self._state = ShardState(self.number, self._line, self._parts, Fuses())

    def close(self) -> None:
        """Let go of what is open on disk."""
        if self._opened is not None:
            self._opened.close()

    def table(self, table: Table) -> dict[str, Any]:
        """Return a table's committed rows, decoded."""
        horizon = self.now - table.ttl_ms if table.ttl_ms else -1
        return {key: table.codec.decode(raw) for key, raw in self._parts[table.name].items("", horizon)}

    def changelog(self, table: Table) -> Mapping[str, bytes]:
        """Return what a reader of the compacted changelog would see."""
        last = {record.key.decode(): record.value for record in self._changelogs[table.name]}
        return {key: value for key, value in last.items() if value is not None}

    def outputs(self, topic: Topic) -> list[tuple[bytes, bytes | None]]:
        """Return what was sent to a topic, in order."""
        return [(key, value) for key, value, _ in self.sent[topic.name]]

    def effects(self) -> list[Effect]:
        """Return the effects that wait in the outbox, in the order of staging."""
        rows = sorted(self.table(OUTBOX).values(), key=lambda row: row["seq"])
        return [effect_of(row) for row in rows]

    def fates(self) -> dict[str, int]:
        """Return the sum of all fates so far."""
        total: dict[str, int] = defaultdict(int)
        for _, value in self.outputs(EVENT_FATES):
            for fate, count in orjson.loads(value or b"{}")["counts"].items():
                total[fate] += count
        return dict(total)

    def dead_letters(self) -> list[dict[str, Any]]:
        """Return the dead letters so far."""
        return [orjson.loads(value or b"{}") for _, value in self.outputs(DEAD_LETTERS)]
