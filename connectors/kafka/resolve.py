"""Which broker: the one given; else, when asked for, one in Docker; else the embedded one (DESIGN section 5)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from connectors.kafka.connection import PLAINTEXT, KafkaConnection, KafkaSecurity
from connectors.kafka.docker import docker_kafka
from connectors.kafka.embedded import DEFAULT_HEAP, EmbeddedKafka
from connectors.kafka.jars import Progress
from connectors.kafka.readiness import wait_until_ready

GIVEN_TIMEOUT_S: Final = 20.0
Kind = Literal["given", "docker", "embedded"]


@dataclass(frozen=True, slots=True)
class BrokerWish:
    """What the settings say about the broker.

    Args:
        bootstrap_servers: of a broker that runs; empty for none.
        docker: run one in Docker when none is given.
        topic_prefix: before every topic.
        security: of the broker that is given; the others are this machine's own and need none.
        data: the embedded broker's data folder; None for a temporary one.
        port: the embedded broker's; None for a free one.
        heap: the embedded broker's.
        cache: folder of the jars; the user's cache by default.
        java_home: a Java installation to prefer.
    """

    bootstrap_servers: str = ""
    docker: bool = False
    topic_prefix: str = ""
    security: KafkaSecurity = PLAINTEXT
    data: Path | None = None
    port: int | None = None
    heap: str = DEFAULT_HEAP
    cache: Path | None = None
    java_home: Path | None = None

    @property
    def kind(self) -> Kind:
        """Which of the three it is."""
        if self.bootstrap_servers:
            return "given"
        return "docker" if self.docker else "embedded"


@asynccontextmanager
async def resolve_broker(wish: BrokerWish, progress: Progress | None = None) -> AsyncIterator[KafkaConnection]:
    """Have a broker that answers, for the length of the block; the embedded one is started again when it dies.

    Args:
        wish: what the settings say.
        progress: told how far a first download of the embedded broker is; called from another thread.

    Raises:
        KafkaSetupError: one of errors.py, which says what to do.
    """
    if wish.kind == "given":
        connection = KafkaConnection(wish.bootstrap_servers, wish.topic_prefix, wish.security)
        await wait_until_ready(connection, seconds=GIVEN_TIMEOUT_S)
        yield connection
    elif wish.kind == "docker":
        async with docker_kafka() as connection:
            yield replace(connection, topic_prefix=wish.topic_prefix)
    else:
        async with EmbeddedKafka(
            wish.data, wish.port, wish.heap, cache=wish.cache, java_home=wish.java_home, progress=progress
        ) as kafka:
            minder = asyncio.create_task(kafka.mind(), name="mind the broker")
            try:
                yield kafka.connection(wish.topic_prefix)
            finally:
                minder.cancel()
                await asyncio.gather(minder, return_exceptions=True)
