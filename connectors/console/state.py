"""What the console knows: an in-memory read model over committed rows, of bounded size, without any secret.

    model = ReadModel(settings)
    model.apply(topic, records)                 # by reading.py, for every batch
    with model.watch("acme") as changed:        # by live.py, for every open page
        await changed.wait()

Rows that cannot be read are counted and skipped: one bad row concerns only itself.
"""

import asyncio
import contextlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import ValidationError

from connectors.console.book import OrderBook
from connectors.console.settings import ConsoleSettings
from connectors.console.tally import Tally
from connectors.console.workers import Workers
from connectors.vtex.problems import STATUS, Problem, problems_of, rests_until
from connectors.vtex.progress import ReadingProgress, progress_of
from schemas import topics
from schemas.fates import FateSummary
from schemas.kpis import CampaignKpis
from schemas.messages import Campaign
from schemas.partition import store_of
from schemas.stores import StoreConnection
from schemas.vtex import Cursor

RECENT_FATES: Final = 100
ALL: Final = "*"
"""Watchers of everything."""

CellKey = tuple[str, str, str]
"""Basis, date and currency."""


@dataclass(frozen=True, slots=True)
class StoreView:
    """A store as people may see it: nothing sealed in it."""

    store: str
    account: str
    vtex_url: str
    business_id: str
    hellotext_url: str
    infobip_url: str | None
    country: str
    timezone: str
    currency: str
    origins: tuple[str, ...]
    privacy: str
    prices: int
    click_window_hours: int
    delivery_window_hours: int
    paused: bool
    connected_at: datetime
    connection: StoreConnection
    """The row itself, every sealed value left out."""

    @property
    def vtex_host(self) -> str:
        """Return where VTEX is read, as people know it."""
        return urlsplit(self.vtex_url).netloc or f"{self.account}.myvtex.com"

    @classmethod
    def of(cls, row: StoreConnection) -> "StoreView":
        """Return the visible part of a connection."""
        return cls(
            row.store, row.vtex.account, row.vtex.url, row.hellotext.business_id, row.hellotext.url,
            row.infobip.url if row.infobip else None, row.country, row.timezone, row.currency, row.origins,
            row.privacy, len(row.prices), row.click_window_hours, row.delivery_window_hours, row.paused,
            row.connected_at, _without_secrets(row),
        )  # fmt: skip


def _without_secrets(row: StoreConnection) -> StoreConnection:
    infobip = row.infobip.model_copy(update={"api_key": ""}) if row.infobip else None
    return row.model_copy(
        update={
            "vtex": row.vtex.model_copy(update={"app_token": "", "app_key": ""}),
            "hellotext": row.hellotext.model_copy(update={"token": ""}),
            "infobip": infobip,
            **dict.fromkeys(("hash_secret", "hook_secret", "server_token"), ""),
            **dict.fromkeys(("hook_secret_before", "server_token_before"), None),
        }
    )


@dataclass(frozen=True, slots=True)
class LetterView:
    """A dead letter without its contents."""

    store: str
    letter: str
    step: str
    reason: str
    source: str
    at: str


class ReadModel:
    """Everything that pages show; changed in the event loop only.

    Args:
        settings: how much is kept.
    """

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self.stores: dict[str, StoreView] = {}
        self.campaigns: defaultdict[str, dict[str, Campaign]] = defaultdict(dict)
        self.cells: defaultdict[str, dict[str, dict[CellKey, CampaignKpis]]] = defaultdict(dict)
        self.orders = OrderBook(settings.orders)
        self.customers = Tally(settings.customers)
        self.cursors: defaultdict[str, dict[str, Cursor]] = defaultdict(dict)
        self.fates: defaultdict[str, deque[FateSummary]] = defaultdict(lambda: deque(maxlen=RECENT_FATES))
        self.fate_counts: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.last_fates: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        """When a record of a topic was last accounted for, by store."""
        self.workers = Workers()
        self._workers_told: dict[str, str | None] = {}
        self.letters: OrderedDict[bytes, LetterView] = OrderedDict()
        self.letters_left_out = False
        self.cells_left_out = False
        self.unreadable = 0
        self.rows = 0
        self._versions: Counter[str] = Counter()
        self._cell_count = 0
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._takers: dict[str, Callable[[bytes, bytes | None], str]] = {
            topics.STORES.name: self._store,
            topics.CAMPAIGNS.name: self._campaign,
            topics.KPI_CAMPAIGNS.name: self._cell,
            topics.ATTRIBUTIONS.name: self.orders.apply,
            topics.PROFILES.name: self.customers.apply,
            topics.VTEX_CURSORS.name: self._cursor,
            topics.EVENT_FATES.name: self._fate,
            topics.DEAD_LETTERS.name: self._letter,
        }

    def apply(self, topic: str, records: Iterable[Any]) -> None:
        """Take in committed records of one topic, in order, and wake who watches their stores."""
        take, touched = self._takers[topic], set()
        for record in records:
            self.rows += 1
            try:
                touched.add(take(record.key or b"", record.value))
            except (ValidationError, ValueError, KeyError, TypeError, AttributeError):
                self.unreadable += 1
        for store in touched:
            self._wake(store)

    @contextlib.contextmanager
    def watch(self, store: str = ALL) -> Iterator[asyncio.Event]:
        """Have an event set whenever something of a store changes."""
        event = asyncio.Event()
        self._watchers[store].add(event)
        try:
            yield event
        finally:
            self._watchers[store].discard(event)

    async def until_connected(self, row: StoreConnection, seconds: float = 5.0) -> bool:
        """Wait until a store stands here as it was just written; returns whether it does."""
        wanted = StoreView.of(row)
        return await self._until(row.store, lambda: self.stores.get(row.store) == wanted, seconds)

    async def until_told(self, row: Campaign, seconds: float = 5.0) -> bool:
        """Wait until a campaign stands here as it was just written; returns whether it does."""
        known = self.campaigns[row.store]
        return await self._until(row.store, lambda: known.get(row.campaign) == row, seconds)

    async def _until(self, store: str, holds: Callable[[], bool], seconds: float) -> bool:
        with contextlib.suppress(TimeoutError), self.watch(store) as changed:
            async with asyncio.timeout(seconds):
                while not holds():
                    changed.clear()
                    await changed.wait()
        return holds()

    def reads(self, store: str) -> dict[str, Cursor]:
        """Return how far each resource of a store was read; what is wrong with its readers is no read."""
        return {name: cursor for name, cursor in self.cursors[store].items() if name != STATUS}

    def first_readings(self, store: str) -> list[ReadingProgress]:
        """Return how far a store's first readings are, running ones first."""
        told = filter(None, map(progress_of, self.reads(store).values()))
        return sorted(told, key=lambda reading: (reading.finished, reading.reading))

    def problems(self, store: str) -> tuple[Problem, ...]:
        """Return what is wrong with a store's readers; nobody reads a paused one."""
        view = self.stores.get(store)
        return () if view is None or view.paused else problems_of(self.cursors[store].get(STATUS))

    def rests_until(self, store: str) -> datetime | None:
        """Return until when calls to a store's account rest, as its poller told it; it may be past."""
        view = self.stores.get(store)
        return None if view is None or view.paused else rests_until(self.cursors[store].get(STATUS))

    def workers_seen(self, now: datetime) -> None:
        """Wake who watches a store whose workers are in another state than when they were last seen."""
        for store in self.stores:
            trouble = self.workers.trouble(store, now)
            kind = None if trouble is None else trouble.kind
            if self._workers_told.get(store) != kind:
                self._workers_told[store] = kind
                self._wake(store)

    def version(self, store: str = ALL) -> int:
        """Return a number that grows with every change of a store (or of any)."""
        return self._versions[store]

    def _wake(self, store: str) -> None:
        self._versions[store] += 1
        self._versions[ALL] += 1
        for event in (*self._watchers.get(store, ()), *self._watchers.get(ALL, ())):
            event.set()

    def _store(self, key: bytes, value: bytes | None) -> str:
        store = store_of(key)
        if value is None:
            self.stores.pop(store, None)
        else:
            self.stores[store] = StoreView.of(StoreConnection.model_validate_json(value))
        return store

    def _campaign(self, key: bytes, value: bytes | None) -> str:
        store, _, campaign = key.decode().partition("/")
        if value is None:
            self.campaigns[store].pop(campaign, None)
        else:
            self.campaigns[store][campaign] = Campaign.model_validate_json(value)
        return store

    def _cell(self, key: bytes, value: bytes | None) -> str:
        # A campaign's name may contain slashes: what stands around it does not.
        store, _, rest = key.decode().partition("/")
        campaign, basis, date, currency = rest.rsplit("/", 3)
        cells = self.cells[store].setdefault(campaign, {})
        self._cell_count -= cells.pop((basis, date, currency), None) is not None
        if value is not None:
            cells[basis, date, currency] = CampaignKpis.model_validate_json(value)
            self._cell_count += 1
        elif not cells:
            del self.cells[store][campaign]
        if self._cell_count > self._settings.cells * 1.1:
            self._cut_cells()
        return store

    def _cut_cells(self) -> None:
        """Leave out the oldest days; totals stay."""
        self.cells_left_out = True
        days = sorted(
            (key[1], store, campaign, key)
            for store, campaigns in self.cells.items()
            for campaign, cells in campaigns.items()
            for key in cells
            if key[0] != "total"
        )
        for _, store, campaign, key in days[: self._cell_count - self._settings.cells]:
            del self.cells[store][campaign][key]
            self._cell_count -= 1

    def _cursor(self, key: bytes, value: bytes | None) -> str:
        store, _, resource = key.decode().partition("/")
        if value is None:
            self.cursors[store].pop(resource, None)
        else:
            self.cursors[store][resource] = Cursor.model_validate_json(value)
        return store

    def _fate(self, key: bytes, value: bytes | None) -> str:
        store = store_of(key)
        if value is not None:
            summary = FateSummary.model_validate_json(value)
            self.fates[store].append(summary)
            for fate, count in summary.counts.items():
                self.fate_counts[store][summary.agent, fate] += count
            self.last_fates[store][summary.topic] = max(
                summary.at, self.last_fates[store].get(summary.topic, summary.at)
            )
        return store

    def _letter(self, key: bytes, value: bytes | None) -> str:
        store = store_of(key)
        if value is None:
            self.letters.pop(key, None)
            return store
        row = orjson.loads(value)
        source = row.get("topic") or ""
        if source and row.get("offset") is not None:
            source = f"{source} [{row.get('partition')}] @ {row['offset']}"
        self.letters[key] = LetterView(
            row["store"], row["letter"], row["step"], str(row["reason"])[:300], source, row["at"]
        )
        self.letters.move_to_end(key)
        if len(self.letters) > self._settings.letters:
            self.letters.popitem(last=False)
            self.letters_left_out = True
        return store
