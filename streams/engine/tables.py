"""Faust's tables and table manager over the engine's parts: Faust assigns and recovers, the engine reads and writes."""

import asyncio
from collections.abc import Iterable
from typing import Any

from faust.tables import Table as FaustTable
from faust.tables.manager import TableManager

from streams.engine.engine import Engine
from streams.engine.recovery import ExactRecovery


class ShardedTable(FaustTable):
    """One table as Faust knows it: a changelog to assign and to recover."""

    def __init__(self, app: Any, engine: Engine, name: str, partitions: int) -> None:
        super().__init__(app, name=name, partitions=partitions, key_type=bytes, value_type=bytes)
        self.engine = engine

    def _changelog_topic_name(self) -> str:
        return self.engine.names.changelog(self.name)

    async def on_start(self) -> None:
        """Do nothing: Faust's store is not used, and the changelog was created before the worker started."""

    def persisted_offset(self, tp: Any) -> int | None:
        """Return the last changelog offset that the part holds."""
        position = self.engine.part(self.name, tp.partition).position
        return None if position is None else position - 1

    def restore(self, shard: int, records: Any, position: int) -> None:
        """Apply changelog records, up to a position."""
        part = self.engine.part(self.name, shard)
        if records or part.position is None or position > part.position:
            part.restore(records, position)

    async def on_rebalance(
        self, assigned: Iterable[Any], revoked: Iterable[Any], newly_assigned: Iterable[Any], generation_id: int = 0
    ) -> None:
        """Drop the parts that have moved away."""
        del revoked, newly_assigned, generation_id
        name = self.changelog_topic_name
        self.engine.parts.keep_only(self.name, [tp.partition for tp in assigned if tp.topic == name])

    async def on_recovery_completed(self, active_tps: Any, standby_tps: Any) -> None:
        """Do nothing: the parts are complete already."""

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Refuse: changelog records go to `restore`, in bulk."""
        if list(batch):
            raise RuntimeError(f"table {self.name}: changelog records took Faust's way past the engine")


class ShardedTableManager(TableManager):
    """Faust's table manager with a recovery that ends exactly at the end."""

    _exact: ExactRecovery | None = None

    @property
    def recovery(self) -> ExactRecovery:
        """The recovery service."""
        if self._exact is None:
            self._exact = self._recovery = ExactRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._exact

    async def on_start(self) -> None:
        """Start at once; Faust sleeps for a second here."""
        await asyncio.sleep(0)
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()
