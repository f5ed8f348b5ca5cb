"""The parts of all tables that a worker holds: those of its own shards, and those that it keeps as standby."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog

from streams.engine.disk import Disks
from streams.engine.parts import Part, memory_part
from streams.engine.table import Table

log = structlog.get_logger(__name__)


class Parts:
    """Parts by table and shard, made when first needed.

    Args:
        tables: by name.
        folder: where disk tables live; None when there is none.
    """

    def __init__(self, tables: Mapping[str, Table], folder: Path | None) -> None:
        on_disk = sorted(name for name, table in tables.items() if table.disk)
        if on_disk and folder is None:
            raise ValueError(f"tables {on_disk} are kept on disk, but the worker has no state folder")
        self._tables = tables
        self._disks = Disks(folder) if folder is not None else None
        self._parts: dict[tuple[str, int], Part] = {}

    def of(self, table: str, shard: int) -> Part:
        """Return one part."""
        part = self._parts.get((table, shard))
        if part is None:
            part = self._parts[table, shard] = self._new(self._tables[table], shard)
        return part

    def _new(self, table: Table, shard: int) -> Part:
        if table.disk and self._disks is not None:
            return self._disks.part(table, shard)
        return memory_part(table)

    def of_shard(self, shard: int) -> dict[str, Part]:
        """Return a shard's part of every table."""
        return {name: self.of(name, shard) for name in self._tables}

    def keep_only(self, table: str, shards: Iterable[int]) -> None:
        """Let go of a table's other parts: their shards have moved to another worker."""
        kept = set(shards)
        gone = [key for key in self._parts if key[0] == table and key[1] not in kept]
        for key in gone:
            self._parts.pop(key).close()
        held = {shard for _, shard in self._parts}
        for _, shard in gone:
            if self._disks is not None and shard not in held:
                self._disks.release(shard)

    def sweep(self) -> None:
        """Delete what is left on disk of shards that moved away long ago."""
        if self._disks is not None and (stale := self._disks.sweep()):
            log.info("tables on disk of shards that moved away are deleted", shards=sorted(stale))

    def close(self) -> None:
        """Let go of everything."""
        for part in self._parts.values():
            part.close()
        self._parts.clear()
        if self._disks is not None:
            self._disks.close()

    def rows(self) -> dict[str, int]:
        """Return how many rows each table has in this worker."""
        total: dict[str, int] = dict.fromkeys(self._tables, 0)
        for (name, _), part in self._parts.items():
            total[name] += part.count()
        return total
