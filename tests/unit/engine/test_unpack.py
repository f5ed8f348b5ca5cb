"""Unpacking by the batch gives what aiokafka gives record by record, and stands where it stands."""

import gc
import struct
import weakref
from contextlib import suppress

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.engine.unpack import take

TP = TopicPartition("topic", 0)
CONTROL, ABORT, COMMIT = 0x20, 0, 1
ALL = 1_000_000
NO_PRODUCER = -1


def sealed(batch, base_offset, count, attributes=0):
    """Return a built batch as a broker stores it: with its offset, and attributes set."""
    batch = bytearray(batch)
    batch[0:8] = struct.pack(">q", base_offset)
    batch[21:23] = struct.pack(">h", struct.unpack_from(">h", batch, 21)[0] | attributes)
    batch[23:27] = struct.pack(">i", count - 1)  # compaction keeps the last offset, whatever it removes
    batch[17:21] = struct.pack(">I", calc_crc32c(batch[21:]))
    return bytes(batch)


def data(base_offset, deltas, *, count=None, producer=NO_PRODUCER, compression=0):
    """Return a batch of records at `base_offset + delta`, `count` long."""
    builder = DefaultRecordBatchBuilder(2, compression, int(producer != NO_PRODUCER), producer, 0, 0, 1 << 20)
    for delta in deltas:
        key = None if delta % 3 == 2 else b"shop/%d" % delta
        value = None if delta % 5 == 4 else b"v%d" % (base_offset + delta)
        builder.append(delta, 1_000 + delta, key, value, [("h", b"%d" % delta)] if delta % 2 else [])
    return sealed(builder.build(), base_offset, count or max(deltas, default=0) + 1)


def marker(base_offset, producer, kind):
    """Return the batch that ends a transaction."""
    builder = DefaultRecordBatchBuilder(2, 0, 1, producer, 0, 0, 1 << 20)
    builder.append(0, 1_000, struct.pack(">hh", 0, kind), b"\0" * 6, [])
    return sealed(builder.build(), base_offset, 1, CONTROL)


def legacy(base_offset, count):
    """Return messages as brokers stored them before 0.11."""
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    for delta in range(count):
        builder.append(base_offset + delta, 1_000, b"shop/1", b"old%d" % delta)
    return bytes(builder.build())


def fetched(raw, start, aborted=()):
    """Return a fetch of these bytes from an offset, as aiokafka's fetcher holds it, and the partition's state."""
    assignment = Assignment([TP])
    assignment.state_value(TP).reset_to(start)
    return result_of(TP, assignment, raw, start, aborted), assignment.state_value(TP)


def result_of(tp, assignment, raw, start, aborted=()):
    """Return a fetch of these bytes."""
    part = PartitionRecords(
        tp, MemoryRecords(raw), list(aborted), start, key_deserializer=None, value_deserializer=None, check_crcs=True,
        isolation_level=READ_COMMITTED,
    )  # fmt: skip
    return FetchResult(tp, assignment=assignment, partition_records=part, backoff=0)


def as_rows(records):
    """Return what an agent sees of aiokafka's records."""
    return [(one.key or b"", one.value, one.offset, one.timestamp, tuple(one.headers)) for one in records]


@st.composite
def logs(draw):
    """Draw a partition's bytes, its aborted transactions, and an offset to start at."""
    raw, aborted, at, open_since = b"", [], 0, {}
    # aiokafka cannot read both formats in one fetch.
    kinds = draw(st.sampled_from([["plain", "transaction", "transaction", "end"], ["legacy"]]))
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=8)):
        if kind == "end" and open_since:
            producer = draw(st.sampled_from(sorted(open_since)))
            how = draw(st.sampled_from([ABORT, COMMIT]))
            if how == ABORT:
                aborted.append((producer, open_since[producer]))
            del open_since[producer]
            raw += marker(at, producer, how)
            at += 1
        elif kind == "legacy":
            count = draw(st.integers(1, 3))
            raw += legacy(at, count)
            at += count
        else:
            producer = draw(st.integers(1, 3)) if kind == "transaction" else NO_PRODUCER
            if producer != NO_PRODUCER:
                open_since.setdefault(producer, at)
            count = draw(st.integers(1, 6))
            deltas = sorted(draw(st.sets(st.integers(0, count - 1))))  # what compaction has left
            # What compaction has emptied is not compressed.
            compression = draw(st.sampled_from([0, 1, 2, 3, 4])) if deltas else 0
            raw += data(at, deltas, count=count, producer=producer, compression=compression)
            at += count
    return raw, aborted, draw(st.integers(0, max(0, at - 1)))


class TestAgainstAiokafka:
    """The same bytes through both."""

    @given(logs(), st.integers(1, 8))
    @settings(max_examples=500)
    async def test_the_same_records_and_the_same_position(self, log, at_most):
        """For any history of a partition; in one go, and in several."""
        raw, aborted, start = log
        theirs, expected = fetched(raw, start, aborted)
        rows = as_rows(theirs.getall())
        for most in (ALL, at_most):
            ours, state = fetched(raw, start, aborted)
            taken = []
            while ours.has_more():
                some = take(ours, TP, most)
                assert len(some) < most + 6  # a batch is never cut
                taken += some
            assert as_rows(taken) == rows
            assert state.position == expected.position

    async def test_the_middle_of_a_batch(self):
        """A broker sends whole batches: what stands before the position is not taken again."""
        result, state = fetched(data(100, range(10)), 104)
        assert [record.offset for record in take(result, TP, ALL)] == list(range(104, 110))
        assert state.position == 110
        assert not result.has_more()

    async def test_stops_behind_a_whole_batch(self):
        """The most is reached in the first of two batches: the second waits."""
        result, state = fetched(data(0, range(5)) + data(5, range(5)), 0)
        assert len(take(result, TP, 3)) == 5
        assert state.position == 5
        assert result.has_more()
        assert [record.offset for record in take(result, TP, 3)] == [5, 6, 7, 8, 9]
        assert state.position == 10


class TestRefusals:
    """What must not be taken."""

    async def test_a_damaged_batch(self):
        """What stands before it is taken; then nothing more, and the position stays before it: it is fetched again."""
        damaged = bytearray(data(5, range(5)))
        damaged[-1] ^= 1
        result, state = fetched(data(0, range(5)) + bytes(damaged), 0)
        assert len(take(result, TP, ALL)) == 5
        assert (state.position, result.has_more()) == (5, False)
        result, state = fetched(bytes(damaged), 5)
        with pytest.raises(CorruptRecordException):
            take(result, TP, ALL)
        assert (state.position, result.has_more(), take(result, TP, ALL)) == (5, False, [])

    @pytest.mark.parametrize("change", ["paused", "moved", "unassigned"])
    async def test_what_was_fetched_for_another_place(self, change):
        """The partition was paused, sought elsewhere, or given away meanwhile."""
        result, state = fetched(data(0, range(5)), 0)
        if change == "paused":
            state.pause()
        elif change == "moved":
            state.seek(3)
        else:
            result._assignment._unassign()
        assert take(result, TP, ALL) == []
        assert not result.has_more()

    @pytest.mark.parametrize("how", ["taken", "paused", "moved", "damaged"])
    async def test_what_was_fetched_is_freed_at_once(self, how):
        """It is up to two megabytes, and Python looks for cycles seldom."""
        raw = bytearray(data(0, range(5)))
        raw[-1] ^= how == "damaged"
        result, state = fetched(bytes(raw), 0)
        part = weakref.ref(result._partition_records)
        if how == "paused":
            state.pause()
        elif how == "moved":
            state.seek(3)
        gc.disable()
        try:
            with suppress(CorruptRecordException):
                take(result, TP, ALL)
            assert part() is None
        finally:
            gc.enable()
