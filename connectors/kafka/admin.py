"""A few admin requests, their answers as plain data and their error codes as exceptions."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaConnectionError,
    KafkaError,
    NotCoordinatorForGroupError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable, ProvisioningRefused, TopicMissing
from connectors.kafka.readiness import refused_by

HEARD_TIMEOUT_S: Final = 30.0
HEARD_POLL_S: Final = 0.02
BROKER_TIMEOUT_S: Final = 3.0
OFFSETS_TOPIC: Final = "__consumer_offsets"
MOVING: Final = (GroupLoadInProgressError, GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError)
SET_ON_THE_TOPIC: Final = 1
"""Kafka's ConfigSource DYNAMIC_TOPIC_CONFIG: set on the topic itself, not inherited from the broker."""


@dataclass(frozen=True, slots=True)
class TopicShape:
    """How a topic stands on the broker."""

    partitions: int
    replication: int
    ready: bool
    """Whether every partition has a leader."""


def require_topics(connection: KafkaConnection, shapes: Mapping[str, TopicShape], names: Iterable[str]) -> None:
    """Refuse to go on without topics.

    Args:
        connection: to the broker.
        shapes: the topics that there are (`Admin.shapes`).
        names: of the topics wanted, with the prefix.

    Raises:
        TopicMissing: some do not exist; names them.
    """
    missing = sorted(set(names) - shapes.keys())
    if missing:
        raise TopicMissing(
            f"topics {', '.join(missing)} do not exist at {connection.bootstrap_servers}: "
            "create them with `hellotext-vtex topics create`, or correct TOPIC_PREFIX"
        )


class Admin:
    """Admin requests over one connection; see `open_admin`."""

    def __init__(self, client: AIOKafkaAdminClient) -> None:
        self._client = client

    async def shapes(self, broker: int | None = None) -> dict[str, TopicShape]:
        """Return every topic, as one broker knows them: any, unless it is named."""
        answer = await self._client._send_request(MetadataRequest(None), broker)  # noqa: SLF001  what describe_topics does
        return {
            topic["topic"]: TopicShape(
                partitions=len(topic["partitions"]),
                replication=min((len(part["replicas"]) for part in topic["partitions"]), default=0),
                ready=bool(topic["partitions"]) and all(part["leader"] >= 0 for part in topic["partitions"]),
            )
            for topic in answer.to_object()["topics"]
            if not topic["error_code"]
        }

    async def create(
        self, topics: Mapping[str, Mapping[str, str]], partitions: int, replication: int
    ) -> frozenset[str]:
        """Create topics, given by name and settings, in one request; return when they can be used.

        Returns:
            Those created; the rest existed by then.

        Raises:
            ProvisioningRefused: the broker refused one, and why.
        """
        wanted = [NewTopic(name, partitions, replication, topic_configs=dict(of)) for name, of in topics.items()]
        answer = await self._client.create_topics(wanted) if wanted else None
        created = set()
        for name, code, message in answer.topic_errors if answer is not None else ():
            if not code:
                created.add(name)
            elif for_code(code) is not TopicAlreadyExistsError:
                raise ProvisioningRefused(
                    f"the broker does not create topic {name}: {message or for_code(code).__name__}"
                )
        await self._until(f"topics {', '.join(sorted(topics))} get leaders", lambda: self._ready(topics))
        return frozenset(created)

    async def settings(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Return the settings that stand on topics themselves.

        Raises:
            ProvisioningRefused: they cannot be read.
            BrokerUnreachable: a broker has not heard of a topic in a long time.
        """
        wanted, found = list(names), dict[str, dict[str, str]]()

        async def heard() -> bool:
            answer = await self._settings(wanted)
            found.update(answer or {})
            return answer is not None

        if wanted:
            await self._until(f"topics {', '.join(sorted(wanted))} are known", heard)
        return found

    async def _settings(self, names: Iterable[str], broker: int | None = None) -> dict[str, dict[str, str]] | None:
        """Return the settings as one broker knows them: any, unless it is named; None: it knows not all the topics."""
        wanted = [(ConfigResourceType.TOPIC, name, None) for name in names]
        answer = await self._client._send_request(DescribeConfigsRequest(wanted), broker)  # noqa: SLF001  what describe_configs does
        found: dict[str, dict[str, str]] = {}
        for code, message, _, name, entries in answer.resources:
            if for_code(code) is UnknownTopicOrPartitionError:
                return None
            if code:
                raise ProvisioningRefused(f"the settings of topic {name} cannot be read: {message}")
            # An entry: name, value, read-only, source, sensitive, synonyms (and type and text in newer versions).
            found[name] = {entry[0]: entry[1] for entry in entries if entry[3] == SET_ON_THE_TOPIC}
        return found

    async def of_brokers(self, setting: str) -> list[str]:
        """Return a setting's values, one for each broker that tells it: none does without the right to ask."""
        found = []
        for broker in (await self._client.describe_cluster())["brokers"]:
            wanted = [(ConfigResourceType.BROKER, str(broker["node_id"]), [setting])]
            answer = await self._client._send_request(DescribeConfigsRequest(wanted), broker["node_id"])  # noqa: SLF001  as above
            found += [entry[1] for code, _, _, _, entries in answer.resources if not code for entry in entries]
        return found

    async def set_settings(self, topics: Mapping[str, Mapping[str, str]]) -> None:
        """Replace the settings that stand on topics: a setting left out goes back to the broker's default.

        Raises:
            ProvisioningRefused: the broker refused one, and why.
            BrokerUnreachable: a broker has not heard of it in a long time.
        """
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, dict(of)) for name, of in topics.items()]
        for answer in await self._client.alter_configs(wanted) if wanted else ():
            for code, message, _, name in answer.resources:
                if code:
                    raise ProvisioningRefused(f"the settings of topic {name} cannot be changed: {message}")
        if topics:
            await self._until(f"settings of {', '.join(sorted(topics))} are seen", lambda: self._stand(topics))

    async def _ready(self, names: Iterable[str]) -> bool:
        """Whether every broker that answers knows the topics and their leaders."""

        async def known(broker: int) -> bool:
            shapes = await self.shapes(broker)
            return all(name in shapes and shapes[name].ready for name in names)

        return await self._everywhere(known)

    async def _gone(self, names: frozenset[str]) -> bool:
        """Whether no broker that answers lists any of the topics."""

        async def forgotten(broker: int) -> bool:
            return names.isdisjoint(await self.shapes(broker))

        return await self._everywhere(forgotten)

    async def _stand(self, topics: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether every broker that answers knows the topics' settings."""

        async def seen(broker: int) -> bool:
            found = await self._settings(topics, broker)
            return found is not None and all(
                found[name].get(setting) == value for name, of in topics.items() for setting, value in of.items()
            )

        return await self._everywhere(seen)

    async def _everywhere(self, holds: Callable[[int], Awaitable[bool]]) -> bool:
        """Whether something holds at every broker that answers: a client may ask any of them next."""
        for broker in (await self._client.describe_cluster())["brokers"]:
            try:
                async with asyncio.timeout(BROKER_TIMEOUT_S):
                    if not await holds(broker["node_id"]):
                        return False
            except (KafkaError, TimeoutError):
                continue  # it is down, and learns of it before it is up again
        return True

    async def _until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until brokers have heard from the controller what was just changed: it tells them after its answer."""
        until = time.monotonic() + HEARD_TIMEOUT_S
        while not await holds():
            if time.monotonic() > until:
                raise BrokerUnreachable(f"waited {HEARD_TIMEOUT_S:g} s in vain until {what}: is a broker down?")
            await asyncio.sleep(HEARD_POLL_S)

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the offsets that a consumer group has committed; those of a transaction once it is complete.

        Raises:
            ProvisioningRefused: they may not be read.
            BrokerUnreachable: the group's coordinator has not been able to tell for a long time.
        """
        found: dict[TopicPartition, int] = {}

        async def told() -> bool:
            answer = await self._offsets(group)
            found.update(answer or {})
            return answer is not None

        await self._until(f"the coordinator of group {group} tells its offsets", told)
        return found

    async def _offsets(self, group: str) -> dict[TopicPartition, int] | None:
        """Return a group's offsets; None while its coordinator loads them or moves, which aiokafka takes for none."""
        try:
            coordinator = await self._client.find_coordinator(group)
        except GroupCoordinatorNotAvailableError:
            return None if OFFSETS_TOPIC in await self.shapes() else {}  # no group has ever been on this broker
        answer = await self._client._send_request(OffsetFetchRequest(group, None), coordinator)  # noqa: SLF001  what list_consumer_group_offsets does
        error = for_code(answer.error_code)
        if answer.error_code and issubclass(error, MOVING):
            return None
        if answer.error_code:
            raise ProvisioningRefused(f"the offsets of group {group} cannot be read: {error.__name__}")
        return {
            TopicPartition(topic, number): offset
            for topic, parts in answer.topics
            for number, offset, _, _ in parts
            if offset >= 0
        }

    async def members(self, group: str) -> int:
        """Return how many members a consumer group has."""
        try:
            described = await self._client.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:  # as above
            return 0
        # A group: error, name, state, protocol type, protocol, members (and more in newer versions).
        return sum(len(found[5]) for answer in described for found in answer.groups)

    async def deserted(self, group: str) -> bool:
        """Return whether a consumer group certainly has no member; not while its coordinator cannot tell."""
        try:
            described = await self._client.describe_consumer_groups([group])
        except GroupCoordinatorNotAvailableError:
            return False
        return all(not found[0] and not found[5] for answer in described for found in answer.groups)

    async def delete(self, names: Iterable[str]) -> None:
        """Delete topics, in one request; return when no broker lists them.

        Raises:
            ProvisioningRefused: the broker refused one, and why; one that is not there is as wished.
        """
        wanted = frozenset(names)
        if not wanted:
            return
        answer = await self._client.delete_topics(sorted(wanted))
        for name, code in answer.topic_error_codes:
            if code and for_code(code) is not UnknownTopicOrPartitionError:
                raise ProvisioningRefused(f"the broker does not delete topic {name}: {for_code(code).__name__}")
        await self._until(f"topics {', '.join(sorted(wanted))} are gone", lambda: self._gone(wanted))


@asynccontextmanager
async def open_admin(connection: KafkaConnection) -> AsyncIterator[Admin]:
    """Connect, and close at the end of the block.

    Raises:
        BrokerUnreachable: no broker answered.
    """
    client = AIOKafkaAdminClient(**connection.options())
    try:
        try:
            await client.start()
        except (KafkaConnectionError, OSError) as error:
            raise await refused_by(connection, error) from error
        yield Admin(client)
    finally:
        await client.close()
