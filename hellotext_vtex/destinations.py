# ruff: noqa: PLC0415  the help must come at once: the agents' tables are loaded when they are read
"""Destinations of stores that take nothing just now, as the workers keep it: which, since when, why, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import orjson

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import TopicMissing
from connectors.kafka.provisioning import CHANGELOGS
from connectors.kafka.reader import latest_by_key

LASTING: Final = timedelta(minutes=1)
"""A call that is lost now and then is repeated, and nobody's matter."""


@dataclass(frozen=True, slots=True)
class Troubled:
    """A destination of a store that takes nothing.

    Attributes:
        destination: hellotext or infobip.
        state: closed: one customer tries again now and then, all others wait. failing: it is called, and answers
            nothing that can be used.
        reason: what happened, and what to do.
        since: when it began; None where it closed under an earlier version.
        again: when a closed one is tried again, at the latest; None when that is past: no worker looks after it.
    """

    destination: str
    state: Literal["closed", "failing"]
    reason: str
    since: datetime | None
    again: datetime | None


async def troubled_by_store(connection: KafkaConnection) -> dict[str, tuple[Troubled, ...]]:
    """Return the destinations that take nothing, of every store that has some, as of now.

    Raises:
        BrokerUnreachable, KafkaError: they cannot be read.
    """
    from streams.profile_rules.stores import STORES

    try:
        rows = await latest_by_key(connection, f"{CHANGELOGS}{STORES.name}-changelog")
    except TopicMissing:  # no worker has ever run here
        return {}
    now = datetime.now(UTC)
    read = {key.decode(): troubled(orjson.loads(record.value), now) for key, record in rows.items()}
    return {store: found for store, found in read.items() if found}


def troubled(row: Mapping[str, Any], now: datetime) -> tuple[Troubled, ...]:
    """Return what a row of the workers' table says."""
    from streams.profile_rules.stores import state_of

    state = state_of(dict(row))
    found = []
    for name in sorted(state.gates.keys() | state.troubles.keys()):
        gate, trouble = state.gates.get(name), state.troubles.get(name)
        since = None if trouble is None else _instant(trouble.since)
        if gate is not None:
            again = _instant(gate.retry_at)
            found.append(Troubled(name, "closed", gate.reason, since, again if again > now else None))
        elif trouble is not None and since is not None and now - since >= LASTING:
            found.append(Troubled(name, "failing", trouble.reason, since, None))
    return tuple(found)


def _instant(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
