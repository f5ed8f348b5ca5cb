"""Dead letters: looked at, and sent again.

A letter holds the bytes of a record that could not be processed, and where it stood. Redriving puts the bytes back into
that topic and partition under the same key, and removes the letter, in one transaction: so a letter is redriven once,
however often one asks and whatever dies in between. Two redrives at a time fence each other. Agents recognise what they
counted before by its event id.
"""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaConnectionError, KafkaError, ProducerFenced
from pydantic import ValidationError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import RedriveInterrupted
from connectors.kafka.originals import with_originals, without_replaced
from connectors.kafka.reader import CommittedReader, Record
from connectors.kafka.readiness import refused_by
from connectors.kafka.watermarks import high_watermarks
from schemas import topics
from schemas.clock import to_text
from schemas.events import CONTENT_TYPE, CloudEvent
from schemas.fates import REDRIVEN, DeadLetter
from schemas.partition import store_of

log = structlog.get_logger(__name__)

KEPT: Final = 256_000
"""Bytes that a letter keeps at most; one that does not tell the original's size is taken as cut when it has as many."""
TRANSACTION: Final = 100
"""Letters in one transaction: at most some 25 MB, well within the broker's time."""
TIMEOUT_MS: Final = 20_000
"""After which the broker aborts what a redrive that died left open: readers wait that long, as for a worker."""

Outcome = Literal["redriven", "possible", "impossible", "gone"]


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without its bytes.

    Attributes:
        store: a store's name, or `unknown`.
        letter: its id.
        step: who gave up.
        reason: why.
        detail: traceback or answer.
        topic: where the original stood; None when it never came into a topic.
        partition: of that topic.
        offset: in that partition.
        size: bytes of the original; None for a tombstone.
        at: when, RFC 3339.
        obstacle: why it cannot be redriven; None when it can.
    """

    store: str
    letter: str
    step: str
    reason: str
    detail: str | None
    topic: str | None
    partition: int | None
    offset: int | None
    size: int | None
    at: str
    obstacle: str | None

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return topics.DEAD_LETTERS.key(self.store, self.letter)

    @classmethod
    def of(cls, row: DeadLetter) -> "Letter":
        """Return a letter's head."""
        return cls(
            row.store, row.letter, row.step, row.reason, row.detail, row.topic, row.partition, row.offset,
            row.size if row.size is not None else _kept(row), to_text(int(row.at.timestamp() * 1000)), obstacle(row),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of a letter.

    Attributes:
        letter: its head.
        outcome: redriven; possible (a dry run would have); impossible; gone (redriven or removed before).
        reason: why it is impossible.
    """

    letter: Letter
    outcome: Outcome
    reason: str | None = None


def obstacle(row: DeadLetter) -> str | None:
    """Say why a letter cannot be redriven, and what to do; None when it can."""
    if row.obstacle is not None:
        return row.obstacle
    if row.topic is None or row.partition is None:
        return "the original never came into a topic: whoever sent it has to send it again, corrected"
    if row.topic not in topics.BY_NAME:
        return f"its topic {row.topic} is none of ours any more"
    kept = _kept(row)
    if kept is not None and (kept < row.size if row.size is not None else kept >= KEPT):
        return f"only its first {kept:,} bytes were kept: whoever wrote it has to send it again"
    return None


def _kept(row: DeadLetter) -> int | None:
    return None if row.value is None else len(b64decode(row.value))


async def list_letters(connection: KafkaConnection, store: str | None = None, step: str | None = None) -> list[Letter]:
    """Return the letters that wait, the oldest first, without their bytes.

    Args:
        connection: to the broker.
        store: of this store only.
        step: given up by this step only.

    Raises:
        TopicMissing, BrokerUnreachable: as reading a topic does.
    """
    found: dict[bytes, Letter] = {}
    async for _, record in _records(connection):
        row = _row_of(record)
        if row is None:
            found.pop(record.key, None)
        elif store in {None, row.store} and step in {None, row.step}:
            found[record.key] = Letter.of(row)
    return sorted(found.values(), key=lambda letter: (letter.at, letter.letter))


async def count_letters(connection: KafkaConnection, *, partitions: Iterable[int] | None = None) -> dict[str, int]:
    """Return how many letters wait, by store; stores without any are left out."""
    counts: dict[str, int] = {}
    for key in await _standing(connection, partitions):
        store = store_of(key)
        counts[store] = counts.get(store, 0) + 1
    return counts


async def show(connection: KafkaConnection, letter: str, store: str | None = None) -> DeadLetter | None:
    """Return a whole letter by its id, or None when there is none (any more)."""
    found: DeadLetter | None = None
    async for _, record in _records(connection):
        of, _, name = (record.key or b"").partition(b"/")
        if name == letter.encode() and (store is None or of == store.encode()):
            found = _row_of(record)
    return None if found is None else (await with_originals(connection, [found]))[0]


async def redrive(connection: KafkaConnection, letters: Iterable[Letter], *, dry_run: bool = False) -> list[Redriven]:
    """Put the originals of letters back where they stood, and remove the letters; once, however often it is asked.

    Args:
        connection: to the broker.
        letters: from `list_letters`.
        dry_run: only say what would become of them; whether a topic still keeps an original is not looked at.

    Returns:
        What became of each, in the order given.

    Raises:
        RedriveInterrupted: another redrive began meanwhile; what this one had committed is done.
        TopicMissing, BrokerUnreachable: as reading a topic does.
    """
    wanted = {letter.key: letter for letter in letters}
    if dry_run:
        standing = await _standing(connection, None)
        return [_judged(letter, key in standing, "possible") for key, letter in wanted.items()]
    async with _producer(connection) as producer:
        # After the producer's start: what another redrive had open is aborted, and what it committed is seen.
        standing = await _standing(connection, None)
        places = {standing[key]: key for key, letter in wanted.items() if key in standing and letter.obstacle is None}
        waiting: list[tuple[int, DeadLetter]] = []
        lost: dict[bytes, str] = {}
        async for partition, record in _records(connection, {partition for partition, _ in places}):
            row = _row_of(record) if (partition, record.offset) in places else None
            if row is not None:
                waiting.append((partition, row))
            if len(waiting) >= TRANSACTION:
                lost |= await _put_back(connection, producer, waiting)
                waiting = []
        lost |= await _put_back(connection, producer, waiting)
    return [_judged(letter, key in standing, "redriven", lost.get(key)) for key, letter in wanted.items()]


async def remove(connection: KafkaConnection, letters: Iterable[Letter]) -> int:
    """Remove letters without sending their originals again; return how many there were.

    Raises:
        TopicMissing, BrokerUnreachable: as reading a topic does.
    """
    wanted = {letter.key for letter in letters}
    places = {key: place for key, (place, _) in (await _standing(connection, None)).items() if key in wanted}
    async with _producer(connection) as producer, producer.transaction():
        for key, place in places.items():
            await producer.send(connection.topic(topics.DEAD_LETTERS.name), key=key, value=None, partition=place)
    return len(places)


def _judged(letter: Letter, stands: bool, done: Outcome, lost: str | None = None) -> Redriven:
    if not stands:
        return Redriven(letter, "gone")
    reason = letter.obstacle or lost
    return Redriven(letter, done) if reason is None else Redriven(letter, "impossible", reason)


@asynccontextmanager
async def _producer(connection: KafkaConnection) -> AsyncIterator[AIOKafkaProducer]:
    """Start the producer of redrives: there is one in all, and a second one fences the first."""
    producer = AIOKafkaProducer(
        transactional_id=connection.topic("dead-letters-redrive"), transaction_timeout_ms=TIMEOUT_MS,
        **connection.options(),
    )  # fmt: skip
    try:
        await producer.start()
    except (KafkaConnectionError, OSError) as error:
        await producer.stop()
        raise await refused_by(connection, error) from error
    try:
        yield producer
    except (ProducerFenced, InvalidProducerEpoch, AssertionError) as error:
        # aiokafka asserts its own state, and trips over it when it hears of the fence only while it aborts.
        if isinstance(error, AssertionError) and "FATAL_ERROR" not in str(error):
            raise
        raise RedriveInterrupted(
            "another redrive began meanwhile and took over: what this one had not committed was not sent. "
            "List the letters again, and redrive what is left."
        ) from error
    finally:
        await producer.stop()


async def _put_back(
    connection: KafkaConnection, producer: Any, waiting: list[tuple[int, DeadLetter]]
) -> dict[bytes, str]:
    """Send originals and remove their letters, in one transaction; return why some cannot be, by their key."""
    filled = await with_originals(connection, [row for _, row in waiting])
    filled = await without_replaced(connection, filled)
    rows = [(place, row) for (place, _), row in zip(waiting, filled, strict=True) if row.obstacle is None]
    lost = {topics.DEAD_LETTERS.key(row.store, row.letter): row.obstacle for row in filled if row.obstacle is not None}
    if not rows:
        return lost
    await producer.begin_transaction()
    sent: list[Any] = []
    try:
        for record in chain.from_iterable(_records_for(connection, place, row) for place, row in rows):
            sent.append(await producer.send(**record))  # noqa: PERF401  what was sent before a failure is kept
        await asyncio.gather(*sent)
        await producer.commit_transaction()
    except (ProducerFenced, InvalidProducerEpoch):
        await asyncio.gather(*sent, return_exceptions=True)  # all of them have failed, and each wants to be heard
        raise
    except BaseException:
        # Left open, it would hold up every reader of these partitions until the broker gives up on it.
        with suppress(KafkaError):
            await producer.abort_transaction()
        raise
    for _, row in rows:
        log.info("dead letter redriven", store=row.store, letter=row.letter, step=row.step)
    return lost


def _records_for(connection: KafkaConnection, place: int, row: DeadLetter) -> Iterator[dict[str, Any]]:
    """Yield what is sent for a letter: its original, and the tombstone of the letter, which stands in `place`."""
    topic = topics.BY_NAME[row.topic or ""]
    yield {
        "topic": connection.topic(topic.name), "partition": row.partition, "key": b64decode(row.key or ""),
        "value": None if row.value is None else b64decode(row.value),
        "headers": [*_content_type(topic), (REDRIVEN, row.letter.encode())],
    }  # fmt: skip
    yield {
        "topic": connection.topic(topics.DEAD_LETTERS.name), "partition": place, "value": None,
        "key": topics.DEAD_LETTERS.key(row.store, row.letter),
    }  # fmt: skip


def _content_type(topic: topics.Topic) -> tuple[tuple[str, bytes], ...]:
    return CONTENT_TYPE if isinstance(topic.model, type) and issubclass(topic.model, CloudEvent) else ()


async def _standing(connection: KafkaConnection, partitions: Iterable[int] | None) -> dict[bytes, tuple[int, int]]:
    """Return where each letter that waits stands: partition and offset of its record."""
    found: dict[bytes, tuple[int, int]] = {}
    async for partition, record in _records(connection, partitions):
        if record.value is None:
            found.pop(record.key, None)
        else:
            found[record.key] = (partition, record.offset)
    return found


async def _records(
    connection: KafkaConnection, partitions: Iterable[int] | None = None
) -> AsyncIterator[tuple[int, Record]]:
    """Hand out partition and record, all that was committed before: transactions that are open are waited for.

    A broker answers a commit before it has written the marks that show it to readers; a redrive of a moment ago would
    not be seen.
    """
    topic = topics.DEAD_LETTERS.name
    wanted = None if partitions is None else frozenset(partitions)
    if wanted is not None and not wanted:
        return
    async with CommittedReader(connection, [topic], partitions=wanted) as reader:
        ends = await high_watermarks(connection, topic, [partition for _, partition in await reader.ends()])
        async for batch in reader.until(ends):
            for record in batch.records:
                if record.offset < ends[topic, batch.partition]:
                    yield batch.partition, record


def _row_of(record: Record) -> DeadLetter | None:
    """Return the letter in a record; None for a tombstone, and for what is no letter."""
    if record.value is None:
        return None
    try:
        return DeadLetter.model_validate_json(record.value)
    except ValidationError:
        log.warning("a record of dead.letters is no letter", partition=record.partition, offset=record.offset)
        return None
