"""What is wrong with a store's readers, as the poller tells it in the store's `status` row (supervise.py)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import latest_by_key
from connectors.vtex.supervise import STATUS
from schemas.topics import VTEX_CURSORS
from schemas.vtex import Cursor

__all__ = ["STATUS", "Problem", "problems_by_store", "problems_of", "touches"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A reader of a store that waits.

    Attributes:
        reader: such as `orders` or `customers.backfill`.
        reason: what happened, and what to do.
        since: when the store's problems last changed, which is when the latest of them began.
    """

    reader: str
    reason: str
    since: datetime


def problems_of(status: Cursor | None) -> tuple[Problem, ...]:
    """Return the problems in a store's status row, by reader; of no row, none."""
    told = None if status is None else status.position.get("problems")
    if status is None or not isinstance(told, Mapping):
        return ()
    return tuple(Problem(str(reader), str(told[reader]), status.updated_at) for reader in sorted(told))


async def problems_by_store(connection: KafkaConnection) -> dict[str, tuple[Problem, ...]]:
    """Return the problems of every store that has some, as of now.

    Raises:
        BrokerUnreachable, KafkaError: they cannot be read.
    """
    found = {}
    for key, record in (await latest_by_key(connection, VTEX_CURSORS.name)).items():
        store, _, resource = key.decode().partition("/")
        if resource != STATUS:
            continue
        try:
            problems = problems_of(Cursor.model_validate_json(record.value or b""))
        except ValidationError:
            continue  # the poller writes it anew with the next change
        if problems:
            found[store] = problems
    return found


def touches(problem: Problem, resource: str) -> bool:
    """Return whether a problem keeps a resource from being read; one reader backfills customers, then addresses."""
    of = problem.reader.partition(".")[0]
    return of == resource or (resource == "addresses" and problem.reader == "customers.backfill")
