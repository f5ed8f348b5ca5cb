"""Reading cursors back: once for all stores of a partition that ask at about the same time."""

import asyncio
from typing import Any

import orjson
import structlog

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import latest_by_key
from schemas.partition import shard_of
from schemas.topics import VTEX_CURSORS

log = structlog.get_logger(__name__)

Positions = dict[str, dict[str, Any]]
"""What each resource of a store wrote last."""


class Cursors:
    """Reads `vtex.cursors`.

    Args:
        connection: to the broker.
        partitions: N, of every topic.
    """

    def __init__(self, connection: KafkaConnection, partitions: int) -> None:
        self._connection = connection
        self._partitions = partitions
        self._locks = [asyncio.Lock() for _ in range(partitions)]
        self._next: dict[int, asyncio.Task[dict[str, Positions]]] = {}

    async def of(self, store: str) -> Positions:
        """Return a store's positions as of now; whoever asks has fenced earlier owners first.

        Raises:
            BrokerUnreachable, KafkaError: they cannot be read.
        """
        partition = shard_of(store, self._partitions)
        # A reading that has not begun yet sees all that was committed before this call; one under way may not.
        task = self._next.get(partition)
        if task is None:
            task = self._next[partition] = asyncio.create_task(self._read(partition))
        return (await asyncio.shield(task)).get(store, {})

    async def _read(self, partition: int) -> dict[str, Positions]:
        async with self._locks[partition]:
            del self._next[partition]
            rows = await latest_by_key(self._connection, VTEX_CURSORS.name, partitions=[partition])
        found: dict[str, Positions] = {}
        for key, record in rows.items():
            store, _, resource = key.decode().partition("/")
            try:
                found.setdefault(store, {})[resource] = dict(orjson.loads(record.value)["position"])
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                log.warning("a cursor is unreadable: its resource is read anew", store=store, resource=resource)
        return found
