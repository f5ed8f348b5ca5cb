"""What is wrong with a store's readers, since when and until when: in the poller, and in its `status` row. Pure.

The row tells `{"problems": {reader: reason}, "since": {reader: instant}, "notes": [reader], "again": {reader: instant},
"rests_until": instant}`. A reader has its problem since the first failure after which nothing has gone right, whatever
the reason is today, and also across restarts. It tries again at its own time, and not before the account's calls do.
"""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from schemas.vtex import Cursor

STATUS: Final = "status"
"""Resource of the row in `vtex.cursors`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A reader of a store that waits.

    Attributes:
        reader: such as `orders` or `customers.backfill`.
        reason: what happened, and what to do.
        since: when it began.
        note: nothing needs to be done; the store is read without it.
        again: when it tries again; None where nobody has said.
    """

    reader: str
    reason: str
    since: datetime
    note: bool = False
    again: datetime | None = None


class Status:
    """The problems of one store.

    Args:
        position: of its row, as last committed.
        now: Unix seconds.
    """

    def __init__(self, position: Mapping[str, Any], now: Callable[[], float] = time.time) -> None:
        self._now = now
        moment = datetime.fromtimestamp(now(), UTC)
        self._problems = {each.reader: each for each in _read(position, moment)}
        self._rests_until: datetime | None = None

    def keep(self, readers: Collection[str]) -> None:
        """Forget problems of what is no reader of the store (any more)."""
        self._problems = {name: each for name, each in self._problems.items() if name in readers}

    def wrong(self, reader: str, reason: str, *, note: bool = False, wait: float | None = None) -> bool:
        """Note a problem, and after how many seconds the reader tries again; returns whether the problem is news."""
        before = self._problems.get(reader)
        since = before.since if before is not None else datetime.fromtimestamp(int(self._now()), UTC)
        again = None if wait is None else datetime.fromtimestamp(math.ceil(self._now() + wait), UTC)
        self._problems[reader] = Problem(reader, reason, since, note, again)
        return before is None or before.reason != reason

    def right(self, reader: str) -> None:
        """Note that a reader has read."""
        self._problems.pop(reader, None)

    def rest(self, until: float | None) -> None:
        """Note until when the account's calls rest, Unix seconds; None: they do not."""
        self._rests_until = None if until is None else datetime.fromtimestamp(math.ceil(until), UTC)

    @property
    def position(self) -> dict[str, Any]:
        """What the row is to say."""
        named = sorted(self._problems.items())
        return {
            "problems": {name: each.reason for name, each in named},
            "since": {name: each.since.isoformat() for name, each in named},
            "notes": [name for name, each in named if each.note],
            "again": {name: each.again.isoformat() for name, each in named if each.again is not None},
            "rests_until": None if self._rests_until is None else self._rests_until.isoformat(),
        }


def problems_of(status: Cursor | None) -> tuple[Problem, ...]:
    """Return the problems in a store's status row, by reader; of no row, none."""
    return () if status is None else _read(status.position, status.updated_at)


def rests_until(status: Cursor | None) -> datetime | None:
    """Return until when the account's calls rest, as a store's status row tells it; None: they do not."""
    return None if status is None else _instant(status.position.get("rests_until"))


def _read(position: Mapping[str, Any], otherwise: datetime) -> tuple[Problem, ...]:
    told, since, notes = (position.get(name) for name in ("problems", "since", "notes"))
    if not isinstance(told, Mapping):
        return ()
    began = since if isinstance(since, Mapping) else {}
    noted = notes if isinstance(notes, list) else []
    return tuple(
        Problem(
            str(reader), str(told[reader]), _instant(began.get(reader)) or otherwise, reader in noted,
            _again(position, reader),
        )
        for reader in sorted(told)
    )  # fmt: skip


def _again(position: Mapping[str, Any], reader: str) -> datetime | None:
    own = position.get("again")
    told = (own.get(reader) if isinstance(own, Mapping) else None, position.get("rests_until"))
    return max(filter(None, map(_instant, told)), default=None)


def _instant(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
