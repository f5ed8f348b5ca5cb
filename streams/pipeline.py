"""The worker of the product: its agents in their order, and who makes their calls.

    vtex.changes ─▶ customers, orders ─▶ vtex.customers, vtex.orders ─┐
    pixel.events ─▶ tracking ─▶ tracking.events ──────────────────────┼─▶ attribution ─▶ attributions ─▶ kpis
    pixel.identities, vtex.customers ─▶ profiles ┆▶ Hellotext, Infobip  └─▶ forward ┆▶ Hellotext
    message.requests ─▶ messages ┆▶ Hellotext, Infobip ─▶ message.reports ─▶ attribution, kpis
    privacy.requests ─▶ privacy ─▶ privacy.suppressions ─▶ suppressions: consulted by all that take anything in

Agents that read one topic see its batches in this order, inside one transaction.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import httpx

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from streams.attribution import AttributionAgent
from streams.calls import handlers
from streams.customers import CustomersAgent
from streams.engine.agent import Agent
from streams.engine.settings import EngineSettings
from streams.engine.worker import Worker
from streams.forward import ForwardAgent
from streams.kpis import KpisAgent
from streams.messages import MessagesAgent
from streams.orders import OrdersAgent
from streams.privacy import ErasureAgent
from streams.profiles import ProfilesAgent
from streams.stores import Stores
from streams.suppressions import SuppressionsAgent
from streams.tracking import TrackingAgent

CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0


def agents(stores: Stores) -> list[Agent]:
    """Return every agent, in the order in which they see a topic that several of them read."""
    return [
        SuppressionsAgent(), ErasureAgent(stores), CustomersAgent(stores), OrdersAgent(stores), TrackingAgent(stores),
        ProfilesAgent(stores), AttributionAgent(stores), KpisAgent(stores), ForwardAgent(stores), MessagesAgent(stores),
    ]  # fmt: skip


async def run_worker(
    connection: KafkaConnection, secrets: SecretBox, settings: EngineSettings, *, ready: Callable[[], None],
    stop: asyncio.Event,
) -> int:  # fmt: skip
    """Run a worker until `stop` is set; return its exit code (docs/failures.md).

    Args:
        connection: to the broker; its topics exist.
        secrets: opens the stores' sealed secrets.
        settings: of the engine.
        ready: called once its shards are assigned and restored.
        stop: ends it: what is being committed ends first.
    """
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    async with StoreDirectory(connection) as directory, httpx.AsyncClient(timeout=timeout) as http:
        stores = Stores(directory, secrets.unseal)
        worker = Worker(connection, agents(stores), handlers(stores, http), settings)
        return await worker.run(ready, stop)
