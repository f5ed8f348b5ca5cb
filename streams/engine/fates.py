"""Fates and dead letters: what became of each record, written in the transaction that consumed it."""

import re
import traceback
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence

import orjson

from schemas import topics
from schemas.clock import to_text
from schemas.fates import Fate
from streams.engine.agent import Batch, Record
from streams.engine.errors import EngineError

UNKNOWN = "unknown"
UNCOUNTED_PER_SUMMARY = 1000
"""A summary stays far below the smallest record limit: an entry has some 150 bytes."""
VALUE_LIMIT = 256_000
"""Bytes of the original that a dead letter keeps (schemas.fates.DeadLetter)."""
_STORE = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


def store_of(record: Record) -> str:
    """Return the record's store, or `unknown` when its key names none: nothing in a topic can stop a worker."""
    store = record.store
    return store if _STORE.match(store) else UNKNOWN


def position_of(batch: Batch, record: Record) -> str:
    """Return `topic/partition/offset`."""
    return f"{batch.topic.name}/{batch.shard}/{record.offset}"


def summaries(agent: str, batch: Batch, now: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the `event.fates` records of a batch: one per store, more when many were not counted."""
    by_store: dict[str, list[Record]] = {}
    for store, records in _split(batch.records):
        by_store.setdefault(store, []).extend(records)
    not_counted: dict[str, list[tuple[Record, Fate, str | None, str | None]]] = {}
    for entry in batch.not_counted:
        not_counted.setdefault(store_of(entry[0]), []).append(entry)
    for store, records in by_store.items():
        entries = not_counted.get(store, [])
        counted = len(records) - len(entries)
        for start in range(0, max(1, len(entries)), UNCOUNTED_PER_SUMMARY):
            chunk = entries[start : start + UNCOUNTED_PER_SUMMARY]
            counts: dict[str, int] = dict(Counter(fate for _, fate, _, _ in chunk))
            if counted:
                counts["counted"], counted = counted, 0
            key = topics.EVENT_FATES.key(store, agent, batch.topic.name, records[0].offset, start)
            yield key, orjson.dumps({
                "store": store,
                "agent": agent,
                "topic": batch.topic.name,
                "partition": batch.shard,
                "first_offset": records[0].offset,
                "last_offset": records[-1].offset,
                "counts": counts,
                "uncounted": [
                    {"id": name or position_of(batch, record), "offset": record.offset, "fate": fate, "reason": reason}
                    for record, fate, name, reason in chunk
                ],
                "at": to_text(now),
            })  # fmt: skip


def _split(records: Sequence[Record]) -> Iterator[tuple[str, Sequence[Record]]]:
    """Yield runs of records of one store; a batch of one store, the common case, is one run and never copied."""
    start = 0
    prefix = b""
    store = UNKNOWN
    for index, record in enumerate(records):
        if not prefix or not record.key.startswith(prefix):
            if index > start:
                yield store, records[start:index]
            start, store = index, store_of(record)
            prefix = store.encode() + b"/" if record.key.startswith(store.encode() + b"/") else b""
    if start < len(records):
        yield store, records[start:] if start else records


def reason_of(error: BaseException) -> str:
    """Say why, without a value: only the engine's own errors promise that their text holds none."""
    return str(error) if isinstance(error, EngineError) else type(error).__name__


def trace_of(error: BaseException) -> str:
    """Return the traceback without the exceptions' texts, which may quote personal values."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} in {frame.name}" for frame in frames]
    return "\n".join([*lines[-20:], type(error).__name__])


def dead_letter(
    step: str,
    batch: Batch,
    record: Record,
    *,
    reason: str,
    now: int,
    detail: str | None = None,
    limit: int = VALUE_LIMIT,
) -> tuple[bytes, bytes]:
    """Return the `dead.letters` record for something that could not be processed.

    Args:
        step: who gave up.
        batch: where it was met.
        record: the original.
        reason: why; no personal value.
        now: Unix milliseconds.
        detail: traceback without values.
        limit: bytes of the original value to keep.
    """
    store = store_of(record)
    letter = f"{step}/{position_of(batch, record)}"
    return topics.DEAD_LETTERS.key(store, letter), orjson.dumps({
        "store": store,
        "letter": letter,
        "step": step,
        "reason": reason,
        "detail": detail,
        "topic": batch.topic.name,
        "partition": batch.shard,
        "offset": record.offset,
        "key": b64encode(record.key).decode(),
        "value": None if record.value is None else b64encode(record.value[:limit]).decode(),
        "at": to_text(now),
    })  # fmt: skip
