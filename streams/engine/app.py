"""The Faust app: Faust's worker, assignor, recovery and web; the engine's batches, tables and transactions."""

import asyncio
from collections.abc import Mapping
from typing import Any

import faust
from faust.types import TP

from streams.engine.assignor import ShardedAssignor
from streams.engine.consumer import BatchTransport
from streams.engine.engine import Engine
from streams.engine.tables import ShardedTable, ShardedTableManager


class ShardedApp(faust.App):
    """A Faust app whose agents take whole batches.

    Args:
        engine: of this worker.
        kafka_options: bootstrap servers and security, for any aiokafka client.
        partitions: of every topic.
    """

    def __init__(self, engine: Engine, kafka_options: Mapping[str, Any], partitions: int) -> None:
        self.engine = engine
        self.kafka_options = dict(kafka_options)
        settings = engine.settings
        port = settings.web_port
        super().__init__(
            engine.names.group,
            broker="kafka://" + ";kafka://".join(_servers(kafka_options)),
            # Faust tells workers apart by this address; nothing is ever fetched from it.
            canonical_url=f"http://{settings.instance}.invalid",
            store="memory://",
            TableManager=ShardedTableManager,
            PartitionAssignor=ShardedAssignor,
            broker_session_timeout=settings.session_timeout_ms / 1000,
            broker_heartbeat_interval=settings.heartbeat_ms / 1000,
            broker_rebalance_timeout=settings.rebalance_timeout_ms / 1000,
            broker_commit_interval=3600.0,
            consumer_group_instance_id=settings.instance,
            stream_recovery_delay=0.0,
            table_standby_replicas=settings.standby_replicas,
            topic_partitions=partitions,
            topic_disable_leader=True,
            topic_allow_declare=False,
            web_enabled=port is not None,
            web_bind=settings.web_host,
            web_port=port or 6066,
            web_tables_enabled=False,
            worker_redirect_stdouts=False,
        )
        for name in sorted(engine.line.tables):
            self.tables.add(ShardedTable(self, engine, name, partitions))
        for name in sorted(engine.source_topics):
            self._read(name, partitions)
        engine.on_freed = self._freed

    async def on_first_start(self) -> None:
        """Do nothing: Faust would create a data folder where the worker was started."""

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    def _read(self, name: str, partitions: int) -> None:
        """Register the Faust agent that takes the batches of one topic to their shards."""
        raw = {"key_type": None, "value_type": None, "key_serializer": "raw", "value_serializer": "raw"}
        channel = self.topic(name, partitions=partitions, acks=False, **raw)

        async def reader(stream: Any) -> None:
            async for batch in stream:
                self.consumer.arrived(batch)

        reader.__name__ = f"read_{name}"
        self.agent(channel, name=f"read.{name}")(reader)

    def _freed(self) -> None:
        self.consumer.freed()

    async def _on_partitions_revoked(self, revoked: set[TP]) -> None:
        self.consumer.stop_flow()
        await self.engine.revoke()
        await super()._on_partitions_revoked(revoked)

    async def _on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        if not self.should_stop:
            self.consumer.forget_positions()
            await self.engine.assign((tp.topic, tp.partition) for tp in assigned)
        await super()._on_partitions_assigned(assigned, generation_id)

    async def on_stop(self) -> None:
        """Finish what is being committed, then stop as Faust does."""
        if self._consumer is not None:
            self.consumer.stop_flow()
        await self.engine.revoke()
        await super().on_stop()
        await asyncio.to_thread(self.engine.parts.close)


def _servers(options: Mapping[str, Any]) -> list[str]:
    servers = options["bootstrap_servers"]
    return servers.split(",") if isinstance(servers, str) else list(servers)
