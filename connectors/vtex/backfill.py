"""The first reading of everything: slices of `createdIn`, a scroll in each, a checkpoint after each (NOTES 2.2, 9.7).

A scroll cannot be resumed, so what is lost with its token is one slice. A slice holds so much that counting and closing
it costs little, and half of that after each loss. Counts are for planning and display only: they lie (NOTES 9.6).
Memory is two pages: while one is written, the next is fetched.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.conditions import created_in
from connectors.vtex.customer import identified
from connectors.vtex.errors import NO_SCROLL, Crowded, ScrollBusy, ScrollLost, Unreliable
from connectors.vtex.instants import Window
from connectors.vtex.journal import Build, in_turn
from connectors.vtex.masterdata import Entity, Page, Row
from connectors.vtex.progress import advanced
from connectors.vtex.source import Source
from connectors.vtex.windows import WindowReader
from schemas.clock import DAY_MS, to_ms

log = structlog.get_logger(__name__)

BEGINNING_MS: Final = to_ms("1990-01-01T00:00:00Z")
AHEAD_MS: Final = DAY_MS
LEAST_SLICE: Final = 1000
LEAST_SIZE: Final = 100
LOSSES: Final = 20
"""Scrolls lost one after another before the reader rests."""
SHORT: Final = 4
"""Readings of a slice that end before its claimed total, until the total is taken for the lie; a scan has the rest."""

Handler = Callable[[list[Row]], Awaitable[Build]]
"""Makes of a page what adds its events to a step."""


class Backfill:
    """Reads all documents of one entity.

    Args:
        source: the store.
        entity: CL or AD.
        fields: of each row.
        handle: makes events of a page.
        resource: name of its cursor.
        urgency: of its calls.
    """

    def __init__(
        self,
        source: Source,
        entity: Entity,
        fields: tuple[str, ...],
        handle: Handler,
        resource: str,
        *,
        urgency: Urgency = Urgency.BACKFILL,
    ) -> None:
        self._source = source
        self._entity = entity
        self._fields = fields
        self._handle = handle
        self.resource = resource
        self._urgency = urgency
        self._settings = source.settings.customers
        self._slice = self._settings.slice
        self._size = self._settings.scroll_size
        self._searcher = WindowReader(
            source.master, entity, fields, self._settings, where=created_in, sort="createdIn", second="updatedIn"
        )
        self._began = time.monotonic()
        self._began_with = 0
        self._losses = self._short = 0

    @property
    def finished(self) -> bool:
        """Whether everything was read."""
        return bool(self._source.position(self.resource).get("finished"))

    async def run(self) -> None:
        """Read what is left, slice by slice; may be stopped anywhere and called again."""
        position, fields = self._source.position(self.resource), list(self._fields)
        # Fields that were chosen later are read of everybody: what does not change, nobody else reads again.
        if "slices" not in position or position.get("fields", fields) != fields:
            position = self._fresh_start()
        if position != self._source.position(self.resource) or "fields" not in position:
            position["fields"] = fields  # a row of an older version tells none
            await self._source.move(self.resource, position)
        if position.get("finished"):
            return
        self._began, self._began_with = time.monotonic(), int(position["base"])
        held = 0
        while slices := self._source.position(self.resource)["slices"]:
            try:
                await self._one(slices)
                held = 0
            except (Crowded, ScrollBusy):
                # The other slices first; then people hear of it.
                self._source.positions[self.resource]["slices"] = [*slices[1:], slices[0]]
                held += 1
                if held >= len(slices):
                    raise
        await self._end()

    def _fresh_start(self) -> dict[str, Any]:
        now = self._source.client.now()
        # Documents without a date come last: they are few, and often none.
        slices = [[BEGINNING_MS, now + AHEAD_MS, None], None]
        return {"began": now, "slices": slices, "base": 0, "done": 0, "total": None, "finished": False}

    async def _one(self, slices: list[Any]) -> None:
        """Read the first slice, or cut it in two."""
        head = slices[0]
        window = None if head is None else Window(head[0], head[1])
        where = created_in(window)
        count = head[2] if head is not None else None
        if count is None:
            count = await self._source.master.count(self._entity, where, self._urgency) or 0
            if window is not None and self._source.position(self.resource).get("total") is None:
                self._source.positions[self.resource]["total"] = count
        if window is not None and count > self._slice and window.splits:
            await self._cut(window, count, slices[1:])
            return
        try:
            read, claimed = await self._scroll(where)
        except ScrollLost as error:
            self._lost(error)
            return
        except NO_SCROLL:
            # This account or key has no scrolls, or none is free: search may do, in slices that it can show.
            if count > self._settings.window and window is not None and window.splits:
                self._slice = self._settings.window
                return
            read, claimed = await self._search(window), 0
        if read < (claimed or count) and self._short < SHORT:
            self._short += 1
            self._lost(Unreliable(f"a scroll of {self._entity} ended after {read} of {claimed or count} documents"))
            return
        self._losses = self._short = 0
        self._slice = min(self._settings.slice, self._slice * 2)
        self._size = min(self._settings.scroll_size, self._size * 2)
        await self._advance(read, slices[1:])

    async def _cut(self, window: Window, count: int, rest: list[Any]) -> None:
        first, second = window.halves()
        least = await self._source.master.count(self._entity, created_in(first), self._urgency) or 0
        parts = [[first.start, first.end, least], [second.start, second.end, max(0, count - least)]]
        self._source.positions[self.resource]["slices"] = [*parts, *rest]

    async def _scroll(self, where: str) -> tuple[int, int]:
        """Read a slice; returns the number of documents, and how many the scroll claimed there were."""
        pages = self._source.master.scroll(self._entity, self._fields, where, size=self._size, urgency=self._urgency)
        read = claimed = 0
        writing: asyncio.Task[None] | None = None
        try:
            async with aclosing(pages):
                async for page in pages:
                    claimed = max(claimed, page.total or 0)
                    read += len(page.rows)
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._write(page, read))
            if writing is not None:
                await writing
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        return read, claimed

    async def _search(self, window: Window | None) -> int:
        """Read a slice by search where no scroll is to be had: ten times the calls, and no waiting for 20 minutes."""
        found = await self._searcher.read(window, self._urgency)
        rows, size = list(found.rows.values()), self._settings.scroll_size
        for at in range(0, len(rows), size):
            await self._write(Page(rows[at : at + size], None), min(at + size, len(rows)))
        if found.crowded is not None:
            raise found.crowded
        return len(rows)

    async def _write(self, page: Page, read: int) -> None:
        if not page.rows:
            return
        build = await self._handle(identified(page.rows))
        await self._source.journal.write(in_turn(build, self._source.moving(self.resource, self._progress(read))))

    def _progress(self, read: int) -> dict[str, Any]:
        position = self._source.position(self.resource)
        done, seconds = int(position["base"]) + read, time.monotonic() - self._began
        return advanced(position, done, before=self._began_with, seconds=seconds)

    async def _advance(self, read: int, rest: list[Any]) -> None:
        position = self._progress(read)
        position.update(base=position["done"], slices=rest)
        await self._source.move(self.resource, position)
        tell = log.info if read else log.debug
        tell(
            "a slice was read", store=self._source.name, resource=self.resource, done=position["done"],
            total=position["total"], rate=position["rate"], left_s=position["left_s"], slices=len(rest),
        )  # fmt: skip

    def _lost(self, error: Exception) -> None:
        self._losses += 1
        self._slice = max(LEAST_SLICE, self._slice // 2)
        self._size = max(LEAST_SIZE, self._size // 2)
        # Counts are taken anew, so that a slice which is too large now is cut.
        for each in self._source.positions[self.resource]["slices"]:
            if each is not None:
                each[2] = None
        log.info("a slice is read again", store=self._source.name, resource=self.resource, reason=str(error))
        if self._losses >= LOSSES:
            self._losses = 0
            raise error

    async def _end(self) -> None:
        position = self._progress(0)
        seconds = round(time.monotonic() - self._began, 1)
        position.update(finished=True, total=position["done"], left_s=0, slices=[], ended=self._source.client.now())
        await self._source.move(self.resource, position)
        log.info(
            "everything was read once", store=self._source.name, resource=self.resource, done=position["done"],
            seconds=seconds,
        )  # fmt: skip
