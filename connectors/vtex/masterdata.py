"""Master Data v1: search, scroll and documents of customers (CL) and addresses (AD) (contracts/vtex NOTES 2)."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.client import Answer, Call, VtexClient
from connectors.vtex.customer import identified
from connectors.vtex.errors import ContractChanged, ScrollLost, Unavailable, VtexError

log = structlog.get_logger(__name__)

Entity = str
"""Acronym: CL, AD, or a store's own."""
Row = dict[str, Any]
_RESOURCES: Final = {"CL": "customers", "AD": "addresses"}
_RANGE: Final = re.compile(r"(\d+)-(\d+)/(\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of an answer, and the total that it claims; None where it claims none, and never to be trusted."""

    rows: list[Row]
    total: int | None


class MasterData:
    """Reads one account's Master Data.

    Args:
        client: of the account.
        drain: seconds that a scroll which is not wanted any more is read on, so that it gives its place back.
    """

    def __init__(self, client: VtexClient, drain: float = 5.0) -> None:
        self.client = client
        self._drain = drain

    async def search(
        self, entity: Entity, fields: Iterable[str], where: str, *, start: int, count: int, urgency: Urgency,
        sort: str | None = None,
    ) -> Page:  # fmt: skip
        """Return rows `start` to `start + count` of a search; `REST-Range` always, or VTEX gives 15 (NOTES 2.1)."""
        query: dict[str, str | int] = {"_fields": ",".join(fields), "_where": where}
        if sort is not None:
            query["_sort"] = sort
        answer = await self.client.call(Call(
            "GET", f"/api/dataentities/{entity}/search", _resource(entity), urgency, query,
            {"REST-Range": f"resources={start}-{start + count}"},
        ))  # fmt: skip
        found = _RANGE.search(answer.headers.get("rest-content-range", ""))
        return Page(_rows(answer), int(found[3]) if found else None)

    async def all_rows(
        self, entity: Entity, fields: Iterable[str], where: str, *, size: int, urgency: Urgency
    ) -> list[Row]:
        """Return the rows of a search that finds few, page by page, in the order in which they were created."""
        rows: list[Row] = []
        while True:
            page = await self.search(
                entity, fields, where, start=len(rows), count=size, urgency=urgency, sort="createdIn ASC"
            )
            rows += page.rows
            if len(page.rows) < size:
                return rows

    async def count(self, entity: Entity, where: str, urgency: Urgency) -> int | None:
        """Return how many documents a search claims to find; for planning and display only (NOTES 9.6)."""
        page = await self.search(entity, ("id",), where, start=0, count=1, urgency=urgency)
        return page.total if page.total is not None else (len(page.rows) or None)

    async def document(self, entity: Entity, id: str, fields: Iterable[str], urgency: Urgency) -> Row | None:  # noqa: A002
        """Return a document as it is now (strongly consistent, NOTES 2.3), or None when there is none.

        Raises:
            Unavailable: the answer is neither a document nor a 404, which must not pass for a delete.
        """
        answer = await self.client.call(Call(
            "GET", f"/api/dataentities/{entity}/documents/{quote(id, safe='')}", _resource(entity), urgency,
            {"_fields": ",".join(fields)}, missing=True,
        ))  # fmt: skip
        if not answer.found:
            return None
        if not isinstance(answer.document, dict) or not answer.document:
            raise Unavailable(f"account {self.client.account} answered a document of {entity} without one")
        return answer.document

    async def scroll(
        self, entity: Entity, fields: Iterable[str], where: str, *, size: int, urgency: Urgency
    ) -> AsyncGenerator[Page, None]:
        """Hand out the pages of a scroll; one at a time per account, and always drained (NOTES 2.2).

        An empty page ends it. Whether it ended too early, its reader can tell from the first page's total.

        Raises:
            ScrollLost: its token died; begin again.
            ScrollBusy: the account's ten places are taken.
        """
        pages = self._pages(entity, fields, where, size, urgency)
        async with self.client.gate.scrolling, aclosing(pages):
            async for page in pages:
                yield page

    async def _pages(
        self, entity: Entity, fields: Iterable[str], where: str, size: int, urgency: Urgency
    ) -> AsyncGenerator[Page, None]:
        first: dict[str, str | int] = {"_size": size, "_fields": ",".join(fields), "_where": where}
        page, token = await self._open(entity, first, urgency)
        done = not page.rows
        try:
            while not done:
                yield page
                page, token = await self._next(entity, token, urgency)
                done = not page.rows
        except Unavailable as error:
            # The page whose answer was lost may be behind the token already: asking again would skip it.
            raise ScrollLost(f"the scroll of {entity} was broken off: {error}") from error
        except VtexError:
            done = True  # it is lost, or would not be drained either
            raise
        finally:
            if not done:
                await self._finish(entity, token)

    async def _open(self, entity: Entity, query: dict[str, str | int], urgency: Urgency) -> tuple[Page, str]:
        answer = await self._ask(entity, query, urgency)
        token = answer.headers.get("x-vtex-md-token")
        if not token:
            raise Unavailable(f"account {self.client.account} began a scroll of {entity} without naming its token")
        return Page(_rows(answer), _whole(answer.headers.get("rest-content-total"))), token

    async def _next(self, entity: Entity, token: str, urgency: Urgency) -> tuple[Page, str]:
        answer = await self._ask(entity, {"_token": token}, urgency, repeatable=False)
        return Page(_rows(answer), None), answer.headers.get("x-vtex-md-token") or token

    async def _ask(
        self, entity: Entity, query: dict[str, str | int], urgency: Urgency, *, repeatable: bool = True
    ) -> Answer:
        path = f"/api/dataentities/{entity}/scroll"
        return await self.client.call(Call("GET", path, _resource(entity), urgency, query, repeatable=repeatable))

    async def _finish(self, entity: Entity, token: str) -> None:
        """Read an abandoned scroll to its end: its place would be taken for 20 minutes."""
        task = asyncio.create_task(self._read_on(entity, token))
        done, _ = await asyncio.wait([task], timeout=self._drain)
        if not done:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            log.info("a scroll could not be drained in time", account=self.client.account, entity=entity)

    async def _read_on(self, entity: Entity, token: str) -> None:
        try:
            rows = True
            while rows:
                page, token = await self._next(entity, token, Urgency.HINT)
                rows = bool(page.rows)
        except VtexError as error:
            log.info("a scroll was left undrained", account=self.client.account, error=type(error).__name__)


def _resource(entity: Entity) -> str:
    return _RESOURCES.get(entity, "opt-ins")


def _rows(answer: Answer) -> list[Row]:
    """Return an answer's rows, as many as there are: a page that is shorter than asked for ends a reading."""
    if not isinstance(answer.document, list):
        raise ContractChanged("a search or scroll answered something else than a list of documents")
    rows = [row if isinstance(row, dict) else {} for row in answer.document]
    if unknown := len(rows) - len(identified(rows)):
        log.warning("documents without an id are passed over", count=unknown, rows=len(rows))
    return rows


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
