import errno
import os

import pytest
from structlog.testing import capture_logs

from connectors import seldom
from connectors.kafka.connection import KafkaConnection
from connectors.pixel import producer
from connectors.pixel.drain import Drainer
from connectors.pixel.metrics import Metrics
from connectors.pixel.producer import Outlet
from connectors.seldom import Seldom

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

    async def test_a_segment_that_cannot_be_read_is_told_once(self, make_bench, monkeypatch):
        """The drainer meets it twice a second."""
        bench = make_bench()
        await bench.post(EVENTS, {"action": "x"})
        drainer = Drainer(bench.outlet, bench.spool, Metrics())
        for segment in bench.settings.spool.glob("*/*.spool"):
            segment.unlink()
        with capture_logs() as logs:
            drained = [await drainer.drain_one() for _ in range(3)]

        assert drained == [False] * 3
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
