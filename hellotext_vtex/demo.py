"""The main job, shown: a shop day played through every real interface, its figures beside the sandbox's own ledger.

The sandbox plays shoppers, VTEX, Hellotext and Infobip over HTTP and keeps a ledger that knows what happened; the
product knows only what reached it. At the end both must agree on every figure (docs/kpis.md).
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx

from connectors.console.connect import ConnectionRequest, connect_store
from connectors.kafka.reader import latest_by_key
from connectors.kafka.secrets import SecretBox
from connectors.pixel.snippet import hooks_for
from hellotext_vtex.commands.campaigns import read_csv, write_campaigns
from hellotext_vtex.foreground import CommandError
from hellotext_vtex.up import House
from schemas.kpis import CampaignKpis
from schemas.stores import StoreConnection
from schemas.topics import KPI_CAMPAIGNS

SETTLE_S: Final = 60.0
LOOK_S: Final = 0.5
STEADY_S: Final = 2.0
NUMBERS: Final = tuple(
    name
    for name in CampaignKpis.model_fields
    if name not in {"store", "campaign", "basis", "date", "currency", "updated_at"}
)

Key = tuple[str, str, str, str, str]
Progress = Callable[[str, int, int], None]
"""Told a phase, what is done of it, and how much there is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that the product and the ledger have differently."""

    cell: Key
    figure: str
    ours: Any
    ledger: Any

    def __str__(self) -> str:
        """Return it for people."""
        return f"{'/'.join(self.cell)} {self.figure}: {self.ours!r} here, {self.ledger!r} in the ledger"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison: every cell and every figure in it, and the profiles at Hellotext.

    Attributes:
        profiles: by store, how many profiles Hellotext has, and how many people the ledger knows to be reachable.
    """

    cells: dict[Key, CampaignKpis]
    ledger: dict[Key, dict[str, Any]]
    differences: tuple[Difference, ...]
    profiles: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether everything agrees."""
        return not self.differences and all(ours == theirs for ours, theirs in self.profiles.values())

    @property
    def figures(self) -> int:
        """How many figures were compared."""
        return len(self.cells.keys() | self.ledger.keys()) * len(NUMBERS)


class Demo:
    """Plays the day in a running house.

    Args:
        house: what runs; the sandbox is among it.
        box: seals the stores' secrets.
        progress: told how far it is.
    """

    def __init__(self, house: House, box: SecretBox, progress: Progress) -> None:
        self._house = house
        self._box = box
        self._progress = progress
        self._sandbox = httpx.AsyncClient(base_url=house.urls["sandbox"], timeout=30)

    async def play(self, seed: int) -> Verdict:
        """Connect the sandbox's stores, play the day, wait until the figures stand, and compare them."""
        async with self._sandbox:
            stores = await self._connect()
            await self._day(seed, stores)
            return await self._settled()

    async def _connect(self) -> list[StoreConnection]:
        accounts = await self._ask("GET", "/control/accounts")
        rows = []
        for number, account in enumerate(accounts):
            self._progress("connecting stores", number, len(accounts))
            request = ConnectionRequest(
                store=account["account"], vtex_account=account["account"], vtex_url=account["vtex_url"],
                vtex_app_key=account["app_key"], vtex_app_token=account["app_token"],
                hellotext_url=account["hellotext_url"], hellotext_business=account["business"],
                hellotext_token=account["hellotext_token"], infobip_url=account["infobip_url"],
                infobip_key=account["infobip_key"], country=account["country"], timezone=account["timezone"],
                currency=account["currency"],
            )  # fmt: skip
            rows.append(await connect_store(request, self._house.connection, self._box))
        self._progress("connecting stores", len(accounts), len(accounts))
        return rows

    async def _day(self, seed: int, stores: list[StoreConnection]) -> None:
        collector = self._house.urls["collector"]
        told = [
            {
                "store": row.store, "account": row.vtex.account, "business": row.hellotext.business_id,
                "collector": collector,
                "reports_url": hooks_for(row, collector, self._box.unseal(row.hook_secret)).reports,
            }
            for row in stores
        ]  # fmt: skip
        await self._ask("POST", "/control/day", json={"seed": seed, "stores": told})
        while True:
            day = await self._ask("GET", "/control/day")
            self._progress(day["phase"], day["done"], day["total"])
            if day.get("error"):
                raise CommandError(f"the sandbox's day broke off: {day['error']}")
            if day["finished"]:
                break
            await asyncio.sleep(LOOK_S / 2)
        for row in stores:
            answer = await self._sandbox.get("/control/campaigns", params={"store": row.store})
            await write_campaigns(self._house.settings, row.store, read_csv(row.store, answer.text))

    async def _settled(self) -> Verdict:
        """Return the comparison once all is equal, or what it is when that takes too long."""
        told = await self._ask("GET", "/control/ledger")
        ledger = ledger_cells(told)
        until = time.monotonic() + SETTLE_S
        while True:
            verdict = compare(await read_cells(self._house), ledger)
            agreeing = verdict.figures - len(verdict.differences)
            self._progress("counting", agreeing, verdict.figures)
            if not verdict.differences:
                verdict = replace(verdict, profiles=await self._profiles(told))
                self._progress("profiles", *map(sum, zip(*verdict.profiles.values(), strict=True)))
            if verdict.equal or time.monotonic() > until:
                return verdict
            await asyncio.sleep(LOOK_S)

    async def _profiles(self, told: dict[str, Any]) -> dict[str, tuple[int, int]]:
        accounts = (await self._ask("GET", "/control/hellotext"))["accounts"]
        return {store: (len(accounts[store]["profiles"]), of["profiles"]) for store, of in told["stores"].items()}

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = await self._sandbox.request(method, path, **options)
        if not answer.is_success:
            raise CommandError(f"the sandbox answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return answer.json()


async def read_cells(house: House) -> dict[Key, CampaignKpis]:
    """Return every cell that stands in `kpi.campaigns`, read committed."""
    found = await latest_by_key(house.connection, KPI_CAMPAIGNS.name)
    cells = [CampaignKpis.model_validate_json(record.value) for record in found.values()]
    return {(cell.store, cell.campaign, cell.basis, cell.date, cell.currency): cell for cell in cells}


def ledger_cells(ledger: dict[str, Any]) -> dict[Key, dict[str, Any]]:
    """Return the ledger's cells by key."""
    return {
        (store, cell["campaign"], cell["basis"], cell["date"], cell["currency"]): cell
        for store, of in ledger["stores"].items()
        for cell in of["cells"]
    }


def compare(cells: dict[Key, CampaignKpis], ledger: dict[Key, dict[str, Any]]) -> Verdict:
    """Compare every figure of every cell; ratios to nine digits, since their order of division is anybody's."""
    differences = tuple(
        Difference(key, name, _figure(cells.get(key), name), ledger.get(key, {}).get(name))
        for key in sorted(cells.keys() | ledger.keys())
        for name in NUMBERS
        if not _equal(_figure(cells.get(key), name), ledger.get(key, {}).get(name))
    )
    return Verdict(cells, ledger, differences)


def _figure(cell: CampaignKpis | None, name: str) -> Any:
    return None if cell is None else getattr(cell, name)


def _equal(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, dict) or isinstance(theirs, dict):
        counts = ({name: count for name, count in (side or {}).items() if count} for side in (ours, theirs))
        return next(counts) == next(counts)
    if isinstance(ours, float) or isinstance(theirs, float):
        return None not in {ours, theirs} and abs(ours - theirs) <= 1e-9 * max(1.0, abs(theirs))
    return bool(ours == theirs)
