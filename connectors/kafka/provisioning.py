"""Topics as the catalogue wants them: created where missing, settings corrected, partition counts never touched.

`provision` may run at any time and as often as one likes. It never deletes a topic, never changes a number of
partitions (keys would move to other shards, away from their tables), and leaves settings alone that the catalogue says
nothing about.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.admin import Admin, open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import ProvisioningRefused
from schemas.topics import TOPICS

log = structlog.get_logger(__name__)

DEFAULT_PARTITIONS: Final = 4
SAFE_REPLICATION: Final = 3
CHANGELOGS: Final = "streams."
"""What the names of the streams' own topics begin with."""


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic to provision: its name without the prefix, and its settings."""

    name: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that was corrected; None stands for the broker's default."""

    topic: str
    setting: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What provisioning did. Names are those on the broker."""

    partitions: int
    created: tuple[str, ...]
    changed: tuple[Change, ...]
    unchanged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it stands: for each partition, the first offset kept and the high watermark."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    first: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def size(self) -> int:
        """Offsets between the ends: at most so many records (compaction and control records leave gaps)."""
        return sum(self.end) - sum(self.first)


def catalogue(extra: Iterable[TopicSpec] = ()) -> tuple[TopicSpec, ...]:
    """Return what to provision: the catalogue's topics and further ones."""
    return (*(TopicSpec(topic.name, topic.config()) for topic in TOPICS), *extra)


async def provision(
    connection: KafkaConnection,
    partitions: int = DEFAULT_PARTITIONS,
    replication: int = 1,
    *,
    extra: Iterable[TopicSpec] = (),
) -> Provisioned:
    """Make every topic of the catalogue stand on the broker.

    Args:
        connection: to the broker.
        partitions: of every topic; chosen once, at installation.
        replication: replicas of topics that are created now. From 3 on, a record counts as written when all but one
            replica have it.
        extra: further topics, such as changelogs.

    Returns:
        What was created, what was changed, and what stood as wanted.

    Raises:
        ProvisioningRefused: a topic has another number of partitions, or the broker refused something.
        BrokerUnreachable: no broker answered.
    """
    safety = {"min.insync.replicas": str(replication - 1)} if replication >= SAFE_REPLICATION else {}
    wanted = {connection.topic(spec.name): {**spec.settings, **safety} for spec in catalogue(extra)}
    async with open_admin(connection) as admin:
        standing = await _standing(admin, wanted, partitions)
        missing = {name: settings for name, settings in wanted.items() if name not in standing}
        created = await admin.create(missing, partitions, replication)
        if len(created) < len(missing):  # somebody else created some meanwhile, with a number of their own
            await _standing(admin, wanted, partitions)
        existing = {name: settings for name, settings in wanted.items() if name not in created}
        changes = await _correct(admin, existing)
    touched = {change.topic for change in changes}
    report = Provisioned(
        partitions, tuple(sorted(created)), changes, tuple(sorted(existing.keys() - touched))
    )  # fmt: skip
    log.info(
        "topics provisioned", created=len(report.created), changed=len(changes), unchanged=len(report.unchanged),
        partitions=partitions,
    )  # fmt: skip
    return report


async def _standing(admin: Admin, wanted: Collection[str], partitions: int) -> set[str]:
    """Return which of the topics wanted stand.

    Raises:
        ProvisioningRefused: one has another number of partitions.
    """
    standing = {name: shape.partitions for name, shape in (await admin.shapes()).items() if name in wanted}
    others = {name: count for name, count in standing.items() if count != partitions}
    if not others:
        return set(standing)
    told = ", ".join(f"{name} has {count}" for name, count in sorted(others.items())[:5])
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""  # noqa: PLR2004  as listed above
    raise ProvisioningRefused(
        f"{partitions} partitions were asked for, but {told}{more}. One number holds for every topic and is chosen at "
        "installation: changing it would part keys from their tables. Ask for the number that stands, or start "
        "afresh under another TOPIC_PREFIX (docs/scaling.md)."
    )


async def _correct(admin: Admin, wanted: Mapping[str, Mapping[str, str]]) -> tuple[Change, ...]:
    """Correct what stands otherwise than wanted; settings that nobody here wants stay as they are."""
    found = await admin.settings(wanted)
    changes = tuple(
        Change(name, setting, found[name].get(setting), value)
        for name, settings in sorted(wanted.items())
        for setting, value in settings.items()
        if found[name].get(setting) != value
    )
    touched = {change.topic for change in changes}
    await admin.set_settings({name: {**found[name], **wanted[name]} for name in touched})
    for change in changes:
        log.info("topic setting changed", topic=change.topic, setting=change.setting, now=change.after)
    return changes


async def describe(connection: KafkaConnection) -> tuple[TopicState, ...]:
    """Return how our topics stand: those of the catalogue, and the streams' changelogs.

    Raises:
        BrokerUnreachable: no broker answered.
    """
    ours = {connection.topic(topic.name) for topic in TOPICS}
    async with open_admin(connection) as admin:
        shapes = {
            name: shape
            for name, shape in sorted((await admin.shapes()).items())
            if name in ours or name.startswith(connection.topic(CHANGELOGS))
        }
        settings = await admin.settings(shapes)
    places = [TopicPartition(name, number) for name, shape in shapes.items() for number in range(shape.partitions)]
    first, end = await _watermarks(connection, places)
    return tuple(
        TopicState(
            name, shape.partitions, shape.replication, settings[name],
            tuple(first[TopicPartition(name, number)] for number in range(shape.partitions)),
            tuple(end[TopicPartition(name, number)] for number in range(shape.partitions)),
        )
        for name, shape in shapes.items()
    )  # fmt: skip


async def _watermarks(
    connection: KafkaConnection, places: list[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    if not places:
        return {}, {}
    # The consumer asks for the leaders of one unknown topic after another, with this pause between.
    async with AIOKafkaConsumer(retry_backoff_ms=5, **connection.options()) as consumer:
        first, end = await asyncio.gather(consumer.beginning_offsets(places), consumer.end_offsets(places))
        return first, end
