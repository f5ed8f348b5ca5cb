"""Which customers of a store are known, for comparing with the shop: ids and versions in a temporary SQLite file.

A million customers take some 100 MB on disk and a few in memory. No personal value is in it; the file has no name and
is gone with the connection.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Final, Self

import orjson
import structlog

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import read_topic
from connectors.vtex.turns import Turns
from schemas.partition import key_of, shard_of
from schemas.topics import VTEX_CHANGES, VTEX_CUSTOMERS, Topic
from schemas.vtex import CUSTOMER_CHANGED, CUSTOMER_DELETED

log = structlog.get_logger(__name__)

_BATCH: Final = 500
Known = tuple[str, str]
"""Id and version."""


class Inventory:
    """Ids and versions; a context manager."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", isolation_level=None)
        self._rows.execute("PRAGMA journal_mode = OFF")
        self._rows.execute("CREATE TABLE known (id TEXT PRIMARY KEY, version TEXT, seen INTEGER) WITHOUT ROWID")
        self._rows.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()

    def put(self, known: Iterable[Known]) -> None:
        """Know customers, or newer versions of them."""
        self._rows.executemany(
            "INSERT INTO known VALUES (?, ?, 0) "
            "ON CONFLICT (id) DO UPDATE SET version = max(version, excluded.version)",
            known,
        )

    def drop(self, ids: Iterable[str]) -> None:
        """Know customers no more: they were deleted."""
        self._rows.executemany("DELETE FROM known WHERE id = ?", ((id,) for id in ids))  # noqa: A001

    def compare(self, found: Iterable[Known]) -> list[str]:
        """Mark what the shop has, and return the ids that are unknown here or newer there."""
        news = []
        for id, version in found:  # noqa: A001
            row = self._rows.execute("SELECT version FROM known WHERE id = ?", (id,)).fetchone()
            if row is None:
                news.append(id)
                continue
            self._rows.execute("UPDATE known SET seen = 1 WHERE id = ?", (id,))
            if row[0] < version:
                news.append(id)
        return news

    def unseen(self) -> Iterator[list[str]]:
        """Yield, in batches, the ids that are known here and that the shop has not shown."""
        with closing(self._rows.execute("SELECT id FROM known WHERE seen = 0")) as cursor:
            while rows := cursor.fetchmany(_BATCH):
                yield [row[0] for row in rows]

    @property
    def size(self) -> int:
        """Customers known."""
        return int(self._rows.execute("SELECT count(*) FROM known").fetchone()[0])


async def load(inventory: Inventory, connection: KafkaConnection, store: str, partitions: int, turns: Turns) -> None:
    """Fill an inventory from what was made of a store (`vtex.customers`), then from what was read of it since.

    Raises:
        BrokerUnreachable, TopicMissing
    """
    prefix, shard = key_of(store, ""), shard_of(store, partitions)
    for topic, read in ((VTEX_CUSTOMERS, _state), (VTEX_CHANGES, _change)):

        def take(records: Sequence[Any], topic: Topic = topic, read: _Reader = read) -> None:
            for record in records:
                try:
                    read(inventory, record.key[len(prefix) :].decode(), record.value)
                except (orjson.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
                    log.warning("an unreadable row is left out of the scan", topic=topic.name, offset=record.offset)

        async for batch in read_topic(connection, topic.name, partitions=[shard]):
            ours = [record for record in batch.records if record.key is not None and record.key.startswith(prefix)]
            await turns.each(ours, take)


_Reader = Callable[[Inventory, str, bytes | None], None]


def _state(inventory: Inventory, customer: str, value: bytes | None) -> None:
    row: dict[str, Any] | None = None if value is None else orjson.loads(value)
    if row is None or row.get("deleted"):
        inventory.drop([customer])
    else:
        inventory.put([(customer, str(row.get("source_version") or ""))])


def _change(inventory: Inventory, subject: str, value: bytes | None) -> None:
    event: dict[str, Any] = {} if value is None else orjson.loads(value)
    if event.get("type") == CUSTOMER_CHANGED:
        inventory.put([(subject, str(event["data"].get("source_version") or ""))])
    elif event.get("type") == CUSTOMER_DELETED:
        inventory.drop([subject])
