"""Which replays live, and what those have left that were killed.

Whoever replays is a member of a consumer group for as long as the replay lives: from before its first topic is made
until its last one is deleted. The broker ends the membership of a process that was killed, on whatever machine it was.
"""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaConsumer

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.reader import stop_consumer
from schemas.topics import STORES

SESSION_S: Final = 15
"""After so long without a sign of life a replay is taken for dead."""
_NEVER_MS: Final = 2**31 - 1


def temporary(live: KafkaConnection) -> str:
    """Return a prefix for a replay that keeps nothing: what stands under it when nobody replays may be deleted."""
    return f"{live.topic_prefix}replay-{time.time_ns() // 1_000_000_000}."


def is_temporary(live: KafkaConnection, into: str) -> bool:
    """Return whether a prefix is one that `temporary` makes, or begins with one."""
    return _temporary(live, into) is not None


def _temporary(live: KafkaConnection, topic: str) -> str | None:
    found = re.match(rf"{re.escape(live.topic_prefix)}replay-\d{{10}}\.", topic)
    return found and found.group()


@asynccontextmanager
async def alive(live: KafkaConnection, into: str) -> AsyncIterator[None]:
    """Let everybody know for the length of the block that somebody replays into a prefix."""
    consumer = AIOKafkaConsumer(
        live.topic(STORES.name), group_id=_group(into), enable_auto_commit=False, auto_offset_reset="latest",
        session_timeout_ms=SESSION_S * 1000, heartbeat_interval_ms=SESSION_S * 100, max_poll_interval_ms=_NEVER_MS,
        **live.options(),
    )  # fmt: skip
    try:
        await consumer.start()  # returns as a member
        consumer.pause(*consumer.assignment())  # nothing is read
        yield
    finally:
        await stop_consumer(consumer)


async def lives(live: KafkaConnection, into: str) -> bool:
    """Return whether somebody replays into a prefix, or may."""
    async with open_admin(live) as admin:
        return not await admin.deserted(_group(into))


async def left_behind(live: KafkaConnection) -> list[str]:
    """Return the temporary prefixes under which topics stand and nobody replays: who did was killed."""
    async with open_admin(live) as admin:
        standing = {found for name in await admin.shapes() if (found := _temporary(live, name))}
        return [into for into in sorted(standing) if await admin.deserted(_group(into))]


def _group(into: str) -> str:
    return f"{into}alive"
