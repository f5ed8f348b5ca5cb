"""The broker's settings, as the `server.properties` text of one combined broker and controller node."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.kafka.errors import DataFolderUnusable

HOST: Final = "127.0.0.1"
"""Where embedded brokers listen: for this machine only."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a node listens: for clients, and for the other controllers."""

    client: int
    controller: int


def server_properties(
    node: int, ports: dict[int, Ports], data: Path, further: Mapping[str, object] | None = None
) -> str:
    """Return the settings of a node.

    Args:
        node: its id.
        ports: of every node of the cluster, by id.
        data: its log folder.
        further: settings that stand above ours.

    Raises:
        DataFolderUnusable: the folder's name holds a comma, which Kafka takes for a list.
    """
    if "," in str(data):
        raise DataFolderUnusable(f"Kafka takes no comma in a data folder's name: {data}. Choose another folder.")
    size = len(ports)
    quorum = size // 2 + 1 if size > 1 else 1
    own = ports[node]
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": ",".join(f"{id_}@{HOST}:{one.controller}" for id_, one in ports.items()),
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{HOST}:{own.client},CONTROLLER://{HOST}:{own.controller}",
        "log.dirs": data,
        "default.replication.factor": size,
        "min.insync.replicas": quorum,
        "offsets.topic.replication.factor": size,
        "transaction.state.log.replication.factor": size,
        "transaction.state.log.min.isr": quorum,
        "share.coordinator.state.topic.replication.factor": size,
        "share.coordinator.state.topic.min.isr": quorum,
        **SETTINGS,
        **(CLUSTER_SETTINGS if size > 1 else {}),
        **(further or {}),
    }
    return "".join(f"{name}={_escape(str(value))}\n" for name, value in settings.items())


SETTINGS: Final[dict[str, object]] = {
    # Topics are made by provisioning, with the catalogue's settings; a name with a slip makes none.
    "auto.create.topics.enable": "false",
    # One machine, few clients: small internal topics, and no waiting for members that will not come.
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # Of workers that are away for a week Kafka would forget how far they were; topics are kept for two years and more.
    "offsets.retention.minutes": 3 * 366 * 24 * 60,
    # Compaction and retention run soon, so that what is forgotten is gone within seconds here. The cleaner's buffer
    # lies in the heap (128 MB by default); 8 MB hold the offsets of 300,000 keys a pass.
    "log.initial.task.delay.ms": 1000,
    "log.cleaner.backoff.ms": 500,
    "log.cleaner.dedupe.buffer.size": 8 << 20,
    "log.retention.check.interval.ms": 5000,
    "log.segment.delete.delay.ms": 1000,
    # Each segment maps its indexes at this size before it fills them.
    "log.index.size.max.bytes": 1 << 20,
}
"""Of every broker that we start, embedded or in Docker."""

CLUSTER_SETTINGS: Final[dict[str, object]] = {
    # A killed node is noticed within 3 s instead of 9.
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 500,
    "replica.lag.time.max.ms": 5000,
    # A frozen one keeps its connections open: by default the others would wait 30 s for its answers.
    "controller.socket.timeout.ms": 2000,
    "replica.socket.timeout.ms": 2000,
}
"""Of several embedded brokers, besides: tests kill and freeze them."""


def _escape(value: str) -> str:
    """Write a value as java.util.Properties reads it: Latin-1, backslash escapes."""
    return "".join(
        "\\\\" if char == "\\" else char if char.isascii() else "".join(f"\\u{unit:04x}" for unit in _utf16(char))
        for char in value
    )


def _utf16(char: str) -> list[int]:
    raw = char.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]
