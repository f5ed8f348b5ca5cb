"""Reading which documents changed in a window of time, whole (contracts/vtex NOTES 2.1, 9.3 to 9.6).

Offset paging shifts when a row leaves or enters the window mid-read, `_sort` may be ignored, rows of equal times come
in any order, totals lie. So a pass counts as whole only when nothing speaks against it: no document twice, one total
throughout, not fewer rows than it claims. Otherwise the window is read again, and what any pass saw is kept.
"""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.vtex.budget import Urgency
from connectors.vtex.customer import customer_id
from connectors.vtex.instants import Window, changed_in, version_of
from connectors.vtex.masterdata import Entity, MasterData, Page, Row
from connectors.vtex.settings import CustomerSettings

PASSES: Final = 4
ASKED: Final = 3
SECOND_MS: Final = 1000
"""A window as short as this that is still too full (a bulk import) is scrolled."""


@dataclass(slots=True)
class Found:
    """Rows of a window by id, the newest of each, and what reading them took.

    Attributes:
        whole: nothing speaks against this being all of it.
        pages: calls that one pass takes.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    whole: bool = True
    pages: int = 0

    def add(self, row: Row) -> bool:
        """Keep a row if it is news; returns whether its document was there before."""
        id = customer_id(row)  # noqa: A001  what it is
        before = self.rows.get(id)
        if before is None or version_of(row) > version_of(before):
            self.rows[id] = row
        return before is not None


class WindowReader:
    """Reads windows of one entity.

    Args:
        master: of the account.
        entity: CL or AD.
        fields: of each row; id, updatedIn and createdIn among them.
        settings: page and window sizes.
        where: the condition for a window; coalesce(updatedIn, createdIn) lies in it by default.
        sort: field that pages are sorted by.
    """

    def __init__(
        self,
        master: MasterData,
        entity: Entity,
        fields: Iterable[str],
        settings: CustomerSettings,
        *,
        where: Callable[[Any], str] = changed_in,
        sort: str = "updatedIn",
    ) -> None:
        self._master = master
        self._entity = entity
        self._fields = tuple(fields)
        self._settings = settings
        self._where = where
        self._sort = f"{sort} ASC"

    async def read(self, window: Window | None, urgency: Urgency) -> Found:
        """Return the documents in a window; None where the condition knows such a one."""
        found = Found(whole=False)
        for _ in range(PASSES):
            before = {id: version_of(row) for id, row in found.rows.items()}  # noqa: A001
            one = await self._pass(window, urgency)
            for row in one.rows.values():
                found.add(row)
            found.pages = one.pages
            again = before and before == {id: version_of(row) for id, row in found.rows.items()}  # noqa: A001
            if one.whole or again:
                found.whole = True
                break
        return found

    async def _pass(self, window: Window | None, urgency: Urgency) -> Found:
        found, totals, size = Found(), set[int](), self._settings.page
        while True:
            start = found.pages * size
            page = await self._page(window, start, max(totals, default=0), urgency)
            found.pages += 1
            if page.total is not None:
                totals.add(page.total)
            if max(page.total or 0, start + len(page.rows)) > self._settings.window:
                return await self._split(window, urgency)
            for row in page.rows:
                twice = found.add(row)
                found.whole = found.whole and not twice
            if len(page.rows) < size:
                break
        found.whole = found.whole and len(totals) <= 1 and max(totals, default=0) <= len(found.rows)
        return found

    async def _page(self, window: Window | None, start: int, total: int, urgency: Urgency) -> Page:
        """Return a page; one that is shorter than the total allows is asked for again before it is believed."""
        size = self._settings.page
        for _ in range(ASKED):
            page = await self._master.search(
                self._entity, self._fields, self._where(window), start=start, count=size, urgency=urgency,
                sort=self._sort,
            )  # fmt: skip
            if len(page.rows) == size or start + len(page.rows) >= max(total, page.total or 0):
                break
        return page

    async def _split(self, window: Window | None, urgency: Urgency) -> Found:
        if window is None or window.end - window.start <= SECOND_MS:
            return await self._scroll(window, urgency)
        found = Found()
        for half in window.halves():
            part = await self.read(half, urgency)
            found.whole = found.whole and part.whole
            found.pages += part.pages
            for row in part.rows.values():
                found.add(row)
        return found

    async def _scroll(self, window: Window | None, urgency: Urgency) -> Found:
        found = Found()
        pages = self._master.scroll(
            self._entity, self._fields, self._where(window), size=self._settings.scroll_size, urgency=urgency
        )
        async with aclosing(pages):
            async for page in pages:
                found.pages += 1
                for row in page.rows:
                    found.add(row)
        return found
