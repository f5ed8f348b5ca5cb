"""The interface of an agent: what the author of an agent sees of the engine, and nothing else.

An agent receives the batch of one topic in one shard and returns. What it sets in tables, sends and stages as effects
commits in one Kafka transaction with the consumed offsets, or leaves no trace. There is no I/O and no await inside.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from schemas.fates import Fate
from schemas.topics import Topic
from streams.engine.effect import Effect, EffectOutcome
from streams.engine.errors import Misuse, NotYet, Poison
from streams.engine.table import JSON, RAW, TEXT, Codec, Table

__all__ = [
    "JSON",
    "RAW",
    "TEXT",
    "Agent",
    "Batch",
    "Codec",
    "Effect",
    "EffectOutcome",
    "NotYet",
    "Poison",
    "Record",
    "Shard",
    "Table",
    "View",
]

Header = tuple[str, bytes]
Prepare = Callable[[], Awaitable[None]]


class Record(NamedTuple):
    """One record of an input topic.

    Attributes:
        key: `store/...`, UTF-8.
        value: the raw bytes; None is a tombstone.
        offset: position in the partition.
        timestamp: Unix milliseconds, as the writer set it.
        headers: name and bytes, in order.
    """

    key: bytes
    value: bytes | None
    offset: int
    timestamp: int
    headers: Sequence[Header] = ()

    @property
    def store(self) -> str:
        """The store that the key names: what stands before its first slash."""
        return self.key.partition(b"/")[0].decode("utf-8", "replace")


class Batch:
    """The records of one topic in one shard that an agent shall process, in offset order.

    Whatever the agent does not call a duplicate, filtered or dead counts as `counted` (DESIGN section 3.2). Where
    several agents share a topic and each record is the business of one of them, the others pass it.
    """

    __slots__ = ("not_counted", "passed_over", "records", "shard", "topic")

    def __init__(self, topic: Topic, shard: int, records: Sequence[Record]) -> None:
        self.topic = topic
        self.shard = shard
        self.records = records
        self.not_counted: list[tuple[Record, Fate, str | None, str | None]] = []
        self.passed_over: list[Record] = []

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def check(self) -> None:
        """Look at the fates that the agent has given: with two for one record the sums would never balance again.

        Raises:
            Misuse: a record was given two.
        """
        if self.not_counted or self.passed_over:
            noted = [entry[0].offset for entry in self.not_counted] + [record.offset for record in self.passed_over]
            if len(set(noted)) < len(noted):
                raise Misuse(f"{self.topic.name}: a record was given two fates")

    def duplicate(self, record: Record, event_id: str) -> None:
        """Say that the record repeats an event that was counted before."""
        self.not_counted.append((record, "duplicate", event_id, None))

    def filtered(self, record: Record, event_id: str, reason: str) -> None:
        """Say that the record is left out on purpose, and why (`bot`, `consent` ...): never a personal value."""
        self.not_counted.append((record, "filtered", event_id, reason))

    def passed(self, record: Record) -> None:
        """Say that the record is another agent's business: that one accounts for it, this one does not."""
        self.passed_over.append(record)

    def dead(self, record: Record, reason: str) -> None:
        """Send the record to `dead.letters`; what was staged for it stays staged. No personal value in the reason."""
        self.not_counted.append((record, "dead", None, reason))


class View(Protocol):
    """One table as a shard sees it inside a transaction: what is staged, over what is committed.

    Keys are text. A value you got is yours to read only: to change it, set a new one.
    """

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value, or the default when the key is absent or its time to live is over."""

    def __getitem__(self, key: str) -> Any: ...

    def __setitem__(self, key: str, value: Any) -> None: ...

    def __delitem__(self, key: str) -> None: ...

    def __contains__(self, key: str) -> bool: ...

    def items(self, prefix: str = "") -> Iterable[tuple[str, Any]]:
        """Return what stands under the prefix, in the order of the keys.

        On disk the cost is that of the result; in memory it is that of the table, so keep it to small tables.
        """


class Shard(Protocol):
    """Everything an agent may touch besides its batch; one Kafka transaction stands behind it."""

    number: int
    now: int
    """Unix milliseconds, the same throughout a transaction."""

    def table(self, table: Table) -> View:
        """Return the view of one of the agent's tables."""

    def send(self, topic: Topic, key: bytes, value: bytes | None, headers: Sequence[Header] = ()) -> None:
        """Stage a record; it lands in the partition of this shard.

        Raises:
            RecordTooLarge: when no broker setting would take it; the culprit is dead-lettered.
        """

    def effect(self, effect: Effect) -> None:
        """Stage a call to a destination in the outbox; it runs after the commit. A known id is staged once."""


class Agent:
    """Something that processes topics: subclass it and give the class its name, inputs and tables.

    Example:
        class Counts(Agent):
            name = "counts"
            inputs = (topics.PIXEL_EVENTS,)
            tables = (COUNTS,)

            def process(self, batch, shard):
                counts = shard.table(COUNTS)
                for record in batch:
                    counts[record.store] = counts.get(record.store, 0) + 1
    """

    name: str
    inputs: tuple[Topic, ...]
    tables: tuple[Table, ...] = ()

    def process(self, batch: Batch, shard: Shard) -> None:
        """Process a batch of one topic. Raising undoes it; the batch then runs again, record by record.

        Raises:
            Poison: the input can never be processed: it is dead-lettered with this reason.
            NotYet: something outside is missing that `prepare` can fetch; then the batch runs again.
        """
        raise Misuse(
            f"agent {self.name} was given {len(batch)} records of {batch.topic.name} in shard {shard.number} "
            "but has no process(): implement it, or leave the topic out of its inputs"
        )

    def tick(self, now: int, shard: Shard) -> None:
        """Do what is due; called about once a second for every shard that this worker owns.

        Args:
            now: Unix milliseconds.
            shard: the shard; an empty tick costs no transaction.
        """

    def outcome(self, outcome: EffectOutcome, shard: Shard) -> None:
        """Hear what an effect that this agent staged ended with, exactly once per effect."""

    def abandoned(self, record: Record, shard: Shard) -> None:
        """Let go of what waited for a record that was dead-lettered. Rarely needed."""
