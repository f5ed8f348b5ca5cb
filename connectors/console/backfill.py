"""How far a backfill has come, how fast it goes and how long it will take, from the cursors that the poller commits.

A cursor's position is the poller's own matter; read here are only these names in it, or in a part named `backfill`:
`done` and `total` (records; the total is VTEX's own estimate and may be wrong), and `finished`. What has none of them
is no backfill.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.vtex import Cursor

_WINDOW: Final = timedelta(seconds=60)
"""The rate is that of the last minute: VTEX's answers differ from second to second."""
_STALLED: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Backfill:
    """A resource's backfill.

    Attributes:
        done: records read.
        total: records there are, when VTEX tells.
        rate: records a second, when two positions are known.
        finished: everything was read; the resource is followed from now on.
        at: when the position was committed.
    """

    resource: str
    done: int
    total: int | None
    rate: float | None
    finished: bool
    at: datetime

    @property
    def share(self) -> float | None:
        """Return how much of it is done, 0 to 1; None when nobody knows."""
        if self.finished:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else None

    @property
    def left(self) -> timedelta | None:
        """Return how long it will take at the present rate."""
        if self.finished or not self.total or not self.rate:
            return None
        return timedelta(seconds=max(self.total - self.done, 0) / self.rate)

    def stalled(self, now: datetime) -> bool:
        """Return whether it should go on but does not."""
        return not self.finished and now - self.at > _STALLED


class Backfills:
    """Follows the backfills of all stores; some hundred bytes for each."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], deque[tuple[datetime, int]]] = {}
        self._latest: dict[str, dict[str, Backfill]] = {}

    def of(self, store: str) -> tuple[Backfill, ...]:
        """Return a store's backfills, running ones first."""
        found = self._latest.get(store, {}).values()
        return tuple(sorted(found, key=lambda each: (each.finished, each.resource)))

    def apply(self, cursor: Cursor) -> None:
        """Take in where a resource stands now."""
        read = read_position(cursor.position)
        if read is None:
            return
        done, total, finished = read
        marks = self._marks.setdefault((cursor.store, cursor.resource), deque(maxlen=120))
        if marks and done < marks[-1][1]:
            marks.clear()  # it began anew
        marks.append((cursor.updated_at, done))
        while len(marks) > 2 and cursor.updated_at - marks[0][0] > _WINDOW:  # noqa: PLR2004  a rate needs two
            marks.popleft()
        self._latest.setdefault(cursor.store, {})[cursor.resource] = Backfill(
            cursor.resource.removesuffix(".backfill"), done, total, _rate(marks), finished, cursor.updated_at
        )

    def forget(self, store: str, resource: str) -> None:
        """Forget a resource whose cursor was removed."""
        self._marks.pop((store, resource), None)
        self._latest.get(store, {}).pop(resource, None)


def read_position(position: dict[str, Any]) -> tuple[int, int | None, bool] | None:
    """Return records done, records in total and whether the backfill has ended; None where there is none."""
    inner = position.get("backfill")
    part = inner if isinstance(inner, dict) else position
    done, total = part.get("done"), part.get("total")
    if not _whole(done):
        return None
    finished = bool(part.get("finished", part.get("finished_at")))
    return int(done or 0), int(total) if _whole(total) and total else None, finished


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _rate(marks: "deque[tuple[datetime, int]]") -> float | None:
    (first_at, first), (last_at, last) = marks[0], marks[-1]
    seconds = (last_at - first_at).total_seconds()
    return (last - first) / seconds if seconds > 0 and last > first else None
