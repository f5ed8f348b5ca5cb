"""Parts: memory and disk behave the same, keys expire in time and without a scan, restarts lose nothing."""

import asyncio
import gc
import shutil
import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import PIXEL_EVENTS
from streams.engine.agent import Agent, Record
from streams.engine.disk import STALE_MS, Disks
from streams.engine.errors import DiskFailed, Fatal
from streams.engine.parts import memory_part
from streams.engine.registry import Parts
from streams.engine.table import RAW, Table
from streams.engine.testing import MemoryShard
from streams.engine.transaction import EXIT_DISK

DAY_MS = 86_400_000
START = 1_800_000_000_000
PLAIN = Table("plain", RAW)
EXPIRING = Table("expiring", RAW, ttl=timedelta(days=1))


@pytest.fixture(params=["memory", "disk"])
def make(request, tmp_path):
    """Return a maker of parts of either kind."""
    disks = Disks(tmp_path / "state")
    yield memory_part if request.param == "memory" else lambda table: disks.part(table, 0)
    disks.close()


def rows(part, horizon=-1, prefix=""):
    """Return a part's rows."""
    return dict(part.items(prefix, horizon))


class TestRows:
    """Reading and writing, in memory and on disk."""

    @pytest.mark.parametrize("table", [PLAIN, EXPIRING], ids=["plain", "expiring"])
    def test_writes_tombstones_and_positions(self, make, table):
        """A part holds what was applied, and knows the changelog position behind it."""
        part = make(table)
        assert part.position is None
        part.apply({"a": b"1", "b": b"2", "é": b"3"}, START, 3)
        part.apply({"a": None, "b": b"4"}, START + 1, 6)
        assert (part.get("a", 0), part.get("b", 0), part.get("é", 0)) == (None, b"4", b"3")
        assert rows(part, 0) == {"b": b"4", "é": b"3"}
        assert list(rows(part, 0, "é")) == ["é"]
        assert part.position == 6
        part.clear()
        assert (rows(part, 0), part.position) == ({}, None)

    @pytest.mark.parametrize("table", [PLAIN, EXPIRING], ids=["plain", "expiring"])
    def test_restoring_the_changelog_gives_the_same_rows(self, make, table):
        """The last record of a key wins, a tombstone removes it."""
        part = make(table)
        log = [("a", b"1"), ("b", b"2"), ("a", None), ("c", b"3"), ("b", b"4"), ("a", b"5"), ("c", None)]
        part.restore([Record(key.encode(), value, n, START + n) for n, (key, value) in enumerate(log)], len(log))
        assert rows(part, 0) == {"a": b"5", "b": b"4"}
        assert part.position == len(log)


class TestExpiry:
    """Time to live."""

    def test_reads_are_exact_to_the_millisecond(self, make):
        """A key is there until its time is over, and not a millisecond longer."""
        part = make(EXPIRING)
        part.apply({"a": b"1"}, START, 1)
        assert part.get("a", START - 1) == b"1"
        assert part.get("a", START) is None
        assert rows(part, START) == {}

    def test_old_keys_are_offered_until_they_are_removed(self, make):
        """An aborted transaction loses nothing; a rewritten key is not offered."""
        part = make(EXPIRING)
        part.apply({f"k{n:03}": b"1" for n in range(100)}, START, 100)
        part.apply({f"k{n:03}": b"2" for n in range(0, 100, 10)}, START + DAY_MS, 110)
        horizon = START + DAY_MS // 2
        first = part.expired(horizon, 60)
        assert len(first) == 60
        assert sorted(part.expired(horizon, 60)) == sorted(first)
        part.apply(dict.fromkeys(first), START + DAY_MS, 170)
        rest = part.expired(horizon, 60)
        assert sorted(first + rest) == sorted(f"k{n:03}" for n in range(100) if n % 10)

    def test_the_order_survives_a_restore(self, make):
        """The time of the write is the changelog record's timestamp."""
        part = make(EXPIRING)
        part.restore([Record(b"old", b"1", 0, START), Record(b"new", b"1", 1, START + DAY_MS)], 2)
        assert part.expired(START + DAY_MS // 2, 10) == ["old"]

    @settings(deadline=None, max_examples=60)
    @given(
        writes=st.lists(st.tuples(st.integers(0, 8), st.booleans(), st.integers(0, 3 * DAY_MS)), max_size=40),
        horizon=st.integers(0, 3 * DAY_MS),
    )
    def test_never_offers_a_living_key_and_misses_no_old_one_for_long(self, writes, horizon):
        """Whatever the order of writes, and even when the clock goes back."""
        part = memory_part(EXPIRING)
        last = {}
        for position, (number, gone, at) in enumerate(writes):
            part.apply({f"k{number}": None if gone else b"1"}, at, position)
            last[f"k{number}"] = None if gone else at
        offered = set(part.expired(horizon, 100))
        assert all(last[key] is not None and last[key] <= horizon for key in offered)
        overdue = {key for key, at in last.items() if at is not None and at + DAY_MS // 64 + 1 < horizon}
        assert overdue <= offered


def test_a_standby_forgets_what_its_owner_has_removed():
    """Nobody asks it what has expired: it would note the keys of every day that it stands by."""
    part, hour = memory_part(EXPIRING), DAY_MS // 24

    def record(number, value, at):
        return SimpleNamespace(key=b"%d" % number, value=value, timestamp=at)

    for number in range(240):
        at = START + number * hour
        gone = [record(number - 25, None, at)] if number >= 25 else []
        part.restore([record(number, b"1", at), *gone], number)
    assert len(rows(part)) == 25
    assert sum(len(keys) for noted in part._buckets.values() for keys in noted) <= 30
    assert part.expired(START + 240 * hour, 1000) == [str(number) for number in range(215, 240)]


def test_the_garbage_collector_has_nothing_to_walk_through():
    """Rows and the order of their expiry are texts and bytes in containers that Python stops watching."""
    part = memory_part(EXPIRING)
    for first in range(0, 20_000, 1_000):
        part.apply({f"k{n}": b"1" for n in range(first, first + 1_000)}, START, first)
    gc.collect()
    noted = [keys for bucket in part._buckets.values() for keys in bucket]
    assert sum(map(len, noted)) == 20_000
    assert not any(map(gc.is_tracked, [part._rows, *noted]))


def raising(text):
    """Return a function that fails as RocksDB's do."""

    def fail(*_):
        raise Exception(text)  # noqa: TRY002  rocksdict raises nothing else

    return fail


def spoil(file, how):
    """Damage a file."""
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "empty" else b"\xff" * 64 + file.read_bytes()[64:])


@pytest.fixture
def written(tmp_path):
    """Return a state folder that an earlier worker has left."""
    for position in range(2):
        disks = Disks(tmp_path / "state")
        part = disks.part(PLAIN, 0)
        part.apply({f"key-{position}-{n}": b"v" * 100 for n in range(1000)}, START, 6 + position)
        part.close()
        disks.close()
    return tmp_path / "state"


class TestDisk:
    """What stays on disk."""

    def test_an_absent_key_costs_the_same_among_millions(self, tmp_path):
        """The filter that says so is loaded in pieces; whole, it fits nowhere in the cache, and took 300 us."""
        disks = Disks(tmp_path)
        part = disks.part(PLAIN, 0)
        for first in range(0, 3_000_000, 50_000):
            part.apply(dict.fromkeys((f"store/{n:012}" for n in range(first, first + 50_000)), b"1"), START, first)
        part._database.compact_range(None, None)  # returns when RocksDB's own threads have put all in order
        started = time.thread_time()
        assert not any(part.get(f"store/{n:012}x", -1) for n in range(0, 3_000_000, 3_000))
        assert (time.thread_time() - started) / 1_000 < 100e-6
        disks.close()

    def test_a_new_key_is_looked_up_once(self, tmp_path):
        """The agent has found that it is new; writing it does not ask every file again."""
        part, asked = Disks(tmp_path).part(EXPIRING, 0), []
        read = part._read
        part._read = lambda key: asked.append(key) or read(key)
        assert part.get("a", 0) is None
        part.apply({"a": b"1"}, START, 1)
        assert len(asked) == 1

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(
        st.sampled_from(("look", "apply", "restore", "clear")),
        st.dictionaries(st.sampled_from("abc"), st.sampled_from((b"1", b"2", None)), max_size=3),
    ), max_size=12))  # fmt: skip
    def test_the_order_of_expiry_holds_each_row_once_whatever_was_looked_at(self, history):
        """What is remembered of rows that were looked at is never older than the last write."""
        with tempfile.TemporaryDirectory() as folder:
            disks = Disks(Path(folder))
            part, model = disks.part(EXPIRING, 0), {}
            for now, (step, writes) in enumerate(history, START):
                if step == "look":
                    assert {key: part.get(key, -1) for key in writes} == {
                        key: model.get(key, (0, None))[1] for key in writes
                    }
                    continue
                if step == "clear":
                    part.clear()
                    model.clear()
                    continue
                if step == "apply":
                    part.apply(writes, now, now)
                else:
                    part.restore([Record(key.encode(), value, 0, now) for key, value in writes.items()], now)
                model |= {key: (now, value) for key, value in writes.items()}
                model = {key: row for key, row in model.items() if row[1] is not None}
            assert part.expired(START + DAY_MS, 100) == sorted(model, key=lambda key: (model[key][0], key))
            disks.close()

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from("abcd"), st.booleans(), st.integers(0, 9), st.integers(0, 9)), max_size=12)
    )
    def test_every_old_row_is_offered_whatever_the_clock_says(self, history):
        """Where the last look began, the next one goes on; a row that is dated back is found all the same."""
        with tempfile.TemporaryDirectory() as folder:
            disks = Disks(Path(folder))
            part, model = disks.part(EXPIRING, 0), {}
            for position, (key, restored, at, horizon) in enumerate(history):
                if restored:
                    part.restore([Record(key.encode(), b"1", 0, at)], position)
                else:
                    part.apply({key: b"1"}, at, position)
                model[key] = at
                old = sorted((key for key, at in model.items() if at <= horizon), key=lambda key: (model[key], key))
                assert part.expired(horizon, 2) == old[:2]
                part.apply(dict.fromkeys(old[:1]), at, position)
                for gone in old[:1]:
                    del model[gone]
            disks.close()

    def test_what_has_expired_is_stepped_over_once(self, tmp_path):
        """A look begins at the oldest row of the last one: in front of it are deletions alone, maybe a million."""
        part, began = Disks(tmp_path).part(EXPIRING, 0), []
        scan = part._scan
        part._scan = lambda prefix, first=b"": began.append(first) or scan(prefix, first)
        part.apply({"old": b"1"}, START, 1)
        part.apply({"new": b"1"}, START + DAY_MS, 2)
        assert part.expired(START, 10) == ["old"]
        part.apply({"old": None}, START + DAY_MS, 3)
        assert [part.expired(START, 10) for _ in range(2)] == [[], []]
        assert [int.from_bytes(first) for first in began] == [0, START, START + DAY_MS]

    def test_a_restart_finds_rows_and_position(self, tmp_path):
        """Rows and the position behind them are written together."""
        disks = Disks(tmp_path)
        disks.part(PLAIN, 3).apply({"a": b"1"}, START, 7)
        disks.close()
        again = Disks(tmp_path)
        part = again.part(PLAIN, 3)
        assert (rows(part), part.position) == ({"a": b"1"}, 7)
        assert again.part(PLAIN, 4).position is None
        again.close()

    def test_a_part_left_alone_too_long_is_rebuilt(self, tmp_path, monkeypatch):
        """It may have missed tombstones that are compacted away by now."""
        disks = Disks(tmp_path)
        disks.part(PLAIN, 0).apply({"a": b"1"}, START, 7)
        disks.part(EXPIRING, 0).apply({"b": b"1"}, START, 7)
        disks.close()
        later = time.time() + STALE_MS / 1000 + 60
        monkeypatch.setattr("streams.engine.disk.time", lambda: later)
        again = Disks(tmp_path)
        for table in (PLAIN, EXPIRING):
            part = again.part(table, 0)
            assert (rows(part, 0), part.position) == ({}, None)
        again.close()

    @pytest.mark.parametrize("name", ["CURRENT", "MANIFEST", ".sst"])
    @pytest.mark.parametrize("how", ["garbage", "empty", "gone"])
    def test_what_is_damaged_is_left_to_the_changelog(self, written, name, how):
        """At once where it cannot be opened, else at the next start: nobody has to delete a folder."""
        for file in (written / "shard-0").iterdir():
            if name in file.name:
                spoil(file, how)
        disks = Disks(written)
        try:
            with suppress(Fatal):
                assert list(disks.part(PLAIN, 0).items("", -1)) == []
        except DiskFailed:
            pass
        disks.close()
        again = Disks(written)
        part = again.part(PLAIN, 0)
        assert (rows(part), part.position) == ({}, None)
        part.apply({"a": b"1"}, START, 7)
        again.close()
        assert Disks(written).part(PLAIN, 0).position == 7

    def test_a_read_that_fails_is_nothing_that_an_agent_may_catch(self, written):
        """Its records would become dead letters, one after the other, for a disk's fault."""

        class Catching(Agent):
            name, inputs, tables = "catching", (PIXEL_EVENTS,), (Table("plain", RAW, disk=True),)

            def process(self, batch, shard):
                with suppress(Exception):
                    shard.table(self.tables[0]).get("key")

        shard = MemoryShard([Catching()], folder=written)
        part = shard._parts["plain"]
        part._database = SimpleNamespace(get=raising("IO error: Input/output error"), path=lambda: str(written))
        shard.put(PIXEL_EVENTS, b"acme/k", b"1")
        with pytest.raises(DiskFailed, match="Make room or give access"):
            asyncio.run(shard.run())
        assert shard.dead_letters() == []

    def test_what_is_out_of_reach_is_not_deleted(self, written):
        """Another process has it, or a disk is full or not mounted: the worker ends and says so."""
        disks = Disks(written)
        assert disks.part(PLAIN, 0).position == 7
        with pytest.raises(Fatal, match="cannot be opened: IO error: lock") as caught:
            Disks(written).part(PLAIN, 0)
        assert caught.value.code == EXIT_DISK
        disks.close()
        assert Disks(written).part(PLAIN, 0).position == 7
        (written / "file").write_text("")
        with pytest.raises(Fatal, match="cannot be opened"):
            Disks(written / "file").part(PLAIN, 0)

    def test_a_write_that_fails_ends_the_worker(self, written):
        """What was committed stands in the changelog."""
        disks = Disks(written)
        part = disks.part(PLAIN, 0)
        part._database = SimpleNamespace(write=raising("IO error: No space left on device"), path=lambda: str(written))
        with pytest.raises(Fatal, match=r"No space left on device\. Nothing is lost or doubled\. Make room") as caught:
            part.apply({"a": b"1"}, START, 8)
        assert (caught.value.code, part.position) == (EXIT_DISK, 7)
        disks.close()

    def test_a_folder_that_was_deleted_under_a_worker_holds_up_no_stop(self, written):
        """What is not flushed stands in the changelog."""
        disks = Disks(written)
        part = disks.part(PLAIN, 0)
        shutil.rmtree(written)
        part.apply({"b": b"1"}, START, 8)
        assert (part.get("b", -1), part.position) == (b"1", 8)
        part.close()
        disks.close()
        assert Disks(written).part(PLAIN, 0).position is None

    @pytest.mark.parametrize(("ended", "found"), [(False, None), (True, 2)], ids=["broken off", "ended"])
    def test_a_restore_that_was_broken_off_is_as_old_as_what_it_has_read(self, tmp_path, ended, found):
        """Tombstones behind it may be a day old, and gone when it goes on; behind the end there are none."""
        old = int(time.time() * 1000) - STALE_MS - 60_000
        disks = Disks(tmp_path)
        part = disks.part(PLAIN, 0)
        part.restore([Record(b"a", b"1", 0, old - 1), Record(b"b", b"1", 1, old)], 2)
        if ended:
            part.caught_up()
        disks.close()
        again = Disks(tmp_path)
        assert again.part(PLAIN, 0).position == found
        again.close()

    def test_a_shard_that_moved_away_leaves_the_disk_after_a_while(self, tmp_path, monkeypatch):
        """Until then it may come back; later it would be rebuilt, and people who were forgotten would stand in it."""
        table = Table("t", RAW, disk=True)
        parts = Parts({"t": table}, tmp_path)
        for shard in (0, 1):
            parts.of("t", shard).apply({"a": b"1"}, START, 7)
        parts.keep_only("t", [0])
        parts.sweep()
        back = (rows(parts.of("t", 1)), parts.of("t", 1).position)
        parts.keep_only("t", [0])
        later = time.time() + STALE_MS / 1000 + 60
        monkeypatch.setattr("streams.engine.disk.time", lambda: later)
        parts.sweep()
        assert back == ({"a": b"1"}, 7)
        assert [path.name for path in tmp_path.iterdir()] == ["shard-0"]
        assert rows(parts.of("t", 0)) == {"a": b"1"}
        parts.close()

    def test_tables_of_one_shard_do_not_see_each_other(self, tmp_path):
        """Even when one name begins with the other."""
        disks = Disks(tmp_path)
        one, two = disks.part(Table("a", RAW), 0), disks.part(Table("a.b", RAW), 0)
        one.apply({"k": b"1"}, START, 1)
        two.apply({"k": b"2"}, START, 1)
        one.clear()
        assert (rows(one), rows(two)) == ({}, {"k": b"2"})
        disks.close()
