"""Looks how the workers get on, every few seconds, for as long as the console runs."""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from connectors.console.state import ReadModel
from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.progress import GROUP, Progress, open_progress
from schemas.topics import TOPICS

log = structlog.get_logger(__name__)

PAUSE_S: Final = 5.0
ANSWER_S: Final = 15.0


async def keep_watching(connection: KafkaConnection, model: ReadModel) -> None:
    """Look until cancelled; while the broker is away nothing is known of the workers."""
    while True:
        try:
            async with open_progress(connection, [topic.name for topic in TOPICS]) as progress:
                while True:
                    async with asyncio.timeout(ANSWER_S):
                        await look(connection, progress, model)
                    await asyncio.sleep(PAUSE_S)
        except (KafkaError, KafkaSetupError, OSError, TimeoutError) as error:
            model.workers.unseen()
            log.debug("the workers cannot be looked at: trying again", error=type(error).__name__)
        await asyncio.sleep(PAUSE_S)


async def look(connection: KafkaConnection, progress: Progress, model: ReadModel) -> None:
    """Look once, and have open pages told when another picture has come of it."""
    async with open_admin(connection) as admin:
        members = await admin.members(connection.topic(GROUP))
    committed, ends = await progress.committed(), await progress.ends()
    # What seems to stand still may be nothing but the end of a transaction, which takes an offset and is no record.
    still = model.workers.still(committed, ends)
    empty = [place for place in still if await progress.passed({place: ends[place]})]
    now = datetime.now(UTC)
    model.workers.observe(now, members, committed, ends, empty)
    model.workers_seen(now)
