"""The account's orders, and the list of them, which is some minutes behind (NOTES 4.1)."""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from sandbox.vtex.clock import parse
from sandbox.vtex.order_document import Order


@dataclass(slots=True)
class OrderBook:
    """Documents by id, and the list's own, later, view of them.

    Attributes:
        emails: order group to the buyer's real address.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    _listed: dict[str, Order] = field(default_factory=dict)
    _by_time: list[tuple[int, str]] = field(default_factory=list)
    _waiting: list[tuple[int, int, Order]] = field(default_factory=list)
    _moves: int = 0

    def put(self, order: Order, listed_at: int) -> None:
        """Keep a version of an order; the list shows it from `listed_at` on."""
        order_id = order["orderId"]
        if order_id not in self.orders:
            self.groups.setdefault(order["orderGroup"], []).append(order_id)
        self.orders[order_id] = order
        self._moves += 1
        heapq.heappush(self._waiting, (listed_at, self._moves, order))

    def parts(self, group: str) -> list[Order]:
        """Return the sellers' parts of a purchase."""
        return [self.orders[order_id] for order_id in self.groups.get(group, ())]

    def listed(self, low: int, high: int, now: int) -> Iterator[Order]:
        """Return what the list shows by now of the orders created from `low` to `high`, oldest first."""
        self._settle(now)
        first, last = bisect_left(self._by_time, (low, "")), bisect_right(self._by_time, (high, "\uffff"))
        return (self._listed[order_id] for _, order_id in self._by_time[first:last])

    def _settle(self, now: int) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, _, order = heapq.heappop(self._waiting)
            order_id = order["orderId"]
            if order_id not in self._listed:
                insort(self._by_time, (parse(order["creationDate"]), order_id))
            self._listed[order_id] = order
