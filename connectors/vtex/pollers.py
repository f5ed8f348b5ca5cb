"""The stores that this process reads: those of its partitions that are connected and not paused, one task for each."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import structlog

from connectors.kafka.stores import StoreDirectory
from connectors.vtex.errors import place_of
from connectors.vtex.gate import Gates
from connectors.vtex.hints import Inbox
from connectors.vtex.store import StorePoller, Surroundings
from schemas.partition import shard_of
from schemas.stores import StoreConnection, VtexAccess

log = structlog.get_logger(__name__)

REVIVE_S: Final = 15.0
"""A store whose task has ended although it is ours is started again after so long."""


@dataclass(slots=True)
class _Running:
    store: StoreConnection
    task: asyncio.Task[None]


class Pollers:
    """Starts and stops stores; an async context manager.

    Args:
        directory: of connected stores.
        around: what all stores share.
    """

    def __init__(self, directory: StoreDirectory, around: Surroundings) -> None:
        self._directory = directory
        self._around = around
        self._gates = Gates(around.settings.calls)
        self._owned: frozenset[int] = frozenset()
        self._running: dict[str, _Running] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._unsubscribe = self._directory.subscribe(lambda *_: self._changed.set())
        self._keeper = asyncio.create_task(self._keep(), name="keep the stores")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unsubscribe()
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self.give_up()

    def own(self, partitions: Iterable[int]) -> None:
        """Read the stores of these partitions from now on."""
        self._owned = frozenset(partitions)
        self._changed.set()

    def owns(self, partition: int) -> bool:
        """Return whether a partition's stores are ours to read."""
        return partition in self._owned

    async def give_up(self) -> None:
        """Stop reading; returns when nothing is called or written any more."""
        self._owned = frozenset()
        async with self._turn:
            await self._stop(list(self._running))
            self._inboxes.clear()  # their hints were not committed: the next owner reads them

    def inbox(self, store: str) -> Inbox | None:
        """Return where a store's hints go; None when we do not read it."""
        row = self._directory.get(store)
        if row is None or not self._wants(row):
            return None
        return self._inboxes.setdefault(store, Inbox())

    async def _keep(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REVIVE_S):
                    await self._changed.wait()
            self._changed.clear()
            async with self._turn:
                await self._reconcile()

    async def _reconcile(self) -> None:
        wanted = self._wanted()
        await self._stop([
            name for name, running in self._running.items()
            if name not in wanted or _read(wanted[name]) != _read(running.store) or running.task.done()
        ])  # fmt: skip
        for name, store in self._wanted().items():
            if name not in self._running:
                self._start(store)
        self._gates.share(self._directory.all())
        # Of what is being given away nothing is released: its next owner reads it.
        for name in [name for name in self._inboxes.keys() - self._wanted().keys() if self._ours(name)]:
            self._inboxes.pop(name).close()

    def _ours(self, store: str) -> bool:
        return self.owns(shard_of(store, self._around.partitions))

    def _wants(self, store: StoreConnection) -> bool:
        return not store.paused and self._ours(store.store)

    def _wanted(self) -> dict[str, StoreConnection]:
        return {store.store: store for store in self._directory.all() if self._wants(store)}

    def _start(self, store: StoreConnection) -> None:
        inbox = self._inboxes.setdefault(store.store, Inbox())
        gate = self._gates.enter(store)
        poller = StorePoller(store, gate, inbox, self._around)
        task = asyncio.create_task(poller.run(), name=store.store)
        task.add_done_callback(_tell)
        self._running[store.store] = _Running(store, task)

    async def _stop(self, names: list[str]) -> None:
        for name in names:
            self._running[name].task.cancel()
        await asyncio.gather(*(self._running[name].task for name in names), return_exceptions=True)
        for name in names:
            self._gates.leave(self._running.pop(name).store)


def _tell(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        log.error(
            "a store's poller failed", store=task.get_name(), error=type(failure).__name__, place=place_of(failure)
        )


def _read(store: StoreConnection) -> tuple[VtexAccess, str, str]:
    """What of a connection the poller reads and is told by: another price list is no reason to begin anew."""
    return store.vtex, store.currency, store.hook_secret
