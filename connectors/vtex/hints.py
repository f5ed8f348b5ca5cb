"""Hints of one store, from triggers and hooks: what to fetch now (contracts/vtex NOTES 2.8, 4.5).

A hint is never data, so many of one document are one. Its offset is released when the document was read and written, so
that a poller killed before sees it again: a customer whom the index never shows has no other way to us.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.people import CHUNK, People
from connectors.vtex.purchases import Purchases
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

LIMIT: Final = 10_000
"""Documents waiting in one store; beyond, the oldest are left to following and scanning."""
Item = tuple[Literal["customer", "order"], str]


class Inbox:
    """Hints that wait, each document once."""

    def __init__(self) -> None:
        self._items: dict[Item, list[Callable[[], None]]] = {}
        self.filled = asyncio.Event()

    def put(self, item: Item, release: Callable[[], None]) -> None:
        """Take a hint; `release` is called when it needs no keeping any more."""
        self._items.setdefault(item, []).append(release)
        if len(self._items) > LIMIT:
            self._release(self._items.pop(next(iter(self._items))))
            log.warning("too many hints wait: the oldest is left to the next look", kind=item[0])
        self.filled.set()

    def take(self) -> dict[Item, list[Callable[[], None]]]:
        """Take everything out."""
        items, self._items = self._items, {}
        self.filled.clear()
        return items

    def put_back(self, items: dict[Item, list[Callable[[], None]]]) -> None:
        """Put in again what could not be read."""
        for item, releases in items.items():
            self._items.setdefault(item, []).extend(releases)
        self.filled.set()

    def close(self) -> None:
        """Release everything unread: the store is paused or gone."""
        for releases in self.take().values():
            self._release(releases)

    @staticmethod
    def _release(releases: list[Callable[[], None]]) -> None:
        for release in releases:
            release()


class HintReader:
    """Reads what hints name."""

    def __init__(self, source: Source, people: People, purchases: Purchases, inbox: Inbox) -> None:
        self._source = source
        self._people = people
        self._purchases = purchases
        self._inbox = inbox

    async def look(self) -> None:
        """Wait for hints and read what they name."""
        await self._inbox.filled.wait()
        items = self._inbox.take()
        try:
            await self._people.emit((id for kind, id in items if kind == "customer"), "hint", Urgency.HINT)  # noqa: A001
            await self._orders([id for kind, id in items if kind == "order"])  # noqa: A001
        except BaseException:
            self._inbox.put_back(items)
            raise
        for releases in items.values():
            for release in releases:
                release()

    async def _orders(self, ids: list[str]) -> None:
        for at in range(0, len(ids), CHUNK):
            readings = await self._purchases.read(ids[at : at + CHUNK], Urgency.HINT)
            await self._source.journal.write(self._purchases.stage(readings, "hint"))
            self._source.owed.update(readings.absent)
