"""Replay: the rules of today over everything that is kept, beside the running house and without touching it.

    pixel.events ─▶ tracking ─▶ PREFIX tracking.events ─┐
    vtex.orders, vtex.customers, message.*, campaigns ──┴─▶ attribution, kpis ─▶ PREFIX attributions, kpi.campaigns

Tracking, attribution and kpis read the live topics as a consumer group of their own, from the beginning, and write
everything else (outputs, tables, fates, dead letters, transactional ids) under another prefix. No agent that calls a
destination is among them. Who is on the suppression list is left out as in the worker: the list is read first.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.progress import GROUP, Progress, open_progress
from connectors.kafka.reader import Place, latest_by_key
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from schemas import topics
from schemas.topics import TOPICS, Topic
from streams.attribution import AttributionAgent
from streams.engine.agent import Agent
from streams.engine.outbox import OUTBOX
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from streams.kpis import KpisAgent
from streams.stores import Stores
from streams.suppressions import SuppressionsAgent
from streams.tracking import TrackingAgent

LIVE: Final = (
    topics.PIXEL_EVENTS, topics.VTEX_ORDERS, topics.VTEX_CUSTOMERS, topics.MESSAGE_REPORTS, topics.MESSAGE_REQUESTS,
    topics.CAMPAIGNS, topics.PRIVACY_SUPPRESSIONS,
)  # fmt: skip
"""What is read where it stands."""
OWN: Final = (
    topics.TRACKING_EVENTS, topics.ATTRIBUTIONS, topics.KPI_CAMPAIGNS, topics.EVENT_FATES, topics.DEAD_LETTERS,
    topics.EFFECTS_OUTCOMES,
)  # fmt: skip
"""What is written, under the other prefix."""
COUNTING: Final = (TrackingAgent, AttributionAgent, KpisAgent)
"""The agents whose rules are replayed: none of them has effects."""
LOOK_S: Final = 0.5
Tell = Callable[[int, int], None]
"""Told how many records are consumed, and of how many."""
_LIVE_NAMES: Final = frozenset(topic.name for topic in LIVE)


class PrefixTaken(Exception):  # noqa: N818  named by what is the matter
    """Something stands under the prefix already."""


@dataclass(frozen=True, slots=True)
class ReplayConnection(KafkaConnection):
    """The live topics to read, and another prefix for everything that is written.

    Args:
        into: that prefix.
        run: makes the consumer group this run's own, so that it begins at the beginning.
    """

    into: str = ""
    run: str = ""

    def topic(self, name: str) -> str:
        """Return a topic's name on the broker; groups and transactional ids are the replay's own."""
        if name in _LIVE_NAMES:
            return f"{self.topic_prefix}{name}"
        return f"{self.into}{name}-{self.run}" if name == GROUP else f"{self.into}{name}"


def connection_into(live: KafkaConnection, into: str) -> ReplayConnection:
    """Return the connection of a new replay."""
    return ReplayConnection(live.bootstrap_servers, live.topic_prefix, live.security, into, secrets.token_hex(4))


def agents(stores: Stores) -> list[Agent]:
    """Return the agents of a replay, in their order in the worker."""
    return [SuppressionsAgent(), *(agent(stores) for agent in COUNTING)]


def names(into: str) -> frozenset[str]:
    """Return every topic that a replay, or a command that looks at it, may have made under a prefix."""
    tables = {OUTBOX.name, *(table.name for agent in (SuppressionsAgent, *COUNTING) for table in agent.tables)}
    return frozenset(f"{into}{topic.name}" for topic in TOPICS) | {f"{into}streams.{one}-changelog" for one in tables}


async def topics_under(live: KafkaConnection, into: str) -> frozenset[str]:
    """Return the topics that stand under a replay's prefix."""
    async with open_admin(live) as admin:
        return names(into) & (await admin.shapes()).keys()


async def drop(live: KafkaConnection, into: str) -> int:
    """Delete what stands under a replay's prefix; return how many topics that were."""
    found = await topics_under(live, into)
    async with open_admin(live) as admin:
        await admin.delete(found)
    return len(found)


async def prepare(live: KafkaConnection, connection: ReplayConnection) -> None:
    """Make the topics of a replay, in the shape of the live ones.

    Raises:
        PrefixTaken: something stands under the prefix already.
    """
    async with open_admin(live) as admin:
        shapes = await admin.shapes()
        taken = names(connection.into) & shapes.keys()
        if taken:
            raise PrefixTaken(f"{len(taken)} topics stand under {connection.into!r} already, as {min(taken)}")
        like = shapes[live.topic(topics.KPI_CAMPAIGNS.name)]
        wanted = {connection.topic(topic.name): topic.config() for topic in OWN}
        await admin.create(wanted, like.partitions, like.replication)


@asynccontextmanager
async def replaying(
    connection: ReplayConnection, secrets_box: SecretBox, settings: EngineSettings, tell: Tell
) -> AsyncIterator[None]:
    """Replay; within the block all that stood at its beginning is counted, and what comes is followed.

    Args:
        connection: prepared.
        secrets_box: opens the stores' hash secrets.
        settings: of the engine.
        tell: told how many records are consumed, and of how many.
    """
    async with StoreDirectory(_live(connection)) as directory:
        stores = Stores(directory, secrets_box.unseal)
        if await latest_by_key(_live(connection), topics.PRIVACY_SUPPRESSIONS.name):
            await _read_list(connection, settings)
        async with _running(connection, agents(stores), settings):
            await _until_consumed(connection, LIVE, (topics.TRACKING_EVENTS, topics.ATTRIBUTIONS), tell)
            yield


async def _read_list(connection: ReplayConnection, settings: EngineSettings) -> None:
    """Fill the table of the forgotten before anything is counted.

    In a group of its own: Kafka would give a static member the partitions back that it had, without the other topics.
    """
    listing = replace(connection, run=f"{connection.run}-list")
    async with _running(listing, [SuppressionsAgent()], settings):
        await _until_consumed(listing, (topics.PRIVACY_SUPPRESSIONS,), (), lambda *_: None)


def _live(connection: ReplayConnection) -> KafkaConnection:
    return KafkaConnection(connection.bootstrap_servers, connection.topic_prefix, connection.security)


@asynccontextmanager
async def _running(connection: ReplayConnection, line: list[Agent], settings: EngineSettings) -> AsyncIterator[None]:
    """Run a worker for the length of the block; a signal that ends it ends the block as well."""
    ready, stop, leaving = asyncio.Event(), asyncio.Event(), False
    body = asyncio.current_task()
    task = asyncio.create_task(Worker(connection, line, {}, settings).run(on_ready=ready.set, stop=stop))
    task.add_done_callback(lambda _: None if leaving or body is None else body.cancel())
    try:
        await ready.wait()
        yield
    except asyncio.CancelledError:
        if task.done():  # the worker has heard of the signal first
            raise KeyboardInterrupt from None
        raise
    finally:
        leaving = True
        stop.set()
        await task


async def _until_consumed(
    connection: ReplayConnection, inputs: Collection[Topic], between: Collection[Topic], tell: Tell
) -> None:
    """Return once the inputs of now are consumed, and what agents made of them for each other."""
    made = {topic.name for topic in between}
    async with open_progress(connection, [topic.name for topic in (*inputs, *between)]) as progress:
        first = await progress.ends()
        while True:
            ends = _ends(first, await progress.ends(), made)
            tell(*await _measure(progress, ends))
            passed = await progress.passed(ends, all_read=True)
            if passed and _ends(first, await progress.ends(), made) == ends:
                return
            await asyncio.sleep(LOOK_S)


def _ends(first: dict[Place, int], now: dict[Place, int], made: Collection[str]) -> dict[Place, int]:
    return {place: end if place[0] in made else first[place] for place, end in now.items()}


async def _measure(progress: Progress, ends: dict[Place, int]) -> tuple[int, int]:
    committed = await progress.committed()
    return sum(min(committed.get(place, 0), end) for place, end in ends.items()), sum(ends.values())
