import asyncio
import errno
import os
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.errors import NotEnoughReplicasError, OutOfOrderSequenceNumber
from structlog.testing import capture_logs

from connectors import seldom
from connectors.kafka.connection import KafkaConnection
from connectors.pixel import producer
from connectors.pixel.drain import Drainer
from connectors.pixel.metrics import Metrics
from connectors.pixel.producer import Outlet
from connectors.pixel.records import Record
from connectors.seldom import Seldom
from tests.waiting import until

EVENTS = "/v1/track/events"


def no_space(_file, _data=b""):
    """What a full disk says."""
    raise OSError(errno.ENOSPC, "No space left on device")


class TestAFullDisk:
    async def test_readiness_says_it_at_once(self, make_bench, monkeypatch):
        """The request that finds it out is answered 503; the balancer's next probe sends the others elsewhere."""
        bench = make_bench()
        bench.outlet.last_ack = seldom.time.monotonic()  # Kafka has just gone: nothing else is wrong yet
        before = await bench.call("GET", "/health/ready")
        with capture_logs() as logs:
            monkeypatch.setattr(os, "write", no_space)
            answers = [await bench.post(EVENTS, {"action": "x"}) for _ in range(3)]
            found = await bench.call("GET", "/health/ready")

        assert (before.status, before.json()["spool_trouble"]) == (200, None)
        assert [reply.status for reply in answers] == [503] * 3
        assert (found.status, found.json()["reasons"]) == (
            503,
            ["the spool cannot be written: No space left on device"],
        )
        assert [entry["why"] for entry in logs if entry["log_level"] == "warning"] == found.json()["reasons"]

    async def test_a_write_that_succeeds_ends_it(self, make_bench, monkeypatch):
        """And is told, once."""
        bench = make_bench()
        bench.outlet.last_ack = seldom.time.monotonic()
        with monkeypatch.context() as full:
            full.setattr(os, "write", no_space)
            await bench.post(EVENTS, {"action": "x"})
        with capture_logs() as logs:
            answers = [await bench.post(EVENTS, {"action": "x"}) for _ in range(2)]
            ready = await bench.call("GET", "/health/ready")

        assert [reply.status for reply in answers] == [200, 200]
        assert (ready.status, ready.json()["spool_trouble"]) == (200, None)
        assert [entry["event"] for entry in logs] == ["the spool takes events again"]

    async def test_it_is_noticed_without_an_event(self, make_bench, monkeypatch):
        """A balancer that heeds readiness sends none."""
        bench = make_bench()
        with monkeypatch.context() as full:
            full.setattr(os, "write", no_space)
            await bench.post(EVENTS, {"action": "x"})
            full.setattr(os, "fsync", no_space)
            await bench.spool.probe()
            still = bench.spool.room.trouble
        await bench.spool.probe()

        assert (still, bench.spool.room.trouble) == ("the spool cannot be written: No space left on device", None)
        assert list(bench.settings.spool.glob("*/.probe")) == []

    async def test_while_kafka_acknowledges_it_stops_nobody(self, make_bench, monkeypatch):
        """Events do not go through the spool then."""
        bench = make_bench()
        monkeypatch.setattr(os, "write", no_space)
        await bench.post(EVENTS, {"action": "x"})
        bench.outlet.last_ack = seldom.time.monotonic()
        bench.outlet.back()
        ready = await bench.call("GET", "/health/ready")

        assert (ready.status, ready.json()["spool_trouble"]) == (
            200,
            "the spool cannot be written: No space left on device",
        )

    async def test_a_spool_at_its_bound_is_no_full_disk(self, make_bench):
        """That a little can be written beside it does not make room in it."""
        bench = make_bench(spool_limit=10)
        await bench.post(EVENTS, {"action": "x"})
        await bench.spool.probe()

        assert bench.spool.room.trouble == "the spool is full: it holds 0 of 10 bytes"


class Acknowledging(Outlet):
    """An outlet whose Kafka takes everything at once."""

    sent: list[bytes]

    async def send(self, records, partition, patience=None):
        self.sent += [record.value for record in records]
        return True


@pytest.fixture
def acknowledging(make_bench):
    """A bench whose spool holds an event, and a drainer of it whose outlet is `Acknowledging`."""
    bench = make_bench()
    outlet = Acknowledging(KafkaConnection("127.0.0.1:1"), bench.spool, Metrics(), ack_timeout=0.1)
    outlet.sent = []
    return bench, outlet, Drainer(outlet, bench.spool, Metrics())


class TestADisksErrors:
    async def test_a_log_on_the_same_full_disk_leaves_nobody_waiting(self, make_bench, monkeypatch):
        """What cannot be told is answered all the same, and the next event is taken when there is room."""
        bench, full = make_bench(), OSError(errno.ENOSPC, "No space left on device")
        with monkeypatch.context() as disk:
            disk.setattr("connectors.pixel.room.log", Mock(**{"warning.side_effect": full}))
            disk.setattr("connectors.pixel.producer.log", Mock(**{"warning.side_effect": full}))
            disk.setattr(os, "write", no_space)
            bench.outlet.away = False  # Kafka's absence is to be told, too
            async with asyncio.timeout(60):
                refused = await bench.post(EVENTS, {"action": "x"})
        assert refused.status == 503
        assert (await bench.post(EVENTS, {"action": "x"})).status == 200

    async def test_a_segment_that_cannot_be_read_holds_nobody_up(self, acknowledging, monkeypatch):
        """It is told once and stays; what stands in others is sent on."""
        bench, outlet, drainer = acknowledging
        bench.spool._segment_size = 1
        for action in ("first", "second"):
            await bench.post(EVENTS, {"action": action})
        first, second = sorted(bench.settings.spool.glob("*/*.spool"))
        read = Path.read_bytes

        def failing(path):
            if path == first:
                raise OSError(errno.EIO, "Input/output error")
            return read(path)

        monkeypatch.setattr(Path, "read_bytes", failing)
        with capture_logs() as logs:
            drained = [await drainer.drain_one() for _ in range(4)]

        assert drained == [False, True, False, False]
        assert (len(logs), len(outlet.sent), b"second" in outlet.sent[0]) == (1, 1, True)
        assert (first.exists(), second.exists()) == (True, False)

    async def test_a_segment_that_cannot_be_removed_is_sent_once(self, acknowledging, monkeypatch):
        """A disk that has become read-only ends no collector whose Kafka is there; it says what follows."""
        bench, outlet, drainer = acknowledging
        await bench.post(EVENTS, {"action": "x"})
        monkeypatch.setattr(Path, "unlink", Mock(side_effect=OSError(errno.EROFS, "Read-only file system")))
        with capture_logs() as logs:
            drained = [await drainer.drain_one() for _ in range(2)]

        assert drained == [True, False]
        assert len(outlet.sent) == 1
        assert [entry["error"] for entry in logs] == ["Read-only file system"]

    async def test_a_damaged_segment_is_told(self, acknowledging):
        """What is whole is sent on; that answered events are lost is no matter of course."""
        bench, outlet, drainer = acknowledging
        for _ in range(2):
            await bench.post(EVENTS, {"action": "x"})
        (segment,) = bench.settings.spool.glob("*/*.spool")
        raw = bytearray(segment.read_bytes())
        raw[20] ^= 1
        segment.write_bytes(raw)
        with capture_logs() as logs:
            assert await drainer.drain_one()

        assert len(outlet.sent) == 1
        assert [entry["damaged_bytes"] for entry in logs] == [len(raw) // 2]


async def test_a_broker_that_hangs_keeps_nobody_from_looking_for_room(make_bench, monkeypatch):
    """To send on takes its patience, for each segment; meanwhile room is found, and a dead process's spool."""
    bench = make_bench()
    looked = asyncio.Event()

    async def hanging(*_):
        await asyncio.Event().wait()

    async def probe():
        looked.set()

    await bench.post(EVENTS, {"action": "x"})
    monkeypatch.setattr(bench.outlet, "send", hanging)
    monkeypatch.setattr(bench.spool, "probe", probe)
    drainer = Drainer(bench.outlet, bench.spool, Metrics())
    tasks = [asyncio.create_task(drainer.run()), asyncio.create_task(drainer.keep_house())]
    try:
        async with asyncio.timeout(60):
            await looked.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Producers:
    """A producer whose sends end as they are told to."""

    def __init__(self) -> None:
        self.sends: list[asyncio.Future[None]] = []

    def create_batch(self) -> Mock:
        return Mock()

    async def send_batch(self, *_: Any, partition: int) -> asyncio.Future[None]:
        self.sends.append(asyncio.get_running_loop().create_future())
        return self.sends[-1]


@pytest.mark.parametrize(("error", "renewed"), [(OutOfOrderSequenceNumber(), True), (AssertionError("x"), True),
                                                (NotEnoughReplicasError(), False)])  # fmt: skip
@pytest.mark.parametrize("replaced", [False, True])
async def test_who_is_replaced_breaks_nobody(make_bench, error, renewed, replaced):
    """A producer that fails is renewed, unless it has been; whatever failed, the records go to the spool."""
    bench = make_bench()
    outlet, old = bench.outlet, Producers()
    outlet.away, outlet._producer = False, old
    posting = asyncio.create_task(bench.post(EVENTS, {"action": "x"}))
    await until("it is sent", lambda: old.sends)
    if replaced:
        outlet._producer = Producers()
    old.sends[0].set_exception(error)

    assert (await posting).status == 200
    assert len(bench.topic("pixel.events")) == 1
    assert outlet._broken.is_set() == (renewed and not replaced)


async def test_a_kafka_that_comes_and_goes_is_told_seldom(make_bench):
    """It answers for its metadata and acknowledges nothing: each look finds it, and each event misses it."""
    outlet = make_bench().outlet
    with capture_logs() as logs:
        for _ in range(20):
            outlet.back()
            assert not await outlet.send([Record("pixel.events", b"k", b"v", event=True)], 0)

    assert len(logs) == 1


async def test_a_broker_that_is_not_there_is_told_once_with_its_address(make_bench, monkeypatch):
    """And what to do; it is looked for twice a second all the same."""
    tries = []

    async def counted(_seconds):
        tries.append(None)
        await real(0)

    real = producer.asyncio.sleep
    monkeypatch.setattr(producer.asyncio, "sleep", counted)
    bench = make_bench()
    outlet = Outlet(KafkaConnection("127.0.0.1:1"), bench.spool, Metrics(), ack_timeout=0.1)
    with capture_logs() as logs:
        await outlet.start()
        while len(tries) < 5:
            await real(0.001)
        await outlet.stop()

    (told,) = [entry for entry in logs if entry["log_level"] == "warning"]
    assert told["bootstrap_servers"] == "127.0.0.1:1"
    assert "KAFKA_BOOTSTRAP_SERVERS" in told["event"]


class TestSeldom:
    def test_it_is_due_at_once_and_then_ever_more_seldom(self, monkeypatch):
        """Half a day of trouble is some 150 lines."""
        now = 1000.0
        monkeypatch.setattr(seldom.time, "monotonic", lambda: now)
        trouble, told = Seldom(), []
        for _ in range(2 * 12 * 3600):
            if trouble.due():
                told.append(now - 1000)
            now += 0.5

        assert told[:9] == [0, 5, 15, 35, 75, 155, 315, 615, 915]
        assert len(told) < 160

    def test_a_new_trouble_is_told_at_once(self):
        """Once the last one is over; whether it had been told says whether its end is to be."""
        trouble = Seldom()

        assert [trouble.over(), trouble.due(), trouble.due(), trouble.over(), trouble.due()] == [
            False,
            True,
            False,
            True,
            True,
        ]


@pytest.mark.parametrize("moment", [0.0, 3.0])
def test_a_machine_that_has_just_started_tells_the_first_trouble(monkeypatch, moment):
    """Its monotonic clock begins at zero."""
    monkeypatch.setattr(seldom.time, "monotonic", lambda: moment)

    assert Seldom().due()
