"""Sends what waits in the spool on to Kafka, oldest first, beside live traffic."""

import asyncio
import contextlib
import time
from itertools import groupby
from pathlib import Path
from typing import Final

import structlog

from connectors.pixel.frames import Placed, read_segment
from connectors.pixel.metrics import Metrics
from connectors.pixel.producer import Outlet
from connectors.pixel.spool import Spool
from connectors.seldom import Seldom

log = structlog.get_logger()

_AT_ONCE: Final = 500
_PATIENCE: Final = 15.0  # longer than a broker's restart; live records do not wait for it
_PAUSE: Final = 0.5
_ADOPT_EVERY: Final = 10.0
_IDLE_PROBE: Final = 3.0


class Drainer:
    """One per process; also asks the broker now and then, so that readiness holds for an idle collector."""

    def __init__(self, outlet: Outlet, spool: Spool, metrics: Metrics) -> None:
        self._outlet = outlet
        self._spool = spool
        self._metrics = metrics
        self._unremoved = Seldom()

    async def keep_house(self) -> None:
        """Look for room after a trouble, and for what dead processes left, for ever: no slow broker holds it up."""
        adopted = time.monotonic()
        while True:
            await self._spool.probe()
            if time.monotonic() - adopted > _ADOPT_EVERY:
                adopted = time.monotonic()
                with contextlib.suppress(OSError):  # a folder that cannot be read: the room's trouble tells it
                    self._spool.adopt()
            await asyncio.sleep(_PAUSE)

    async def run(self) -> None:
        """Drain for ever."""
        while True:
            if not self._spool.empty and await self.drain_one():
                continue
            if time.monotonic() - self._outlet.last_ack > _IDLE_PROBE and await self._outlet.probe():
                self._outlet.back()
            await asyncio.sleep(_PAUSE)

    async def drain_one(self) -> bool:
        """Send the oldest segment on; returns whether Kafka has acknowledged it."""
        segment = await self._spool.oldest()
        if segment is None:
            return False
        try:
            records, damaged = await asyncio.to_thread(read_segment, segment)
        except OSError as error:
            log.error(  # noqa: TRY400  where it was read is no news
                "a segment of the spool cannot be read: it stays where it is, and the next start will try it again;"
                " look after its disk",
                file=segment.name,
                error=error.strerror,
            )
            self._spool.leave(segment)
            return False
        # Sorted by lane, each in its own order: a batch goes to one partition.
        records.sort(key=_lane)
        for (_, _, partition), lane in groupby(records, key=_lane):
            waiting = [placed.record for placed in lane]
            for start in range(0, len(waiting), _AT_ONCE):
                if not await self._outlet.send(waiting[start : start + _AT_ONCE], partition, _PATIENCE):
                    return False
                await asyncio.sleep(0)
        if damaged:
            log.error(
                "a segment of the spool is damaged: what was whole is sent on, the rest is lost; look after its disk",
                file=segment.name,
                damaged_bytes=damaged,
            )
        self._remove(segment)
        self._metrics.drained.inc(len(records))
        return True

    def _remove(self, segment: Path) -> None:
        try:
            self._spool.remove(segment)
        except OSError as error:
            if self._unremoved.due():
                log.warning(
                    "a segment that Kafka has cannot be removed: the next start will send it once more, and tracking"
                    " will know its events by their ids; make the spool's folder writable",
                    file=segment.name,
                    error=error.strerror,
                )

    async def finish(self, seconds: float) -> None:
        """Drain what can be drained before the process ends; the rest waits for the next one."""
        try:
            async with asyncio.timeout(seconds):
                while not self._spool.empty and await self.drain_one():
                    pass
        except TimeoutError:
            pass
        if not self._spool.empty:
            log.warning("events wait in the spool for the next start", bytes=self._spool.size)


def _lane(placed: Placed) -> tuple[bool, str, int]:
    # Identifications first: an event without its identification could never be joined (records.seal).
    return placed.record.event, placed.record.topic, placed.partition
