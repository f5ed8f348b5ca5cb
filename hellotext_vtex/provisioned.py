"""Topics exist before a process starts: whoever comes first creates them, as they stand for whoever comes later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.ports import is_free
from connectors.kafka.provisioning import catalogue, provision
from connectors.kafka.readiness import wait_until_ready
from hellotext_vtex.settings import Settings, SettingsError

log = structlog.get_logger(__name__)
BROKER_PATIENCE_S = 20.0
RETRY_S = 2.0
FIRST_WORD_S = 2.0


async def ensure_topics(settings: Settings) -> KafkaConnection:
    """Return the connection to a broker that answers and has every topic of the catalogue.

    Where some exist already, their number of partitions holds for the missing ones, whatever PARTITIONS says.

    Raises:
        KafkaSetupError: no broker answers, or it refuses.
    """
    connection = settings.connection()
    async with _told_while_silent(connection):
        await wait_until_ready(connection, seconds=BROKER_PATIENCE_S)
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
    wanted = [connection.topic(spec.name) for spec in catalogue()]
    standing = {shapes[name].partitions for name in wanted if name in shapes}
    if len([name for name in wanted if name in shapes]) < len(wanted):
        partitions = standing.pop() if len(standing) == 1 else settings.partitions
        await provision(connection, partitions, settings.replication)
    return connection


def require_web_port(host: str, port: int | None) -> None:
    """Refuse a port of a worker's pages where it cannot listen: the worker would wait for it, and never say so.

    Raises:
        SettingsError: somebody listens there, or the address is not this machine's.
    """
    if port is not None and not is_free(port, host):
        raise SettingsError(
            f"WORKER_WEB_PORT: {host}:{port} is in use, or not this machine's (WORKER_WEB_HOST): "
            "give each worker a port of its own"
        )


@asynccontextmanager
async def _told_while_silent(connection: KafkaConnection) -> AsyncIterator[None]:
    """Say that the broker is waited for, while it is."""

    async def tell() -> None:
        pause, waited = FIRST_WORD_S, 0.0
        while True:
            await asyncio.sleep(pause)
            waited += pause
            log.warning("waiting for the broker", broker=connection.bootstrap_servers, seconds=round(waited),
                        gives_up_after=round(BROKER_PATIENCE_S))  # fmt: skip
            pause *= 2

    telling = asyncio.create_task(tell(), name="tell that the broker is silent")
    try:
        yield
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def keep_trying(settings: Settings) -> None:
    """Make the topics stand as soon as there is a broker: for the collector, which does not wait for one."""
    while True:
        try:
            await ensure_topics(settings)
        except (KafkaSetupError, KafkaError, OSError) as error:
            log.warning("topics cannot be created yet, trying again", error=str(error))
            await asyncio.sleep(RETRY_S)
        else:
            return
