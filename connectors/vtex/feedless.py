"""Orders without a feed, which the key may not read, or which somebody else has: lists stand in (NOTES 4.1).

Each look lists what was placed, approved or invoiced since the last one, less the time that lists may be behind. Every
quarter of an hour one goes further back, for what lists showed later still, and lists what was cancelled or replaced
lately, which has no date to be asked for by. An order is read whole only when its row in a list is new or says
something else than when it was read; the cursor moves after everything listed was written.
"""

from collections import OrderedDict
from typing import Final

from connectors.vtex.budget import Urgency
from connectors.vtex.feed import LISTED, whole_until
from connectors.vtex.instants import Window
from connectors.vtex.oms import ListRow
from connectors.vtex.order_lists import AHEAD_MS, OrderLists
from connectors.vtex.source import Source

REMEMBERED: Final = 50_000
"""Rows of lists whose orders need no reading; forgetting one costs a call."""


class ListFollower:
    """Follows one store's orders by lists.

    Args:
        source: the store.
        lists: reads and writes what they show.
    """

    def __init__(self, source: Source, lists: OrderLists) -> None:
        self._source = source
        self._lists = lists
        self._settings = source.settings.orders
        self._marks: OrderedDict[str, str] = OrderedDict()

    async def look(self) -> int:
        """Look once; returns the number of orders read."""
        position, now = self._source.position(LISTED), self._source.client.now()
        wide = not 0 <= now - int(position.get("wide", 0)) < self._settings.lists_wide_every * 1000
        back = self._settings.lists_wide if wide else self._settings.index_lag
        known = whole_until(self._source)
        # VTEX's clock may have gone back: no window begins after its end.
        window = Window(int(min(known or now, now) - back * 1000), now + AHEAD_MS)
        read = 0
        async for rows in self._lists.happened(window, fallen=wide):
            read += await self._read([row for row in rows if self._marks.get(row.id) != row.mark])
        moved = {**position, "listed": now, **({"wide": now} if wide else {})}
        await self._source.move(LISTED, moved)
        return read

    async def _read(self, news: list[ListRow]) -> int:
        if not news:
            return 0
        absent = set(await self._lists.write(news, Urgency.FOLLOW))
        for row in news:
            if row.id not in absent:
                self._marks[row.id] = row.mark
                self._marks.move_to_end(row.id)
        while len(self._marks) > REMEMBERED:
            self._marks.popitem(last=False)
        return len(news)
