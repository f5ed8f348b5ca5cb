"""How far the first readings and scans of stores are, as their pollers tell it in `vtex.cursors`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import ValidationError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import latest_by_key
from connectors.vtex.problems import STATUS, again_of
from schemas.topics import VTEX_CURSORS
from schemas.vtex import Cursor

FIRST_READING: Final = ".backfill"
SUFFIXES: Final = (FIRST_READING, ".scan")
STALLED: Final = timedelta(minutes=2)
"""A reading that has told nothing for so long stands still."""


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """One reading of everything.

    Attributes:
        reading: such as `customers.backfill`.
        done: documents read.
        total: how many there are, as VTEX estimates it; None where it did not say.
        rate: documents a second.
        left_s: seconds to the end at this rate; None where nobody knows.
        finished: it has ended.
        at: when this was told.
        again: when VTEX is tried again, where the resource waits for that; it may be past.
    """

    store: str
    reading: str
    done: int
    total: int | None
    rate: float | None
    left_s: float | None
    finished: bool
    at: datetime
    again: datetime | None = None

    @property
    def resource(self) -> str:
        """What is read: `customers` of `customers.backfill`; a scan keeps its name."""
        return self.reading.removesuffix(".backfill")

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1."""
        if self.finished:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else None

    def stalled(self, now: datetime) -> bool:
        """Return whether it should go on but does not."""
        return not self.finished and now - self.at > STALLED


def progress_of(cursor: Cursor) -> ReadingProgress | None:
    """Return what a cursor tells of a reading of everything; None where it is none."""
    position = cursor.position
    done = _number(position, "done", int)
    if done is None or not cursor.resource.endswith(SUFFIXES):
        return None
    return ReadingProgress(
        cursor.store, cursor.resource, done, _number(position, "total", int) or None,
        _number(position, "rate", float), _number(position, "left_s", float), bool(position.get("finished")),
        cursor.updated_at,
    )  # fmt: skip


def advanced(position: Mapping[str, Any], done: int, *, before: int, seconds: float) -> dict[str, Any]:
    """Return a reading's cursor when so many documents are read, with the rate of this run and what is left at it.

    Args:
        position: the cursor as it was.
        done: documents read, in all runs.
        before: those that earlier runs read.
        seconds: that this run has taken.
    """
    rate = (done - before) / max(0.001, seconds)
    total = max(int(position.get("total") or 0), done)
    left = round((total - done) / rate, 1) if rate else None
    return {**position, "done": done, "total": total, "rate": round(rate, 1), "left_s": left}


async def progress(connection: KafkaConnection, store: str | None = None) -> list[ReadingProgress]:
    """Return the readings of a store, or of all, as of now; those under way first.

    Raises:
        BrokerUnreachable, KafkaError: they cannot be read.
    """
    cursors = []
    for record in (await latest_by_key(connection, VTEX_CURSORS.name)).values():
        try:
            cursors.append(Cursor.model_validate_json(record.value or b""))
        except ValidationError:
            continue  # the poller writes it anew with the next step
    statuses = {each.store: each for each in cursors if each.resource == STATUS}
    found = [
        replace(told, again=again_of(statuses.get(told.store), told.resource))
        for told in map(progress_of, cursors)
        if told is not None and store in {None, told.store}
    ]
    return sorted(found, key=lambda each: (each.store, each.finished, each.reading))


def _number(position: Mapping[str, Any], name: str, kind: type) -> Any:
    value = position.get(name)
    return kind(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
