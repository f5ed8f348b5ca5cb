"""The directory of connected stores: the compacted topic `stores`, read to its end and then followed.

async with StoreDirectory(connection) as directory:     # returns when all stores of now are known
    directory.get("acme"); directory.by_business("BID123"); directory.all()
    await directory.catch_up()                           # knows whatever was committed before this call
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import structlog
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import BrokerUnreachable
from connectors.kafka.reader import CommittedReader, Place, Record
from schemas.partition import store_of
from schemas.stores import StoreConnection
from schemas.topics import STORES

log = structlog.get_logger(__name__)

RETRY_S: Final = 1.0
CATCH_UP_S: Final = 30.0

Callback = Callable[[str, StoreConnection | None], None]
"""Told a store's name and its connection, None when it was disconnected; called in the event loop, must not block."""


class StoreDirectory:
    """Knows every connected store; an async context manager.

    A row that cannot be read is logged and leaves that store as it was: one bad row concerns only itself.

    Args:
        connection: to the broker.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._reader = CommittedReader(connection, [STORES.name])
        self._stores: dict[str, StoreConnection] = {}
        self._businesses: dict[str, str] = {}
        self._callbacks: list[Callback] = []
        self._positions: dict[Place, int] = {}
        self._moved = asyncio.Condition()
        self._exits = AsyncExitStack()
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._exits.enter_async_context(self._reader)
        try:
            async for batch in self._reader.until(await self._reader.ends()):
                self._apply(batch.records)
        except BaseException:
            await self._exits.aclose()
            raise
        self._positions = await self._reader.positions()
        self._following = asyncio.create_task(self._follow(), name="follow the stores")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)
        await self._exits.aclose()

    def get(self, store: str) -> StoreConnection | None:
        """Return a store by its name."""
        return self._stores.get(store)

    def by_business(self, business_id: str) -> StoreConnection | None:
        """Return the store of a Hellotext business; of several, the one connected last."""
        store = self._businesses.get(business_id)
        return None if store is None else self._stores.get(store)

    def all(self) -> tuple[StoreConnection, ...]:
        """Return every connected store, by name."""
        return tuple(self._stores[name] for name in sorted(self._stores))

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Have a callback told of each change from now on; the function returned ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    async def catch_up(self, seconds: float = CATCH_UP_S) -> None:
        """Return when everything is known that was committed before this call.

        Raises:
            BrokerUnreachable: that took longer than the seconds given.
        """
        try:
            async with asyncio.timeout(seconds):
                ends = await self._reader.ends()
                async with self._moved:
                    await self._moved.wait_for(lambda: _reached(self._positions, ends))
        except (TimeoutError, KafkaError) as error:
            raise BrokerUnreachable(
                f"the stores could not be read to their end within {seconds:g} s: {error or 'the broker is silent'}"
            ) from error

    async def _follow(self) -> None:
        while True:
            try:
                for batch in await self._reader.poll():
                    self._apply(batch.records)
                positions = await self._reader.positions()
            except KafkaError as error:
                log.warning("the stores cannot be read: trying again", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)
                continue
            if positions != self._positions:
                async with self._moved:
                    self._positions = positions
                    self._moved.notify_all()

    def _apply(self, records: list[Record]) -> None:
        for record in records:
            try:
                store = store_of(record.key or b"")
                row = None if record.value is None else StoreConnection.model_validate_json(record.value)
            except (ValidationError, UnicodeDecodeError):
                # The error's own text could quote a secret.
                log.warning(
                    "a row of the stores is ignored: unreadable", partition=record.partition, offset=record.offset
                )
                continue
            self._put(store, row)

    def _put(self, store: str, row: StoreConnection | None) -> None:
        old = self._stores.pop(store, None)
        if old is not None and self._businesses.get(old.hellotext.business_id) == store:
            del self._businesses[old.hellotext.business_id]
        if row is not None:
            self._stores[store] = row
            self._businesses[row.hellotext.business_id] = store
        if row == old:
            return
        for callback in list(self._callbacks):
            try:
                callback(store, row)
            except Exception:  # a subscriber's mistake must not end the directory for the others
                log.exception("a subscriber of the stores failed", store=store)


def _reached(positions: Mapping[Place, int], ends: Mapping[Place, int]) -> bool:
    return all(positions.get(place, 0) >= end for place, end in ends.items())
