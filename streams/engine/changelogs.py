"""Creation of the streams' own topics: one changelog for each table, like its input topics in size and safety."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.engine.errors import Fatal
from streams.engine.transaction import EXIT_SPLIT_SHARD

log = structlog.get_logger(__name__)

DAY_MS = 86_400_000
CONFIG = {
    "cleanup.policy": "compact",
    # A tombstone must have removed a personal value within a day (DESIGN section 11), and a part on disk that was
    # left alone for less than half of that still sees it (disk.STALE_MS).
    "max.compaction.lag.ms": str(DAY_MS),
    "delete.retention.ms": str(DAY_MS),
    "min.cleanable.dirty.ratio": "0.2",
    "segment.bytes": str(128 << 20),
    # Expiry is by the time of the write, which the engine sets.
    "message.timestamp.type": "CreateTime",
    "max.message.bytes": str(2 << 20),
}


async def ensure_changelogs(
    options: Mapping[str, Any], sources: Iterable[str], changelogs: Iterable[str], group: str
) -> int:
    """Create the changelogs that are missing.

    Args:
        options: for any aiokafka client.
        sources: the input topics, by their name on the broker; they all exist and have one number of partitions.
        changelogs: the names wanted.
        group: of the workers.

    Returns:
        The number of partitions of every topic.

    Raises:
        Fatal: an input topic is missing, or has another number of partitions than the rest.
    """
    sources = list(sources)
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    try:
        wanted = list(changelogs)
        partitions, replication = await _shape(admin, sources, wanted)
        existing = set(await admin.list_topics())
        missing = [
            NewTopic(name, partitions, replication, topic_configs=CONFIG) for name in wanted if name not in existing
        ]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *_ in answer.topic_errors:
                if code and for_code(code) is not TopicAlreadyExistsError:
                    raise Fatal(EXIT_SPLIT_SHARD, f"changelog {name} cannot be created: {for_code(code).__name__}")
            log.info("changelogs created", count=len(missing), partitions=partitions, replication=replication)
            await _tell_what_begins_empty(admin, group, set(sources), [topic.name for topic in missing])
    finally:
        await admin.close()
    return partitions


async def _tell_what_begins_empty(
    admin: AIOKafkaAdminClient, group: str, sources: Container[str], created: list[str]
) -> None:
    """Say which tables begin empty although their inputs were consumed: new ones, or ones that somebody has deleted."""
    try:
        committed = await admin.list_consumer_group_offsets(group)
    except KafkaError:  # a broker on which no group has ever been has no coordinator yet
        return
    if any(at.offset > 0 for tp, at in committed.items() if tp.topic in sources):
        log.warning("these tables begin empty, although input was consumed before: expected when a new version brings "
                    "them; else their changelogs were deleted, and what stood in them is lost (`hellotext-vtex replay` "
                    "counts anew)", changelogs=sorted(created))  # fmt: skip


async def _shape(admin: AIOKafkaAdminClient, sources: list[str], changelogs: list[str]) -> tuple[int, int]:
    existing = set(await admin.list_topics())
    missing = sorted(set(sources) - existing)
    if missing:
        raise Fatal(
            EXIT_SPLIT_SHARD, f"topics {missing} do not exist: run `hellotext-vtex topics create` to create them"
        )
    described = await admin.describe_topics([*sources, *(name for name in changelogs if name in existing)])
    counts = {topic["topic"]: len(topic["partitions"]) for topic in described}
    if len(set(counts.values())) != 1:
        raise Fatal(
            EXIT_SPLIT_SHARD,
            f"topics differ in their number of partitions, but a shard is one partition number of all: {counts}. "
            "Run `hellotext-vtex doctor`.",
        )
    replication = min(len(part["replicas"]) for topic in described for part in topic["partitions"])
    return next(iter(counts.values())), replication
