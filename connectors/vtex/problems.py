"""What is wrong with the readers of every store, as their pollers tell it (connectors/vtex/status.py)."""

from datetime import datetime

from pydantic import ValidationError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import latest_by_key
from connectors.vtex.status import STATUS, Problem, problems_of, rests_until
from schemas.topics import VTEX_CURSORS
from schemas.vtex import Cursor

__all__ = ["STATUS", "Problem", "again_of", "problems_by_store", "problems_of", "rests_until", "touches"]


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


def again_of(status: Cursor | None, resource: str) -> datetime | None:
    """Return when a resource that waits is read again, as a store's status row tells it; None where it does not wait.

    Args:
        status: the row.
        resource: such as `customers`.
    """
    own = [each.again for each in problems_of(status) if touches(each, resource) and not each.note]
    return max(filter(None, [*own, rests_until(status)]), default=None)


def touches(problem: Problem, resource: str) -> bool:
    """Return whether a problem keeps a resource from being read; one reader backfills customers, then addresses."""
    of = problem.reader.partition(".")[0]
    return of == resource or (resource == "addresses" and problem.reader == "customers.backfill")
