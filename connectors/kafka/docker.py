"""A broker in Docker, for those who ask for it: the image apache/kafka through testcontainers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerDied, DockerUnavailable
from connectors.kafka.jars import pinned
from connectors.kafka.ports import free_ports
from connectors.kafka.properties import SETTINGS
from connectors.kafka.readiness import wait_until_ready

CLIENT_PORT: Final = 9092
CONTROLLER_PORT: Final = 9093
READY_TIMEOUT_S: Final = 120.0


def image() -> str:
    """Return the image: the version that the embedded broker has."""
    return f"apache/kafka:{pinned().version}"


def environment(host: str, port: int) -> dict[str, str]:
    """Return the container's settings, as the image takes them: `log.dirs` is KAFKA_LOG_DIRS.

    Args:
        host: under which clients reach the container.
        port: on that host; the broker names both to its clients.
    """
    settings: dict[str, object] = {
        "node.id": 1,
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://:{CLIENT_PORT},CONTROLLER://:{CONTROLLER_PORT}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        **SETTINGS,
    }
    return {f"KAFKA_{name.upper().replace('.', '_')}": str(value) for name, value in settings.items()}


@asynccontextmanager
async def docker_kafka() -> AsyncIterator[KafkaConnection]:
    """Run a broker in Docker until the block ends.

    Raises:
        DockerUnavailable: the package testcontainers is not installed, or no Docker engine answers.
        BrokerDied: the container ended; its last words.
        BrokerUnreachable: the container runs, but its broker does not answer.
    """
    (port,) = free_ports(1)
    container = await asyncio.to_thread(_start, port)
    connection = KafkaConnection(f"{container.get_container_host_ip()}:{port}")

    def alive() -> None:
        status = container.get_wrapped_container()
        status.reload()
        if status.status == "exited":
            raise BrokerDied(f"the broker's container ended. Its last words:\n{status.logs(tail=12).decode()}")

    try:
        await wait_until_ready(connection, seconds=READY_TIMEOUT_S, alive=alive)
        yield connection
    finally:
        await asyncio.to_thread(container.stop)


def _start(port: int) -> Any:
    try:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415  only those who ask for Docker need it
    except ImportError as error:
        raise DockerUnavailable(
            "a broker in Docker was asked for, but the Python package testcontainers is not installed: install "
            "testcontainers[kafka], or leave Docker out, and the embedded broker is used"
        ) from error
    try:
        container = DockerContainer(image()).with_bind_ports(CLIENT_PORT, port)
        for name, value in environment(container.get_container_host_ip(), port).items():
            container.with_env(name, value)
        return container.start()
    except Exception as error:  # docker, requests and testcontainers each have errors of their own for "no engine"
        raise DockerUnavailable(
            f"a broker in Docker was asked for, but Docker does not run {image()}: {error}. Start Docker, "
            "or leave it out, and the embedded broker is used, or set KAFKA_BOOTSTRAP_SERVERS"
        ) from error
