"""Topics exist before a process starts: whoever comes first creates them, as they stand for whoever comes later."""

import asyncio

import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.provisioning import catalogue, provision
from connectors.kafka.readiness import wait_until_ready
from hellotext_vtex.settings import Settings

log = structlog.get_logger(__name__)
BROKER_PATIENCE_S = 20.0
RETRY_S = 2.0


async def ensure_topics(settings: Settings) -> KafkaConnection:
    """Return the connection to a broker that answers and has every topic of the catalogue.

    Where some exist already, their number of partitions holds for the missing ones, whatever PARTITIONS says.

    Raises:
        KafkaSetupError: no broker answers, or it refuses.
    """
    connection = settings.connection()
    await wait_until_ready(connection, seconds=BROKER_PATIENCE_S)
    async with open_admin(connection) as admin:
        shapes = await admin.shapes()
    wanted = [connection.topic(spec.name) for spec in catalogue()]
    standing = {shapes[name].partitions for name in wanted if name in shapes}
    if len([name for name in wanted if name in shapes]) < len(wanted):
        partitions = standing.pop() if len(standing) == 1 else settings.partitions
        await provision(connection, partitions, settings.replication)
    return connection


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
