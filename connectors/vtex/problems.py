"""What is wrong with the readers of every store, as their pollers tell it (connectors/vtex/status.py)."""

from pydantic import ValidationError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import latest_by_key
from connectors.vtex.status import STATUS, Problem, problems_of
from schemas.topics import VTEX_CURSORS
from schemas.vtex import Cursor

__all__ = ["STATUS", "Problem", "problems_by_store", "problems_of", "touches"]


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
