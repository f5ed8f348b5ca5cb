# ruff: noqa: SLF001  touches internals of aiokafka; each is named in internals.py and guarded by a test
"""Unpacks what was fetched by the record batch: aiokafka itself hands on one record after the other, at twice the cost.

What decides is still aiokafka's own loop: checksums, aborted transactions, control batches, and the position behind
each batch. It is given batches that have one record: the list of all.
"""

from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords

from streams.engine.agent import Record


class WholeBatch:
    """One of aiokafka's record batches. Iterated, it gives itself, with all its records and the last one's offset."""

    __slots__ = ("_batch", "offset", "records")

    def __init__(self, batch: Any) -> None:
        self._batch = batch
        self.offset = -1
        self.records: list[Record] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)  # the marker in a control batch

    def __iter__(self) -> Any:
        make = tuple.__new__  # past the constructor that takes names: half its cost
        self.records = [make(Record, (r.key or b"", r.value, r.offset, r.timestamp, r.headers)) for r in self._batch]
        if self.records:  # compaction leaves batches without any
            self.offset = self.records[-1].offset
            yield self


class WholeBatches:
    """aiokafka's record batches of a partition, each whole."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self.has_next = batches.has_next

    def next_batch(self) -> WholeBatch:
        """Return the next one."""
        return WholeBatch(self._batches.next_batch())


class RecordsByBatch(PartitionRecords):
    """What aiokafka has fetched of a partition, in lists of records."""

    def __iter__(self) -> Any:
        return self._records_iterator

    def _consumer_record(self, _: TopicPartition, batch: WholeBatch) -> list[Record]:
        records, wanted = batch.records, self.next_fetch_offset
        if records[0].offset < wanted:  # the broker sends batches as they were written, from wherever it was asked
            return [record for record in records if record.offset >= wanted]
        return records


def take(result: FetchResult, tp: TopicPartition, max_records: int) -> list[Record]:
    """Take records fetched of a partition, batch by batch, until there are so many or it has no more.

    Does what `FetchResult.getall` does, but for a batch that cannot be unpacked: what stands before it is taken. It
    raises when it is the first; then the position has not moved. Nothing is left to be taken in either case.
    """
    taken: list[Record] = []
    part = result._partition_records
    if part is None:
        return taken
    if not result.check_assignment(tp):
        part._records_iterator = None  # it holds the part, with all that was fetched: Python would find that much later
        return taken
    if not isinstance(part, RecordsByBatch):
        part.__class__ = RecordsByBatch  # aiokafka makes it, and offers no other way in; its loop has not begun
        part._records = WholeBatches(part._records)
    result._partition_records = None
    try:
        for records in part:
            taken += records
            if len(taken) >= max_records:
                result._partition_records = part
                break
    except Exception:
        if not taken:
            raise
    result._assignment.state_value(tp).consumed_to(part.next_fetch_offset)
    return taken
