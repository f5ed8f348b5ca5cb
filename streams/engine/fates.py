"""Fates and dead letters: what became of each record, written in the transaction that consumed it."""

import re
import traceback
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

import orjson

from schemas import topics
from schemas.clock import to_text
from schemas.fates import Fate
from schemas.model import STORE_NAME
from streams.engine.agent import Batch, Record
from streams.engine.errors import EngineError

UNKNOWN = "unknown"
NotCounted = tuple[Record, Fate, str | None, str | None]
"""A record, its fate, its id and the reason: what `Batch` notes."""
UNCOUNTED_PER_SUMMARY = 1000
UNCOUNTED_BYTES = 450_000
"""A summary stays below what a broker takes, whatever ids are told: a thousand entries of usual ones have 150,000."""
LONGEST_ID = 1_000
_ENTRY = 200
"""Bytes of an entry beside its id and reason."""
_BYTES_A_CHARACTER = 6
"""Of JSON at most: `\\u0000`."""
VALUE_LIMIT = 256_000
"""Bytes of the original that a dead letter keeps (schemas.fates.DeadLetter)."""
KEY_LIMIT = 16_384
"""Bytes of its key: far more than any of ours has, and a stranger's must not make a letter that no broker takes."""
STRANGE_KEY = "its key is longer than any of ours, and was cut: look at the original at its offset, and at who wrote it"
_STORE = re.compile(rf"{STORE_NAME}\Z")


def store_of(record: Record) -> str:
    """Return the record's store, or `unknown` when its key names none: nothing in a topic can stop a worker."""
    return _store(record.store)


@lru_cache(maxsize=4_096)
def _store(name: str) -> str:
    return name if _STORE.match(name) else UNKNOWN


def position_of(batch: Batch, record: Record) -> str:
    """Return `topic/partition/offset`."""
    return f"{batch.topic.name}/{batch.shard}/{record.offset}"


def id_of(batch: Batch, record: Record, name: str | None) -> str:
    """Return the name of a record that was not counted; its position, where it has none."""
    return name[:LONGEST_ID] if name else position_of(batch, record)


class Span:
    """Where a store's records stand in a batch: how many, the first and the last offset."""

    __slots__ = ("count", "first", "last")

    def __init__(self, count: int, first: int, last: int) -> None:
        self.count = count
        self.first = first
        self.last = last


Spans = dict[str, Span]


def spans_of(records: Sequence[Record]) -> Spans:
    """Return the span of every store in a batch."""
    # Built-ins only: this runs over every record, and a loop would cost three times as much.
    prefixes = [record.key.partition(b"/")[0] for record in records]
    offsets = [record.offset for record in records]
    last = dict(zip(prefixes, offsets, strict=True))
    first = dict(zip(reversed(prefixes), reversed(offsets), strict=True))
    by_prefix = {prefix: Span(count, first[prefix], last[prefix]) for prefix, count in Counter(prefixes).items()}
    spans: Spans = {}
    for prefix, span in by_prefix.items():
        known = spans.setdefault(_store(prefix.decode("utf-8", "replace")), span)
        if known is not span:  # several prefixes that name no store
            known.count += span.count
            known.first, known.last = min(known.first, span.first), max(known.last, span.last)
    return spans


def summaries(agent: str, batch: Batch, spans: Spans, now: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the `event.fates` records of a batch: one per store, more when many were not counted."""
    not_counted = _by_store(batch.not_counted)
    passed = Counter(store_of(record) for record in batch.passed_over)
    for store, span in spans.items():
        entries = not_counted.get(store, [])
        counted = span.count - len(entries) - passed[store]
        if not (counted or entries):
            continue
        most = _most_in_a_summary(entries)
        for start in range(0, max(1, len(entries)), most):
            chunk = entries[start : start + most]
            counts: dict[str, int] = dict(Counter(fate for _, fate, _, _ in chunk))
            if counted:
                counts["counted"], counted = counted, 0
            key = topics.EVENT_FATES.key(store, agent, batch.topic.name, span.first, start)
            yield key, orjson.dumps({
                "store": store,
                "agent": agent,
                "topic": batch.topic.name,
                "partition": batch.shard,
                "first_offset": span.first,
                "last_offset": span.last,
                "counts": counts,
                "uncounted": [
                    {"id": id_of(batch, record, name), "offset": record.offset, "fate": fate, "reason": reason}
                    for record, fate, name, reason in chunk
                ],
                "at": to_text(now),
            })  # fmt: skip


def _most_in_a_summary(entries: Sequence[NotCounted]) -> int:
    longest = max((min(len(name or ""), LONGEST_ID) + len(reason or "") for _, _, name, reason in entries), default=0)
    return max(1, min(UNCOUNTED_PER_SUMMARY, UNCOUNTED_BYTES // (_ENTRY + longest * _BYTES_A_CHARACTER)))


def _by_store(entries: Sequence[NotCounted]) -> dict[str, list[NotCounted]]:
    found: dict[str, list[NotCounted]] = {}
    by_prefix: dict[bytes, list[NotCounted]] = {}  # a store's name is read once, however many events it leaves out
    for entry in entries:
        prefix = entry[0].key.partition(b"/")[0]
        mine = by_prefix.get(prefix)
        if mine is None:
            mine = by_prefix[prefix] = found.setdefault(store_of(entry[0]), [])
        mine.append(entry)
    return found


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
        "key": b64encode(record.key[:KEY_LIMIT]).decode(),
        "value": None if record.value is None else b64encode(record.value[:limit]).decode(),
        "size": None if record.value is None else len(record.value),
        **({"obstacle": STRANGE_KEY} if len(record.key) > KEY_LIMIT else {}),
        "at": to_text(now),
    })  # fmt: skip
