"""A turn is all that one transaction of a shard will do; until the commit it exists only here.

Its steps (an agent on a batch, on one record, on a tick) run between savepoints: `keep()` or `drop()`.
"""

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from schemas.topics import DEAD_LETTERS, EVENT_FATES, Topic
from streams.engine.agent import Batch, Header, Record
from streams.engine.effect import Effect, require_sound
from streams.engine.errors import Misuse, RecordTooLarge
from streams.engine.fates import KEY_LIMIT, VALUE_LIMIT, Spans, dead_letter, summaries
from streams.engine.outbox import OUTBOX, row_key, staged_row
from streams.engine.parts import Part
from streams.engine.staged import StagedTable
from streams.engine.table import Table

log = structlog.get_logger(__name__)

OVERHEAD = 512
"""Bytes that a record's headers and framing may take besides key and value."""


Entry = tuple[bytes, bytes | None, Sequence[Header]]
"""Key, value and headers of a record to produce."""


class Turn:
    """One transaction's worth of work in one shard; agents see it as `Shard`.

    Args:
        number: the shard.
        tables: every table of the worker, by name.
        parts: this shard's part of each.
        now: Unix milliseconds.
        sequence: the number that the next staged effect gets.
        record_limit: bytes that a record may have.
    """

    def __init__(
        self, number: int, tables: Mapping[str, Table], parts: Mapping[str, Part], *, now: int, sequence: int,
        record_limit: int,
    ) -> None:  # fmt: skip
        self.number = number
        self.now = now
        self.sequence = sequence
        self.record_limit = record_limit
        self._room = record_limit - OVERHEAD
        self.sent: defaultdict[str, list[Entry]] = defaultdict(list)
        self.offsets: dict[str, int] = {}
        self.views: dict[str, StagedTable] = {}
        self._tables = tables
        self._parts = parts
        self._savepoint: tuple[dict[str, int], int] = ({}, sequence)

    def table(self, table: Table) -> StagedTable:
        """Return the view of a table."""
        view = self.views.get(table.name)
        if view is None:
            if self._tables.get(table.name) != table:
                raise Misuse(f"table {table.name}: no agent of this worker lists it in `tables`, or as another table")
            view = self.views[table.name] = StagedTable(table, self._parts[table.name], self.now)
        return view

    def send(self, topic: Topic, key: bytes, value: bytes | None, headers: Sequence[Header] = ()) -> None:
        """Stage a record."""
        if type(key) is not bytes or (value is not None and type(value) is not bytes) or headers:
            _require_bytes(topic, key, value, headers)
        size = len(key) + (len(value) if value else 0)
        if size > self._room:
            self._refuse(topic, size)
        self.sent[topic.name].append((key, value, headers))

    def _refuse(self, topic: Topic, size: int) -> None:
        if self._room < 0:
            raise Misuse(f"{topic.name}: the shard was kept from an earlier turn: use the one that each call is given")
        raise RecordTooLarge(f"{topic.name}: a record of {size + OVERHEAD} bytes, more than {self.record_limit}")

    def effect(self, effect: Effect) -> None:
        """Stage a call to a destination; an id that waits in the outbox already is the same effect."""
        require_sound(effect)
        outbox = self.table(OUTBOX)
        key = row_key(effect.store, effect.id)
        if key not in outbox:
            outbox[key] = staged_row(effect, self.sequence)
            self.sequence += 1

    def keep(self) -> None:
        """End a step that succeeded; what does not fit raises, and the step has to be dropped."""
        self._keep(self._room)

    def keep_as_it_is(self) -> None:
        """End a step that rewrote what fitted before, and may be a byte longer."""
        self._keep(sys.maxsize)

    def _keep(self, limit: int) -> None:
        # All are encoded before any is kept: what does not fit in one table must leave no trace in another.
        encoded = [(view, view.encoded(limit)) for view in self.views.values() if view.touched]
        for view, rows in encoded:
            view.keep(rows)
        self._save()

    def _save(self) -> None:
        self._savepoint = ({topic: len(entries) for topic, entries in self.sent.items()}, self.sequence)

    def drop(self) -> None:
        """Undo everything since the last `keep()`."""
        for view in self.views.values():
            view.drop()
        lengths, self.sequence = self._savepoint
        for topic, entries in self.sent.items():
            del entries[lengths.get(topic, 0) :]

    def settle(self, agent: str, batch: Batch, spans: Spans) -> None:
        """Write the fates of a batch, and the dead letters that the agent asked for."""
        for record, fate, name, reason in batch.not_counted:
            if fate == "dead" and name is None:
                self.bury(agent, batch, record, reason or "unspecified")
        for key, value in summaries(agent, batch, spans, self.now):
            self._record(EVENT_FATES, key, value)

    def bury(self, step: str, batch: Batch, record: Record, reason: str, detail: str | None = None) -> None:
        """Write a dead letter."""
        # Base64 takes four bytes for three, and the letter has to fit where the original did not.
        limit = min(VALUE_LIMIT, max(0, (self.record_limit - 32_768) * 3 // 4 - min(len(record.key), KEY_LIMIT)))
        key, value = dead_letter(step, batch, record, reason=reason, now=self.now, detail=detail, limit=limit)
        self._record(DEAD_LETTERS, key, value)

    def _record(self, topic: Topic, key: bytes, value: bytes) -> None:
        """Stage what no later step that fails may take back; called between steps only."""
        self.sent[topic.name].append((key, value, ()))
        self._save()

    def end(self) -> None:
        """Refuse everything that an agent would still stage: it has kept this turn, or a view of it."""
        self._room = -1
        for view in self.views.values():
            view.end()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.offsets or any(self.sent.values()) or any(view.writes for view in self.views.values()))

    def changelogs(self) -> dict[str, dict[str, bytes | None]]:
        """Return what is written to each table, by table name."""
        return {name: view.writes for name, view in self.views.items() if view.writes}

    def apply(self, positions: Mapping[str, int]) -> None:
        """Hand what was committed to the tables; `positions` are the changelog offsets behind the writes."""
        for name, view in self.views.items():
            if view.writes:
                before = self._parts[name].position
                if before is not None and positions[name] <= before:
                    log.error("a changelog was created anew or cut at the broker: rows not written again stand "
                              "in this worker only, and are lost with it (`hellotext-vtex replay` counts anew)",
                              table=name, shard=self.number, before=before, now=positions[name])  # fmt: skip
                view.apply(self.now, positions[name])

    def outbox_changes(self) -> dict[str, Any]:
        """Return the outbox rows that changed: the row, or None when it is gone."""
        view = self.views.get(OUTBOX.name)
        if view is None:
            return {}
        return {key: None if raw is None else OUTBOX.codec.decode(raw) for key, raw in view.writes.items()}


def _require_bytes(topic: Topic, key: Any, value: Any, headers: Any) -> None:
    """Raise where the agent's own line is in the traceback: the producer would only find out in the transaction."""
    if type(key) is not bytes or not (value is None or type(value) is bytes):
        raise Misuse(
            f"{topic.name}: key and value of a record are bytes (a value may be None), not "
            f"{type(key).__name__} and {type(value).__name__}"
        )
    for name, content in headers:
        if not (isinstance(name, str) and isinstance(content, bytes)):
            raise Misuse(f"{topic.name}: a header is a text and bytes")
