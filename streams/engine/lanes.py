"""Which effect may run next: effects with one key form a lane, and only the head of a lane may run."""

from heapq import heappop, heappush
from typing import NamedTuple

from streams.engine.outbox import Row

Route = tuple[str, str]
"""(store, destination)."""


class Head(NamedTuple):
    """The head of a lane, in the order in which heads run: by due time, then by order of staging."""

    not_before: int
    seq: int
    key: str


class Lanes:
    """The outbox of one shard, as the runner sees it."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._lanes: dict[tuple[Route, str], list[tuple[int, str]]] = {}
        self._heads: dict[Route, list[Head]] = {}
        self._running: set[str] = set()

    def put(self, key: str, row: Row) -> Route:
        """Add or change a row; return its route."""
        route, lane = self._place(row)
        known = self.rows.get(key)
        self.rows[key] = row
        if known is None:
            waiting = self._lanes.setdefault((route, lane), [])
            heappush(waiting, (row["seq"], key))
            if waiting[0][1] == key and not any(other in self._running for _, other in waiting[1:]):
                self._offer(route, lane)
        elif row["attempt"] != known["attempt"]:
            self._running.discard(key)
            self._offer(route, lane)
        return route

    def remove(self, key: str) -> Route | None:
        """Forget a row that is gone; the next of its lane may run. Return its route."""
        row = self.rows.pop(key, None)
        self._running.discard(key)
        if row is None:
            return None
        route, lane = self._place(row)
        waiting = self._lanes[route, lane]
        waiting.remove((row["seq"], key))
        waiting.sort()
        if waiting:
            self._offer(route, lane)
        else:
            del self._lanes[route, lane]
        return route

    def next(self, route: Route, now: int) -> tuple[str, Row] | int | None:
        """Take the next row that may run.

        Returns:
            (key, row), now marked as running; or the Unix ms at which the earliest is due; or None when none waits.
        """
        heads = self._heads.get(route, [])
        while heads:
            head = heads[0]
            row = self.rows.get(head.key)
            if row is None or head.key in self._running or row["not_before"] != head.not_before:
                heappop(heads)
                continue
            if head.not_before > now:
                return head.not_before
            heappop(heads)
            self._running.add(head.key)
            return head.key, row
        return None

    def holds(self, key: str, row: Row) -> bool:
        """Say whether a row that was taken to run still stands, and is the same effect."""
        known = self.rows.get(key)
        return known is not None and known["seq"] == row["seq"]

    def _offer(self, route: Route, lane: str) -> None:
        seq, key = self._lanes[route, lane][0]
        if key not in self._running:
            heappush(self._heads.setdefault(route, []), Head(self.rows[key]["not_before"], seq, key))

    @staticmethod
    def _place(row: Row) -> tuple[Route, str]:
        effect = row["effect"]
        return (effect["store"], effect["destination"]), effect["key"]
