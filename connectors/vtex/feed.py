"""The order feed, the truth about orders: configured, watched, read, and its gaps repaired (contracts/vtex NOTES 4.4).

Every event is taken off the feed, since one that stays holds up the others, and only after Kafka has what it led to: a
poller killed between the two reads it once more. An order that VTEX does not answer yet is kept in the cursor and asked
for again.
"""

import time
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.errors import FeedTaken
from connectors.vtex.instants import Window
from connectors.vtex.journal import in_turn
from connectors.vtex.oms import LOT, STATUSES, FeedEvent
from connectors.vtex.order_lists import OrderLists
from connectors.vtex.patience import LATER_S
from connectors.vtex.purchases import Purchases
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

RESOURCE: Final = "orders"
AGAIN_MS: Final = tuple(round(1000 * later) for later in LATER_S)
LATER: Final = 2000
LISTED: Final = "orders.lists"
"""Cursor of the lists that stand in for a feed (connectors/vtex/feedless.py)."""
ROUNDED_MS: Final = 1000
"""Dates of orders have seven digits, a list's bounds three."""


class OrderFeed:
    """Follows one store's orders.

    Args:
        source: the store.
        purchases: reads and writes orders.
        lists: repairs gaps.
    """

    def __init__(self, source: Source, purchases: Purchases, lists: OrderLists) -> None:
        self._source = source
        self._purchases = purchases
        self._lists = lists
        self._settings = source.settings.orders
        self._watched_at = self._saved_at = float("-inf")

    async def look(self) -> int:
        """Read what the feed holds; returns the number of its events."""
        if time.monotonic() - self._watched_at >= self._settings.watch:
            await self._watch()
        handled = await self._follow()
        await self._repair()
        return handled

    async def _follow(self) -> int:
        handled = 0
        while True:
            events = await self._lot()
            if events is None:
                log.warning("the order feed's configuration has vanished: it is made again", store=self._source.name)
                await self._watch()
                return handled
            await self._handle(events, whole=True)
            handled += len(events)
            if len(events) < self._settings.lot:
                return handled

    async def ask_again(self) -> None:
        """Ask for orders that were not there, while there is no feed to be read."""
        await self._handle([], whole=False)

    async def _watch(self) -> None:
        """See that the feed is there and asks for every status; where it is not, make it, and note the gap.

        Who is stopped after the feed was made finds one the next time; that its gap is not noted yet, the cursor tells
        from before.
        """
        self._watched_at = float("-inf")  # until all of this is done
        config = await self._source.oms.feed_config()
        if config is None and not self._source.position(RESOURCE).get("missed"):
            await self._source.move(RESOURCE, {**self._source.position(RESOURCE), "missed": True})
        position, now = self._source.position(RESOURCE), self._source.client.now()
        gaps = list(position.get("gaps", []))
        if self._wants(config):
            await self._source.oms.configure_feed(self._settings.visibility, self._settings.retention)
            log.info("the order feed was configured", store=self._source.name, before=config is not None)
        if position.pop("missed", False):
            gaps += self._gap(now)
        # From here on the feed holds whatever happens.
        moved = {**position, "whole_until": now, "configured": position.get("configured", now), "gaps": gaps}
        await self._source.move(RESOURCE, moved)
        self._watched_at = self._saved_at = time.monotonic()

    def _gap(self, now: int) -> list[list[int]]:
        """Return when there was no feed, and when that is to be listed: now, and once lists will have caught up.

        What happened before the first feed is the first reading's to list; but for the last minutes, in which lists
        are behind, nobody would see it.
        """
        lag, known = int(self._settings.index_lag * 1000), whole_until(self._source)
        start, end = min(known or now, now) - lag, self._source.client.now() + ROUNDED_MS
        return [[start, end, due] for due in (now + lag, *([] if known is None else [now]))]

    async def _repair(self) -> None:
        """List the gaps that are due; after the feed was read, which lists that are not answered must not hold up."""
        now, position = self._source.client.now(), self._source.position(RESOURCE)
        for gap in [gap for gap in position.get("gaps", []) if gap[2] <= now]:
            await self._lists.repair(Window(gap[0], gap[1]))
            left = [other for other in self._source.position(RESOURCE)["gaps"] if other != gap]
            await self._source.move(RESOURCE, {**self._source.position(RESOURCE), "gaps": left})

    def _wants(self, config: dict[str, Any] | None) -> bool:
        if config is None:
            return True
        filter = config.get("filter") or {}  # noqa: A001  its name there
        if filter.get("type") != "FromWorkflow":
            raise FeedTaken(
                f"the order feed of account {self._source.client.account}'s key is configured as "
                f"{filter.get('type')}, by somebody else: give this connection a key of its own"
            )
        return not set(STATUSES) <= set(filter.get("status") or ())

    async def _lot(self) -> list[FeedEvent] | None:
        """Return several readings of the feed together, so that an order with several events is read once."""
        events: list[FeedEvent] = []
        while len(events) < self._settings.lot:
            part = await self._source.oms.feed()
            if part is None:
                return events or None
            events += part
            if len(part) < LOT:
                break
        return events

    async def _handle(self, events: list[FeedEvent], *, whole: bool) -> None:
        position, now = self._source.position(RESOURCE), self._source.client.now()
        later: dict[str, list[int]] = dict(position.get("later", {}))
        due = [id for id, (at, _) in later.items() if at <= now]  # noqa: A001
        ids = [event.order_id for event in events if event.order_id is not None]
        owed = set(self._source.owed)
        save = time.monotonic() - self._saved_at >= self._source.settings.save
        known = {"whole_until": now} if whole else {}
        if not (ids or due or owed or (save and whole)):
            self._source.positions[RESOURCE] = {**position, **known}
            await self._commit(events)
            return
        readings = await self._purchases.read([*ids, *due], Urgency.FOLLOW)
        stage = self._purchases.stage(readings, "feed" if whole else "list")
        self._postpone(later, due, [*readings.absent, *(owed - set(ids))], now)
        moved = {**position, **known, "later": later}
        await self._source.journal.write(in_turn(stage, self._source.moving(RESOURCE, moved)))
        self._source.owed -= owed
        self._saved_at = time.monotonic()
        await self._commit(events)

    def _postpone(self, later: dict[str, list[int]], due: list[str], absent: list[str], now: int) -> None:
        for id in due:  # noqa: A001
            if id not in absent:
                del later[id]
        for id in absent:  # noqa: A001
            tried = later.get(id, [0, 0])[1]
            if tried >= len(AGAIN_MS) or len(later) >= LATER:
                log.error("an order of the feed was never answered: given up", store=self._source.name, order=id)
                later.pop(id, None)
            else:
                later[id] = [now + AGAIN_MS[tried], tried + 1]

    async def _commit(self, events: list[FeedEvent]) -> None:
        for at in range(0, len(events), LOT):
            await self._source.oms.commit(event.handle for event in events[at : at + LOT])


def whole_until(source: Source) -> int | None:
    """Return until when a feed, or the lists that stood in for one, told everything; None where neither ever did."""
    told = (source.position(RESOURCE).get("whole_until"), source.position(LISTED).get("listed"))
    return max((int(until) for until in told if until is not None), default=None)
