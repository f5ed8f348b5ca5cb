"""Fills the read model from Kafka: what stands in the topics first, then what comes, for ever.

Fates are many and old ones are the audit's business: only each partition's last ones are read.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from connectors.console.state import ReadModel
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError
from connectors.kafka.reader import CommittedReader, Place
from schemas import topics

log = structlog.get_logger(__name__)

WHOLE: Final = tuple(
    topic.name
    for topic in (
        topics.STORES, topics.CAMPAIGNS, topics.KPI_CAMPAIGNS, topics.ATTRIBUTIONS, topics.PROFILES,
        topics.VTEX_CURSORS, topics.DEAD_LETTERS,
    )
)  # fmt: skip
FATES_BACK: Final = 2_000
"""Rows of `event.fates` read of each partition's past."""
RETRY_S: Final = 1.0
ASK_S: Final = 5.0
SILENT_S: Final = 15.0


@dataclass(slots=True)
class Progress:
    """How far the read model is behind the topics."""

    loaded: bool = False
    """Whether everything that was committed when the console started is known."""
    polled: float = 0.0
    """When the broker last answered (`time.monotonic`)."""
    problem: str | None = "reading what the topics hold"
    started: float = field(default_factory=time.monotonic)

    @property
    def waits_for(self) -> str | None:
        """Return what keeps the console from showing the present; None when nothing does."""
        if self.problem is not None:
            return self.problem
        silent = time.monotonic() - self.polled
        return f"Kafka has not answered for {silent:.0f} s" if silent > SILENT_S else None


async def keep_reading(connection: KafkaConnection, model: ReadModel, progress: Progress) -> None:
    """Read until cancelled; a broker that is away is waited for, and reading goes on where it was."""
    places: dict[Place, int] = {}
    while True:
        try:
            await _read(connection, model, progress, places)
        except (KafkaError, KafkaSetupError, OSError, TimeoutError) as error:
            progress.problem = f"Kafka cannot be read ({error or 'no answer'})"
            log.warning("the console cannot read Kafka: trying again", error=type(error).__name__)
        await asyncio.sleep(RETRY_S)


async def _read(connection: KafkaConnection, model: ReadModel, progress: Progress, places: dict[Place, int]) -> None:
    if not places:
        async with CommittedReader(connection, [topics.EVENT_FATES.name], at_end=True) as fates:
            places.update({place: max(0, end - FATES_BACK) for place, end in (await fates.ends()).items()})
    async with CommittedReader(connection, (*WHOLE, topics.EVENT_FATES.name), start=places) as reader:
        ends = await reader.ends()
        progress.polled = time.monotonic()
        while True:
            batches = await reader.poll()
            if batches:
                progress.polled = time.monotonic()
            elif time.monotonic() - progress.polled > ASK_S:
                # A poll is silent about a broker that is away; this question is not.
                async with asyncio.timeout(ASK_S):
                    await reader.ends()
                progress.polled = time.monotonic()
            for batch in batches:
                model.apply(batch.topic, batch.records)
                places[batch.topic, batch.partition] = batch.records[-1].offset + 1
                # A long history must not keep pages waiting.
                await asyncio.sleep(0)
            if not progress.loaded and await reader.reached(ends):
                progress.loaded = True
                log.info("the console knows what the topics hold", rows=model.rows, unreadable=model.unreadable)
            progress.problem = None if progress.loaded else "reading what the topics hold"
