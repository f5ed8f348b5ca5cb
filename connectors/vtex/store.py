"""One store, read by all its readers at once, each at its own pace; from opening to stopping.

readers: backfill of customers, then of addresses; following of both; the order feed; orders by lists; refunds; hints;
the scan. They share the account's gate and the store's journal, and nothing else: one that fails waits by itself.
"""

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import httpx
import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import KafkaSetupError, WrongKey
from connectors.kafka.secrets import SecretBox
from connectors.outbound import without_cookies
from connectors.seldom import Seldom
from connectors.vtex.backfill import Backfill, Handler
from connectors.vtex.budget import Urgency
from connectors.vtex.client import VtexClient
from connectors.vtex.cursors import Cursors
from connectors.vtex.customer import OWNER_FIELDS
from connectors.vtex.documents import gather
from connectors.vtex.errors import AccountUnknown, ContractChanged, EntityAbsent, FeedTaken, ResourceMissing
from connectors.vtex.feed import OrderFeed
from connectors.vtex.feedless import ListFollower
from connectors.vtex.follow import AddressFollower, Follower, OptInFollower
from connectors.vtex.gate import Gate
from connectors.vtex.hints import HintReader, Inbox
from connectors.vtex.hook import OrderHook
from connectors.vtex.journal import Build, Fenced, Journal, JournalBroken, in_turn
from connectors.vtex.masterdata import Row
from connectors.vtex.order_lists import OrderLists
from connectors.vtex.patience import AGAIN_S
from connectors.vtex.people import People, Reading
from connectors.vtex.purchases import Purchases
from connectors.vtex.scan import Scan
from connectors.vtex.settings import PollerSettings
from connectors.vtex.source import Source
from connectors.vtex.supervise import Look, supervise, tell_rests
from connectors.vtex.turns import Turns
from schemas.stores import StoreConnection
from schemas.vtex import ReadBy

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 30.0
"""Following waits so long for a backfill to end, which spares it the contents of all that is new."""
OPENING: Final = 8
"""Journals opened at once: two hundred together would take all of the process for seconds."""
REOPEN_S: Final = 2.0
LOOKS: Final = 0.01
CHECK_S: Final = 60.0
"""Longest sleep of a reader that runs by the clock: VTEX's may be corrected meanwhile."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all stores of a poller share."""

    connection: KafkaConnection
    secrets: SecretBox
    settings: PollerSettings
    partitions: int
    cursors: Cursors
    tls: ssl.SSLContext
    turns: Turns = field(default_factory=Turns)
    opening: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPENING))


class StorePoller:
    """Reads one store until it is cancelled.

    Args:
        store: its connection.
        gate: of its account.
        inbox: its hints.
        around: what all stores share.
    """

    def __init__(self, store: StoreConnection, gate: Gate, inbox: Inbox, around: Surroundings) -> None:
        self.store = store
        self._gate = gate
        self._inbox = inbox
        self._around = around
        self._reopening = Seldom()

    async def run(self) -> None:
        """Open the store and read it; where the broker failed, open it again. Ends when another poller has it."""
        while True:
            try:
                await self._open()
            except Fenced:
                log.warning("another poller reads the store now", store=self.store.store)
                return
            except WrongKey as error:
                log.error("a store cannot be read", store=self.store.store, reason=str(error))  # noqa: TRY400  no traceback
                return
            except (JournalBroken, KafkaError, KafkaSetupError) as error:
                if self._reopening.due():
                    log.warning("a store is opened anew", store=self.store.store, reason=str(error))
                await asyncio.sleep(REOPEN_S)

    async def _open(self) -> None:
        around, settings = self._around, self._around.settings
        token = around.secrets.unseal(self.store.vtex.app_token)
        async with AsyncExitStack() as exits:
            async with around.opening:
                journal = await exits.enter_async_context(
                    Journal(around.connection, self.store.store, around.partitions, settings.transaction)
                )
            positions = await around.cursors.of(self.store.store)
            client = await exits.enter_async_context(
                VtexClient(
                    self.store.vtex, token, self._gate, settings.calls, _http(settings, around.tls), turns=around.turns
                )
            )
            self._reopening.over()
            log.info("a store is read", store=self.store.store, account=self.store.vtex.account)
            source = Source(self.store, settings, client, journal, positions, around.turns)
            await self._read(source)

    async def _read(self, source: Source) -> None:
        readers = Readers(source, self._inbox, self._around)
        source.status.keep(readers.looks())
        readings = {name: supervise(source, name, look) for name, look in readers.looks().items()}
        readings["rests"] = tell_rests(source)
        tasks = [asyncio.create_task(reading, name=f"{source.name} {name}") for name, reading in readings.items()]
        try:
            await gather(*tasks)
        except JournalBroken:
            ends = [task.exception() for task in tasks if not task.cancelled()]
            for fenced in (end for end in ends if isinstance(end, Fenced)):
                raise fenced from None
            raise


class Readers:
    """The readers of one store, and when each is to look again."""

    def __init__(self, source: Source, inbox: Inbox, around: Surroundings) -> None:
        people = People(source)
        purchases = Purchases(source, people)
        self._source = source
        self._settings = around.settings
        self._lists = OrderLists(source, purchases)
        self._feed = OrderFeed(source, purchases, self._lists)
        self._listed = ListFollower(source, self._lists)
        self._follow = Follower(source, people)
        self._follow_addresses = AddressFollower(source, people)
        self._hints = HintReader(source, people, purchases, inbox)
        self._scan = Scan(source, people, around.connection, around.partitions)
        self._customers = Backfill(source, "CL", people.fields, _scrolled(source, people), "customers.backfill")
        self._addresses = Backfill(source, "AD", OWNER_FIELDS, _owners(source, people), "addresses.backfill")
        self._hook = _hook(source, around)
        entity = source.store.vtex.opt_in_entity
        self._follow_opt_ins = None if entity is None else OptInFollower(source, people, entity)
        self._opt_ins = None if entity is None else Backfill(
            source, entity, people.opt_ins.fields, _opted(source, people), "optins.backfill"
        )  # fmt: skip
        self._read_once = asyncio.Event()
        self._configured = asyncio.Event()

    def looks(self) -> dict[str, Look]:
        """Return each reader by its name."""
        looks: dict[str, Look] = {
            "customers.backfill": self._backfill, "customers": self._customers_once, "addresses": self._addresses_once,
            "orders": self._orders, "orders.backfill": self._orders_backfill, "orders.refunds": self._refunds,
            "hints": self._hint, "customers.scan": self._scanned,
        }  # fmt: skip
        if self._follow_opt_ins is not None:
            looks["optins"] = self._opt_ins_once
        if self._hook is not None:
            looks["orders.hook"] = self._hook.look
        return looks

    async def _backfill(self) -> float | None:
        await self._customers.run()
        self._read_once.set()
        absent = False
        for others in (self._addresses, self._opt_ins):
            try:
                if others is not None:
                    await others.run()
            except EntityAbsent:
                absent = True  # who follows it says so, once
        return AGAIN_S if absent else None

    async def _customers_once(self) -> float:
        await self._soon()
        await self._follow.look()
        return self._pace(self._settings.interval)

    async def _addresses_once(self) -> float:
        await self._soon()
        await self._follow_addresses.look()
        return self._pace(self._settings.interval)

    async def _opt_ins_once(self) -> float:
        await self._soon()
        if self._follow_opt_ins is not None:
            await self._follow_opt_ins.look()
        return self._pace(self._settings.interval)

    async def _soon(self) -> None:
        """Fix where following begins, before the backfill reads anything; then let it end, if it is a short one."""
        if not self._read_once.is_set():
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._read_once.wait()
            except TimeoutError:
                self._read_once.set()

    async def _orders(self) -> float:
        try:
            await self._feed.look()
        except (ResourceMissing, FeedTaken, AccountUnknown, ContractChanged):
            # Without a feed lists are all there is: later, and blind to what changes no list shows, but not nothing.
            self._configured.set()
            await self._feed.ask_again()
            await self._listed.look()
            raise
        self._configured.set()
        return self._pace(self._settings.orders.interval)

    def _pace(self, interval: float) -> float:
        """Looks that find nothing are calls, too: each of the three lookers has a hundredth of a tight budget."""
        return max(interval, 1 / (LOOKS * self._source.client.gate.budget.rate))

    async def _orders_backfill(self) -> float | None:
        await self._configured.wait()  # what happens after a list was read is in the feed by then
        await self._lists.backfill()
        return None

    async def _refunds(self) -> float:
        if (wait := await self._lists.refunds_due_in()) > 0:
            return min(wait, CHECK_S)
        await self._lists.refunds()
        return self._settings.orders.refunds_every

    async def _hint(self) -> float:
        await self._hints.look()
        return 0.0

    async def _scanned(self) -> float:
        if not self._customers.finished:
            return 1.0
        if (wait := self._scan.due_in()) > 0:
            return min(wait, CHECK_S)
        await self._scan.run()
        return self._settings.customers.scan_every


def _hook(source: Source, around: Surroundings) -> OrderHook | None:
    url = around.settings.collector_url
    return None if url is None else OrderHook(source, url, around.secrets.unseal(source.store.hook_secret))


def _scrolled(source: Source, people: People) -> Handler:
    def staged(rows: Sequence[Row]) -> Build:
        return people.stage(people.scrolled(rows), "scroll")

    async def handle(rows: list[Row]) -> Build:
        return in_turn(*await source.turns.each(rows, staged))

    return handle


def _owners(source: Source, people: People) -> Handler:
    async def handle(rows: list[Row]) -> Build:
        return await _indexed(source, people, people.owners(rows), "address")

    return handle


def _opted(source: Source, people: People) -> Handler:
    async def handle(rows: list[Row]) -> Build:
        return await _indexed(source, people, await people.opt_ins.customers(rows, Urgency.BACKFILL), "search")

    return handle


async def _indexed(source: Source, people: People, ids: list[str], read_by: ReadBy) -> Build:
    """Return the events of customers whom other documents have named: one that nobody has is not deleted by that."""
    readings = await people.indexed(ids, Urgency.BACKFILL)
    there = [reading for reading in readings if reading.document is not None]

    def staged(part: Sequence[Reading]) -> Build:
        return people.stage(part, read_by)

    return in_turn(*await source.turns.each(there, staged))


def _http(settings: PollerSettings, tls: ssl.SSLContext) -> httpx.AsyncClient:
    calls = settings.calls
    return without_cookies(httpx.AsyncClient(
        verify=tls, timeout=httpx.Timeout(calls.timeout, connect=min(5.0, calls.timeout), pool=None),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=calls.concurrency),
        headers={"User-Agent": "hellotext-vtex"},
    ))  # fmt: skip
