"""Everything that stands of one store: its shard's topics and changelogs, read to the end.

A store's records stand in one partition of each topic, so a scan reads one shard, not all.
"""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.provisioning import CHANGELOGS
from connectors.kafka.reader import CommittedReader
from schemas import topics
from schemas.partition import shard_of

_SUFFIX: Final = "-changelog"


@dataclass(frozen=True, slots=True)
class Shard:
    """Where a store's records stand.

    Attributes:
        store: its name.
        partition: of every topic.
        topics: of the catalogue that exist.
        tables: whose changelogs exist.
    """

    connection: KafkaConnection
    store: str
    partition: int
    topics: tuple[str, ...]
    tables: tuple[str, ...]

    @staticmethod
    def changelog(table: str) -> str:
        """Return the name of a table's changelog, without the prefix."""
        return f"{CHANGELOGS}{table}{_SUFFIX}"


async def shard_of_store(connection: KafkaConnection, store: str) -> Shard:
    """Return where a store's records stand.

    Raises:
        BrokerUnreachable: no broker answered.
    """
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
    prefix = connection.topic(CHANGELOGS)
    listed = tuple(topic.name for topic in topics.TOPICS if connection.topic(topic.name) in shapes)
    tables = tuple(
        sorted(
            name.removeprefix(prefix).removesuffix(_SUFFIX)
            for name in shapes
            if name.startswith(prefix) and name.endswith(_SUFFIX)
        )
    )
    partitions = shapes[connection.topic(topics.STORES.name)].partitions
    return Shard(connection, store, shard_of(store, partitions), listed, tables)


@dataclass(slots=True)
class Standing:
    """What a scan has found in one topic or changelog.

    Attributes:
        latest: key to the last record of it, of those that match.
        copies: matching records that a later one of their key has replaced: they leave with compaction.
        last_copy: Unix ms of the latest replacement of one.
        last: Unix ms of the latest matching record.
    """

    latest: dict[bytes, Any] = field(default_factory=dict)
    copies: int = 0
    last_copy: int = 0
    last: int = 0


Matches = Callable[[bytes, bytes], bool]
"""(key, value) -> whether the record is of the person."""


async def scan(shard: Shard, wanted: Mapping[str, Matches]) -> dict[str, Standing]:
    """Return what of some topics matches, read committed to their end of now.

    Args:
        shard: of the store.
        wanted: topic or changelog, without the prefix, to what says which of its records match.
    """
    found = {name: Standing() for name in wanted}
    prefix = f"{shard.store}/".encode()
    compacted = {name for name in wanted if name not in topics.BY_NAME or "compact" in topics.BY_NAME[name].cleanup}
    async for name, record in records_of(shard, list(wanted)):
        key, standing = record.key or b"", found[name]
        if name in compacted and key in standing.latest:
            # Replaced by whatever comes, a tombstone too.
            standing.latest.pop(key)
            standing.copies += 1
            standing.last_copy = max(standing.last_copy, record.timestamp)
        if record.value is None or not key.startswith(prefix) or not wanted[name](key, record.value):
            continue
        place = key if name in compacted else b"%s#%d" % (key, record.offset)
        standing.latest[place] = record
        standing.last = max(standing.last, record.timestamp)
    return found


async def records_of(shard: Shard, names: list[str]) -> AsyncIterator[tuple[str, Any]]:
    """Hand out every record of some topics in the store's shard, with its topic, up to their end of now."""
    async with CommittedReader(shard.connection, names, partitions=[shard.partition]) as reader:
        ends = await reader.ends()
        async for batch in reader.until(ends):
            for record in batch.records:
                if record.offset < ends[batch.topic, batch.partition]:
                    yield batch.topic, record
            await asyncio.sleep(0)


def original(raw: bytes) -> tuple[str | None, bytes, bytes]:
    """Return what a dead letter holds: topic, key and value of the original; empty where it kept none."""
    try:
        letter = orjson.loads(raw)
        key, value = (b64decode(letter.get(name) or "") for name in ("key", "value"))
    except (ValueError, AttributeError, TypeError):
        return None, b"", b""
    return letter.get("topic"), key, value


def keys(found: Iterable[bytes]) -> tuple[str, ...]:
    """Return record keys as texts, sorted."""
    return tuple(sorted(key.decode("utf-8", "replace") for key in found))
