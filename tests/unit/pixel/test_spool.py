import asyncio
import errno
import fcntl
import os
import shutil
import stat
import threading
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pixel.frames import Placed, pack, read_segment, unpack
from connectors.pixel.records import Record
from connectors.pixel.spool import Spool, SpoolFullError
from tests.waiting import until

RECORDS = st.builds(
    Placed,
    st.builds(
        Record,
        st.sampled_from(("pixel.events", "dead.letters")),
        st.binary(max_size=30),
        st.binary(max_size=80),
        st.booleans(),
    ),
    st.integers(0, 64),
)


def placed(number: int, size: int = 10) -> Placed:
    """A record that can be told from others."""
    return Placed(Record("pixel.events", f"acme/{number}".encode(), b"v" * size, event=True), 2)


def spool_in(folder, **options) -> Spool:
    """A spool with small segments."""
    return Spool(folder, **{"limit": 1 << 20, "segment_size": 4096, **options})


async def drained(spool: Spool) -> list[Placed]:
    """Everything in a spool, oldest first, which is empty then."""
    read = []
    while (segment := await spool.oldest()) is not None:
        read += list(unpack(segment.read_bytes()))
        spool.remove(segment)
    return read


class TestFrames:
    @given(st.lists(RECORDS, max_size=5), st.data())
    def test_what_was_written_whole_is_read(self, records, data):
        """A frame torn anywhere ends the reading there, and damages nothing before it."""
        frames = [pack(record) for record in records]
        raw = b"".join(frames)
        cut = data.draw(st.integers(0, len(raw)))
        whole = 0
        while whole < len(frames) and len(b"".join(frames[: whole + 1])) <= cut:
            whole += 1

        assert list(unpack(raw)) == records
        assert list(unpack(raw[:cut])) == records[:whole]

    @given(RECORDS, st.data())
    def test_a_damaged_frame_is_no_record(self, record, data):
        """One flipped bit never becomes an event that nobody sent."""
        raw = bytearray(pack(record))
        at = data.draw(st.integers(4, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))

        assert list(unpack(bytes(raw))) == []

    @given(st.lists(RECORDS, min_size=3, max_size=5), st.data())
    def test_damage_takes_only_the_frame_that_it_hits(self, tmp_path_factory, records, data):
        """What stands behind it was answered as well; how much is damaged is told, and a torn end is none of it."""
        frames = [pack(record) for record in records]
        hit = data.draw(st.integers(0, len(frames) - 2))
        damaged = bytearray(frames[hit])
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        segment = tmp_path_factory.mktemp("spool") / "1.spool"
        segment.write_bytes(b"".join([*frames[:hit], bytes(damaged), *frames[hit + 1 :], frames[0][:-1]]))

        read, lost = read_segment(segment)

        assert read == records[:hit] + records[hit + 1 :]
        assert lost == len(damaged)


class TestSpool:
    async def test_appended_means_on_the_disk_for_us_only(self, tmp_path):
        """The segment holds the record once `append` returns; nobody else may read it."""
        spool = spool_in(tmp_path / "spool")
        await spool.append([placed(1)])

        (segment,) = (tmp_path / "spool").glob("*/*.spool")
        assert list(unpack(segment.read_bytes())) == [placed(1)]
        assert stat.S_IMODE(segment.stat().st_mode) == 0o600
        spool.close()

    async def test_the_oldest_segment_comes_first(self, tmp_path):
        """Also when it is the one being written."""
        spool = spool_in(tmp_path)
        for number in range(200):
            await spool.append([placed(number, 100)])
        read = []
        while (segment := await spool.oldest()) is not None:
            read += list(unpack(segment.read_bytes()))
            spool.remove(segment)

        assert read == [placed(number, 100) for number in range(200)]
        assert (spool.size, spool.empty) == (0, True)
        spool.close()
        assert list(tmp_path.iterdir()) == []

    async def test_appends_at_once_share_an_fsync(self, tmp_path, monkeypatch):
        """A hundred requests do not wait for a hundred disks."""
        syncs = []
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda file: (syncs.append(file), real(file)))
        spool = spool_in(tmp_path, segment_size=1 << 20)

        await asyncio.gather(*(spool.append([placed(number)]) for number in range(100)))

        assert len(syncs) <= 4
        spool.close()

    async def test_appending_while_the_oldest_is_taken_loses_nothing(self, tmp_path):
        """The drainer closes the segment being written; what comes then makes a new one."""
        spool = spool_in(tmp_path)
        read = []

        async def drain() -> None:
            while len(read) < 300:
                segment = await spool.oldest()
                if segment is None:
                    await asyncio.sleep(0)
                    continue
                read.extend(unpack(segment.read_bytes()))
                spool.remove(segment)

        draining = asyncio.create_task(drain())
        for start in range(0, 300, 10):
            await asyncio.gather(*(spool.append([placed(number)]) for number in range(start, start + 10)))
        await draining

        assert sorted(read) == sorted(placed(number) for number in range(300))
        spool.close()

    async def test_a_full_spool_keeps_nothing_more(self, tmp_path):
        """The bound holds, and what was kept before stays."""
        spool = spool_in(tmp_path, limit=500)
        await spool.append([placed(1)])
        with pytest.raises(SpoolFullError):
            await spool.append([placed(2, 1000)])
        await spool.append([placed(3)])

        segment = await spool.oldest()
        assert segment is not None
        assert list(unpack(segment.read_bytes())) == [placed(1), placed(3)]
        spool.close()

    async def test_a_full_disk_leaves_no_half_frame(self, tmp_path, monkeypatch):
        """What was written of the refused group is cut off, so that the next frame can be read."""
        spool = spool_in(tmp_path)
        await spool.append([placed(1)])
        real = os.write

        def full(file, data):
            real(file, bytes(data)[:7])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(SpoolFullError, match="No space left"):
            await spool.append([placed(2)])
        monkeypatch.setattr(os, "write", real)
        await spool.append([placed(3)])

        assert await drained(spool) == [placed(1), placed(3)]
        spool.close()

    async def test_nothing_is_written_behind_half_a_frame(self, tmp_path, monkeypatch):
        """A disk that refuses the rest of a frame may refuse to have it cut off as well."""
        spool = spool_in(tmp_path)
        await spool.append([placed(1)])
        broken, write = OSError(errno.EIO, "Input/output error"), os.write

        def half(file, data):
            write(file, bytes(data)[:7])
            raise broken

        with monkeypatch.context() as disk:
            disk.setattr(os, "write", half)
            disk.setattr(os, "ftruncate", Mock(side_effect=broken))
            with pytest.raises(SpoolFullError, match="Input/output"):
                await spool.append([placed(2)])
        await spool.append([placed(3)])

        segments = sorted(tmp_path.glob("*/*.spool"))
        assert [list(unpack(segment.read_bytes())) for segment in segments] == [[placed(1)], [placed(3)]]
        spool.close()

    async def test_a_segment_whose_name_may_be_lost_is_not_written(self, tmp_path, monkeypatch):
        """Its folder could not be synced: a power cut would take the file with all that was answered."""
        spool = spool_in(tmp_path)
        with monkeypatch.context() as disk:
            disk.setattr(
                "connectors.pixel.spool._sync_folder", Mock(side_effect=OSError(errno.EMFILE, "Too many files"))
            )
            for number in range(2):
                with pytest.raises(SpoolFullError, match="Too many files"):
                    await spool.append([placed(number)])
        assert not list(tmp_path.glob("*/*.spool"))
        await spool.append([placed(3)])

        assert await drained(spool) == [placed(3)]
        spool.close()

    async def test_its_own_folder_survives_a_power_cut(self, tmp_path, monkeypatch):
        """The entry of the process's folder is synced, not only the entries in it."""
        synced = []
        monkeypatch.setattr("connectors.pixel.spool._sync_folder", synced.append)
        spool = spool_in(tmp_path)
        spool.close()

        assert synced == [tmp_path]

    async def test_who_writes_without_end_lets_the_drainer_in(self, tmp_path):
        """Under load there is always a next group: the segment being written is closed between two of them."""
        spool = spool_in(tmp_path, segment_size=1 << 20, limit=1 << 30)
        loop, senders, write, closed = asyncio.get_running_loop(), [], spool._write, threading.Event()

        async def send() -> None:
            senders.append(asyncio.create_task(spool.append([placed(1)])))
            await asyncio.sleep(0)  # it waits for the next group

        def write_and_find_more(data: bytes) -> None:
            write(data)
            if not closed.is_set():
                asyncio.run_coroutine_threadsafe(send(), loop).result()

        spool._write = write_and_find_more
        await send()
        await until("it writes", lambda: spool.size > 0)
        try:
            async with asyncio.timeout(60):
                segment = await spool.oldest()
        finally:
            closed.set()
            while not all(sender.done() for sender in senders):
                await asyncio.gather(*senders)

        assert segment is not None
        size = segment.stat().st_size
        await spool.append([placed(1)])
        assert segment.stat().st_size == size
        spool.close()

    async def test_a_full_disk_does_not_keep_what_waits_on_it(self, tmp_path, monkeypatch):
        """There is no room for a folder of its own: a new process goes on in a dead one's, and makes room."""
        dead, other = spool_in(tmp_path), spool_in(tmp_path)
        await dead.append([placed(1)])
        await other.append([placed(2)])
        dead.close()
        monkeypatch.setattr("connectors.pixel.spool._new", Mock(side_effect=OSError(errno.ENOSPC, "No space left")))

        heir = spool_in(tmp_path)
        with pytest.raises(OSError, match="No space left"):  # the other's process lives, and the heir's
            spool_in(tmp_path)

        assert heir.size > 0
        assert await drained(heir) == [placed(1)]
        heir.close()
        other.close()

    async def test_a_folder_that_was_removed_is_nobodys(self, tmp_path, monkeypatch):
        """Its adopter was faster, between the opening of its lock and the locking."""
        dead = spool_in(tmp_path)
        await dead.append([placed(1)])
        dead.close()
        lock = fcntl.flock

        def late(file, how):
            monkeypatch.setattr(fcntl, "flock", lock)
            shutil.rmtree(dead._folder)  # as an adopter does, before it lets go of the lock
            lock(file, how)

        monkeypatch.setattr(fcntl, "flock", late)
        spool = spool_in(tmp_path)
        await spool.append([placed(2)])

        assert await drained(spool) == [placed(2)]
        spool.close()

    async def test_what_is_taken_over_overwrites_nothing(self, tmp_path):
        """Two dead processes may have named a segment in the same nanosecond; a probe left behind is cleared away."""
        dead = [spool_in(tmp_path), spool_in(tmp_path)]
        for number, spool in enumerate(dead):
            spool._last_name = 1 << 62
            await spool.append([placed(number)])
        (dead[0]._folder / ".probe").write_bytes(b"half")
        for spool in dead:
            spool.close()

        heir = spool_in(tmp_path)

        assert sorted(await drained(heir)) == [placed(0), placed(1)]
        heir.close()
        assert list(tmp_path.iterdir()) == []

    async def test_what_a_dead_process_left_is_adopted(self, tmp_path):
        """Its lock died with it; a living process's segments are let alone."""
        dead, living = spool_in(tmp_path), spool_in(tmp_path)
        await dead.append([placed(1)])
        await living.append([placed(2)])
        dead.close()  # leaves its segment, as a kill would

        heir = spool_in(tmp_path)

        segment = await heir.oldest()
        assert segment is not None
        assert list(unpack(segment.read_bytes())) == [placed(1)]
        heir.remove(segment)
        assert heir.empty
        assert not living.empty
        living.close()
        heir.close()
