"""Hints of one store, from triggers and hooks: what to fetch now (contracts/vtex NOTES 2.8, 4.5).

A hint is never data, so many of one document are one. Its offset is released when the document was read and written, so
that a poller killed before sees it again: a customer whom the index never shows has no other way to us.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.documents import gather
from connectors.vtex.errors import KeyRefused, Throttled, VtexError
from connectors.vtex.patience import LATER_S
from connectors.vtex.people import CHUNK, People
from connectors.vtex.purchases import Purchases
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

LIMIT: Final = 10_000
"""Documents waiting in one store; beyond, the oldest are left to following and scanning."""
FEW: Final = 10
Item = tuple[Literal["customer", "order"], str]
Releases = dict[Item, list[Callable[[], None]]]
"""What to call when an item needs no keeping any more."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """An item that could not be read: when it is tried again, and how often it was."""

    at: float
    tried: int
    releases: list[Callable[[], None]]


class Inbox:
    """Hints that wait, each document once; they outlive the readers, which end when the store is opened anew.

    Attributes:
        filled: set while something is to be read at once.
        later: what could not be read, and is read again later.
    """

    def __init__(self) -> None:
        self._items: Releases = {}
        self.filled = asyncio.Event()
        self.later: dict[Item, Postponed] = {}

    def put(self, item: Item, release: Callable[[], None]) -> None:
        """Take a hint; `release` is called when it needs no keeping any more."""
        self._items.setdefault(item, []).append(release)
        if len(self._items) > LIMIT:
            _release(self._items.pop(next(iter(self._items))))
            log.warning("too many hints wait: the oldest is left to the next look", kind=item[0])
        self.filled.set()

    def take(self) -> Releases:
        """Take everything out."""
        items, self._items = self._items, {}
        self.filled.clear()
        return items

    def put_back(self, items: Releases) -> None:
        """Put in again what could not be read."""
        for item, releases in items.items():
            self._items.setdefault(item, []).extend(releases)
        self.filled.set()

    def close(self) -> None:
        """Release everything unread: the store is paused or gone."""
        for releases in self.take().values():
            _release(releases)
        while self.later:
            _release(self.later.popitem()[1].releases)


class HintReader:
    """Reads what hints name.

    One that cannot be read must not hold up the others: where a reading of several fails, each is read by itself, and
    what fails then is read again later, less and less often.
    """

    def __init__(self, source: Source, people: People, purchases: Purchases, inbox: Inbox) -> None:
        self._source = source
        self._people = people
        self._purchases = purchases
        self._inbox = inbox

    async def look(self) -> None:
        """Wait for hints, or until one that failed is due, and read what they name.

        Raises:
            VtexError: nothing could be read; everything is kept.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._due_in()):
                await self._inbox.filled.wait()
        items = self._with_due(self._inbox.take())
        try:
            failed = await self._read(items)
        except BaseException:
            self._inbox.put_back(items)
            raise
        for item, error in failed.items():
            self._postpone(item, items[item], error)

    def _due_in(self) -> float | None:
        due = min((each.at for each in self._inbox.later.values()), default=None)
        return None if due is None else max(0.0, due - time.monotonic())

    def _with_due(self, items: Releases) -> Releases:
        """Return items with those that failed and are due or named again, and all that is to be released for them."""
        now, later = time.monotonic(), self._inbox.later
        for item in [item for item, each in later.items() if each.at <= now or item in items]:
            items[item] = [*later[item].releases, *items.get(item, ())]
            later[item] = replace(later[item], releases=[])
        return items

    async def _read(self, items: Releases) -> dict[Item, VtexError]:
        """Read and release items; returns those that could not be read while others could."""
        try:
            await self._together(items)
        except KeyRefused:
            raise
        except VtexError as error:
            if isinstance(error, Throttled) or self._source.client.gate.budget.probing:
                raise  # it is the account that does not answer, not one document
            if len(items) == 1:
                return dict.fromkeys(items, error)
        else:
            return {}
        # A few first: where none of them can be read, it is VTEX that does not answer.
        names = list(items)
        failed = await self._each(names[:FEW], items)
        if len(failed) == len(names[:FEW]):
            raise failed[names[0]]
        return failed | await self._each(names[FEW:], items)

    async def _each(self, names: list[Item], items: Releases) -> dict[Item, VtexError]:
        failed: dict[Item, VtexError] = {}

        async def alone(item: Item) -> None:
            try:
                await self._together({item: items[item]})
            except KeyRefused:
                raise
            except VtexError as error:
                failed[item] = error

        await gather(*map(alone, names))
        return failed

    async def _together(self, items: Releases) -> None:
        await self._people.emit((id for kind, id in items if kind == "customer"), "hint", Urgency.HINT)  # noqa: A001
        await self._orders([id for kind, id in items if kind == "order"])  # noqa: A001
        for item, releases in items.items():
            self._inbox.later.pop(item, None)
            _release(releases)

    def _postpone(self, item: Item, releases: list[Callable[[], None]], error: VtexError) -> None:
        tried = self._inbox.later[item].tried if item in self._inbox.later else 0
        if tried < len(LATER_S):
            self._inbox.later[item] = Postponed(time.monotonic() + LATER_S[tried], tried + 1, releases)
            return
        log.error(
            "what a hint names cannot be read: given up", store=self._source.name, kind=item[0], reason=str(error)
        )
        self._inbox.later.pop(item, None)
        _release(releases)

    async def _orders(self, ids: list[str]) -> None:
        for at in range(0, len(ids), CHUNK):
            readings = await self._purchases.read(ids[at : at + CHUNK], Urgency.HINT)
            await self._source.journal.write(self._purchases.stage(readings, "hint"))
            self._source.owed.update(readings.absent)


def _release(releases: list[Callable[[], None]]) -> None:
    for release in releases:
        release()
