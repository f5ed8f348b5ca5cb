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
from connectors.vtex.conditions import changed_in
from connectors.vtex.customer import customer_id, identified
from connectors.vtex.errors import NO_SCROLL, RESOURCES, Crowded, ScrollBusy, VtexError
from connectors.vtex.instants import Window, version_of
from connectors.vtex.masterdata import Entity, MasterData, Page, Row
from connectors.vtex.settings import CustomerSettings
from connectors.vtex.spans import Span
from schemas.clock import to_text

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
        crowded: why some documents could not be read: those of one moment are too many.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    whole: bool = True
    pages: int = 0
    crowded: VtexError | None = None

    def take_in(self, other: "Found") -> None:
        """Add what was found elsewhere."""
        for row in other.rows.values():
            self.add(row)
        self.whole, self.pages = self.whole and other.whole, self.pages + other.pages
        self.crowded = self.crowded or other.crowded

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
        second: the date that documents of one moment are divided by, where they cannot be scrolled.
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
        second: str = "createdIn",
    ) -> None:
        self._master = master
        self._entity = entity
        self._fields = tuple(fields)
        self._settings = settings
        self._where = where
        self._sort = f"{sort} ASC"
        self._second = second

    async def read(self, window: Window | None, urgency: Urgency) -> Found:
        """Return the documents in a window; None where the condition knows such a one."""
        return await self._read(Span(self._where, window, self._second), urgency)

    async def _read(self, span: Span, urgency: Urgency) -> Found:
        found = Found(whole=False)
        for _ in range(PASSES):
            before = {id: version_of(row) for id, row in found.rows.items()}  # noqa: A001
            one = await self._pass(span, urgency)
            for row in one.rows.values():
                found.add(row)
            found.pages, found.crowded = one.pages, one.crowded
            again = before and before == {id: version_of(row) for id, row in found.rows.items()}  # noqa: A001
            if one.crowded is not None:
                break  # another pass would be refused, too
            if one.whole or again:
                found.whole = True
                break
        return found

    async def _pass(self, span: Span, urgency: Urgency) -> Found:
        found, totals, size = Found(), set[int](), self._settings.page
        while True:
            start = found.pages * size
            page = await self._page(span, start, max(totals, default=0), urgency)
            found.pages += 1
            if page.total is not None:
                totals.add(page.total)
            if max(page.total or 0, start + len(page.rows)) > self._settings.window:
                return await self._split(span, urgency)
            for row in identified(page.rows):
                twice = found.add(row)
                found.whole = found.whole and not twice
            if len(page.rows) < size:
                break
        found.whole = found.whole and len(totals) <= 1 and max(totals, default=0) <= len(found.rows)
        return found

    async def _page(self, span: Span, start: int, total: int, urgency: Urgency) -> Page:
        """Return a page; one that is shorter than the total allows is asked for again before it is believed."""
        size = self._settings.page
        for _ in range(ASKED):
            page = await self._master.search(
                self._entity, self._fields, span.where, start=start, count=size, urgency=urgency,
                sort=self._sort,
            )  # fmt: skip
            if len(page.rows) == size or start + len(page.rows) >= max(total, page.total or 0):
                break
        return page

    async def _split(self, span: Span, urgency: Urgency) -> Found:
        refusal: VtexError | None = None
        if span.width <= SECOND_MS and span.within is None and not span.undated:
            try:
                return await self._scroll(span, urgency)
            except NO_SCROLL as error:
                refusal = error
        parts = span.parts()
        if not parts:
            return await self._beginning(span, urgency)
        found = Found()
        for each in parts:
            found.take_in(await self._read(each, urgency))
        if found.crowded is not None and isinstance(refusal, ScrollBusy):
            found.crowded = refusal  # others hold the scrolls: one will be free
        return found

    async def _beginning(self, span: Span, urgency: Urgency) -> Found:
        """Return what a search shows of a span that cannot be divided."""
        found, size = Found(whole=False, crowded=self._crowded(span)), self._settings.page
        while (found.pages + 1) * size <= self._settings.window:
            page = await self._page(span, found.pages * size, 0, urgency)
            found.pages += 1
            for row in identified(page.rows):
                found.add(row)
        return found

    def _crowded(self, span: Span) -> Crowded:
        when = "without a date" if span.window is None else f"of {to_text(span.window.start)}"
        return Crowded(
            f"account {self._master.client.account} has more than {self._settings.window:,} documents of "
            f"{self._entity} {when}, which a search cannot tell apart, and VTEX refuses to scroll them: give the key's "
            f"role the License Manager resource “{RESOURCES['customers']}” for that entity; everything else is read "
            "meanwhile"
        )

    async def _scroll(self, span: Span, urgency: Urgency) -> Found:
        found = Found()
        pages = self._master.scroll(
            self._entity, self._fields, span.where, size=self._settings.scroll_size, urgency=urgency
        )
        async with aclosing(pages):
            async for page in pages:
                found.pages += 1
                for row in identified(page.rows):
                    found.add(row)
        return found
