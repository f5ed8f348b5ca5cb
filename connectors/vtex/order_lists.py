"""Orders by lists: the first reading, gaps of the feed, and refunds, which change no status (contracts/vtex NOTES 4.1).

A list is an index that is minutes behind and shows at most 3,000 orders: windows are halved until they fit. It tells
which orders there are; each is then read whole.
"""

import time
from collections.abc import AsyncIterator
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.instants import Window
from connectors.vtex.journal import Build, in_turn
from connectors.vtex.oms import PAGES, PER_PAGE, Listed, ListRow
from connectors.vtex.progress import advanced
from connectors.vtex.purchases import Purchases
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

BACKFILL: Final = "orders.backfill"
REFUNDS: Final = "orders.refunds"
DATES: Final = ("creationDate", "authorizedDate", "invoicedDate")
FALLEN: Final = ("canceled", "replaced")
"""Statuses that change what an order is worth and that no list can be asked for by time."""
IN_A_WINDOW: Final = 500
ASKED: Final = 3
AHEAD_MS: Final = 60_000


class OrderLists:
    """Reads one store's orders by lists."""

    def __init__(self, source: Source, purchases: Purchases) -> None:
        self._source = source
        self._purchases = purchases
        self._settings = source.settings.orders

    async def backfill(self) -> None:
        """Read the orders of the last weeks, window by window, the latest first; goes on where it stopped."""
        position = self._source.position(BACKFILL)
        if position.get("finished"):
            return
        if "until" not in position:
            position = await self._fresh_start()
        # A window holds some hundred orders, so that little is read again after a kill.
        span = (position["until"] - position["since"]) // max(1, int(position["total"]) // IN_A_WINDOW) + 1
        began, before = time.monotonic(), int(position["done"])
        while position["until"] > position["since"]:
            window = Window(max(position["since"], position["until"] - span), position["until"])
            done = int(position["done"])
            async for rows in self.rows(window, Urgency.BACKFILL):
                done += len(rows)
                position = advanced(position, done, before=before, seconds=time.monotonic() - began)
                await self.write(rows, Urgency.BACKFILL, self._source.moving(BACKFILL, position))
            position = advanced(position, done, before=before, seconds=time.monotonic() - began)
            position["until"] = window.start
            await self._source.move(BACKFILL, position)
        position = {**position, "finished": True, "total": position["done"], "left_s": 0}
        await self._source.move(BACKFILL, position)
        log.info("orders were read once", store=self._source.name, done=position["done"])

    async def _fresh_start(self) -> dict[str, Any]:
        now = self._source.client.now()
        window = Window(int(now - self._settings.since * 1000), now + AHEAD_MS)
        total = (await self._source.oms.listed(window, 1, Urgency.BACKFILL)).total
        return {"since": window.start, "until": window.end, "done": 0, "total": total, "finished": False}

    async def repair(self, window: Window) -> None:
        """Read what may have happened while there was no feed: orders placed, approved, invoiced or cancelled."""
        log.info("the feed had a gap: orders are listed", store=self._source.name, minutes=_minutes(window))
        async for rows in self.happened(window, fallen=True):
            await self.write(rows, Urgency.REPAIR)

    async def happened(self, window: Window, *, fallen: bool) -> AsyncIterator[list[ListRow]]:
        """Yield what lists show of a window: orders placed, approved, invoiced in it.

        Args:
            window: of time.
            fallen: also those of the last weeks that were cancelled or replaced, whenever that was: no list tells.
        """
        for by in DATES:
            async for rows in self.rows(window, Urgency.REPAIR, by=by):
                yield rows
        old = Window(int(window.end - self._settings.cancelled_for * 1000), window.end)
        for status in FALLEN if fallen else ():
            async for rows in self.rows(old, Urgency.REPAIR, status=status):
                yield rows

    async def refunds_due_in(self) -> float:
        """Return seconds until invoiced orders are to be read again; the first reading has them all."""
        last = self._source.position(REFUNDS).get("at")
        if last is None:
            await self._source.move(REFUNDS, {"at": self._source.client.now(), "read": 0})
            return self._settings.refunds_every
        return max(0.0, float(last) / 1000 + self._settings.refunds_every - self._source.client.now() / 1000)

    async def refunds(self) -> None:
        """Read again what was invoiced lately."""
        now = self._source.client.now()
        window, read = Window(int(now - self._settings.refunds_for * 1000), now + AHEAD_MS), 0
        async for rows in self.rows(window, Urgency.REPAIR, by="invoicedDate"):
            await self.write(rows, Urgency.REPAIR)
            read += len(rows)
        await self._source.move(REFUNDS, {"at": now, "read": read})

    async def rows(
        self, window: Window, urgency: Urgency, *, by: str = "creationDate", status: str | None = None
    ) -> AsyncIterator[list[ListRow]]:
        """Yield the orders of a window, a page at a time; one that a list cannot show whole is halved."""
        page = await self._page(window, 1, urgency, by, status)
        if page.pages > PAGES and window.splits:
            for half in window.halves():
                async for rows in self.rows(half, urgency, by=by, status=status):
                    yield rows
            return
        number = 1
        while True:
            if page.rows:
                yield page.rows
            number += 1
            if number > min(page.pages, PAGES):
                return
            page = await self._page(window, number, urgency, by, status)

    async def _page(self, window: Window, number: int, urgency: Urgency, by: str, status: str | None) -> Listed:
        """Return a page; one that is shorter than the list claims is asked for again before it is believed."""
        for _ in range(ASKED):
            page = await self._source.oms.listed(window, number, urgency, by=by, status=status)
            if len(page.rows) >= min(PER_PAGE, page.total - (number - 1) * PER_PAGE):
                break
        return page

    async def write(self, rows: list[ListRow], urgency: Urgency, last: Build | None = None) -> list[str]:
        """Read orders whole and write their events; returns the ids of those that VTEX does not answer yet.

        Args:
            rows: of lists.
            urgency: of the calls.
            last: adds to the step, such as a cursor.
        """
        readings = await self._purchases.read([row.id for row in rows], urgency)
        await self._source.journal.write(in_turn(self._purchases.stage(readings, "list"), last))
        self._source.owed.update(readings.absent)
        return readings.absent


def _minutes(window: Window) -> float:
    return round((window.end - window.start) / 60_000, 1)
