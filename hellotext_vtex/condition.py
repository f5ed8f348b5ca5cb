"""A store's condition, for people and for scripts: what is wrong with reading it, and with its destinations."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connectors.kafka.connection import KafkaConnection
from connectors.vtex.problems import Problem, problems_by_store
from hellotext_vtex.destinations import Troubled, troubled_by_store
from hellotext_vtex.tables import ahead, moment
from schemas.stores import StoreConnection

_SECRET: Final = {"app_token", "token", "api_key", "hash_secret", "hook_secret", "server_token", "secret"}


@dataclass(frozen=True, slots=True)
class Condition:
    """What is wrong with a store.

    Attributes:
        problems: with reading it from VTEX.
        destinations: those that take nothing.
    """

    problems: tuple[Problem, ...] = ()
    destinations: tuple[Troubled, ...] = ()


async def conditions_of(connection: KafkaConnection, rows: Iterable[StoreConnection]) -> dict[str, Condition]:
    """Return the condition of each store, as of now.

    Raises:
        BrokerUnreachable, KafkaError: it cannot be read.
    """
    problems, destinations = await problems_by_store(connection), await troubled_by_store(connection)
    return {
        row.store: Condition(
            problems.get(row.store, ()),
            tuple(
                one
                for one in destinations.get(row.store, ())
                if one.destination != "infobip" or row.infobip is not None
            ),
        )
        for row in rows
    }


def state_of(row: StoreConnection, condition: Condition) -> str:
    """Return what a store is at, in a word or two."""
    if row.paused:
        return "paused"
    quiet = all(each.note for each in condition.problems) and not condition.destinations
    return "following" if quiet else "needs attention"


def told(row: StoreConnection, condition: Condition) -> dict[str, Any]:
    """Return a store's row without its secrets, with its state and what is wrong with it."""
    problems = [
        {
            "reader": each.reader, "reason": each.reason, "since": each.since.isoformat(),
            "tries_again": _iso(each.again),
        }
        for each in condition.problems if not row.paused
    ]  # fmt: skip
    destinations = [
        {
            "destination": each.destination, "state": each.state, "reason": each.reason,
            "since": _iso(each.since), "tries_again": _iso(each.again),
        }
        for each in condition.destinations
    ]  # fmt: skip
    return {**visible(row), "state": state_of(row, condition), "problems": problems, "destinations": destinations}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def matters(row: StoreConnection, condition: Condition) -> Iterator[str]:
    """Yield what a person should know of a store, a line each: what is wrong, since when, and what to do."""
    for problem in condition.problems:
        if not row.paused and not problem.note:
            what = f"{problem.reader} not read{_since(problem.since)}: {problem.reason}"
            yield f"{row.store}: {what}{_again(row, problem.again)}"
    for each in condition.destinations:
        how = "is closed" if each.state == "closed" else "answers nothing that can be used"
        name = each.destination.capitalize()
        yield f"{row.store}: {name} {how}{_since(each.since)}: {each.reason}{_again(row, each.again)}"


def _since(at: datetime | None) -> str:
    return "" if at is None else f" since {moment(at)}"


def _again(row: StoreConnection, at: datetime | None) -> str:
    now = datetime.now(UTC)
    return "" if at is None or row.paused or at <= now else f"; tried again at {ahead(at, now)}"


def visible(row: StoreConnection) -> dict[str, Any]:
    """Return a store's row without its secrets."""
    return _without_secrets(row.model_dump(mode="json"))


def _without_secrets(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_secrets(part) if isinstance(part, dict) else part
        for name, part in value.items()
        if name not in _SECRET
    }
