"""A store's readers against the sandbox's VTEX in this process, writing to memory instead of Kafka."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette
from starlette.routing import Mount

from connectors.vtex.client import VtexClient
from connectors.vtex.gate import Gate
from connectors.vtex.journal import Step
from connectors.vtex.settings import CallSettings, CustomerSettings, OrderSettings, PollerSettings
from connectors.vtex.source import Source
from sandbox.vtex.api import routes
from sandbox.vtex.shop import Shop
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess

QUICK = PollerSettings(
    interval=0.01, rest=0.01, save=0.0, drain=1.0,
    calls=CallSettings(per_minute=6_000_000, floor=0.0, burst=1000, attempts=4, backoff=0.001, backoff_limit=0.002,
                       throttled=0.001, breaker=1000),
    customers=CustomerSettings(doubt=0.0, recheck_share=1.0),
    orders=OrderSettings(interval=0.01),
)  # fmt: skip


class StoppedError(Exception):
    """The poller was killed in a test: nothing of the step was committed."""


class MemoryJournal:
    """Takes steps as Kafka would: all or nothing.

    Args:
        dies_at: number of the step whose commit kills the poller; None for none.
    """

    def __init__(self, dies_at: int | None = None) -> None:
        self.records: list[tuple[bytes, bytes]] = []
        self.rows: list[tuple[str, bytes, bytes]] = []
        self.steps = 0
        self.dies_at = dies_at

    @property
    def events(self) -> int:
        """Events committed."""
        return len(self.records)

    async def write(self, build: Callable[[Step], None]) -> Step:
        """Commit a step."""
        step = Step()
        build(step)
        self.steps += 1
        if self.steps == self.dies_at:
            raise StoppedError
        self.records += step.events
        self.rows += [(topic.name, key, value) for topic, key, value in step.rows]
        for tell in step.after:
            tell()
        return step

    def said(self) -> list[dict[str, Any]]:
        """Return the events."""
        return [orjson.loads(value) for _, value in self.records]

    def positions(self) -> dict[str, dict[str, Any]]:
        """Return the cursors, as a new poller would read them back."""
        rows = [orjson.loads(value) for name, _, value in self.rows if name == "vtex.cursors"]
        return {row["resource"]: row["position"] for row in rows}

    def latest(self) -> dict[str, dict[str, Any] | None]:
        """Return what was said last of each customer; None: it was deleted."""
        return {
            event["subject"]: event["data"] if event["type"] == "vtex.customer.changed" else None
            for event in self.said()
            if event["type"].startswith("vtex.customer.")
        }


def store_of(shop: Shop, **vtex: Any) -> StoreConnection:
    """Return a shop's connection, as the poller holds it."""
    return StoreConnection(
        store=shop.account,
        vtex=VtexAccess(account=shop.account, url=f"http://vtex/vtex/{shop.account}", app_key=shop.app_key,
                        app_token="sealed", **vtex),
        hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id="B", token="t"),
        country="BR", timezone="America/Sao_Paulo", currency="BRL", hash_secret="h", hook_secret="k", server_token="s",
        connected_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


def client_of(shop: Shop, settings: PollerSettings = QUICK, token: str | None = None, **vtex: Any) -> VtexClient:
    """Return a client that calls the shop in this process."""
    app = Starlette(routes=[Mount("/vtex", routes=routes({shop.account: shop}))])
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app))
    gate = Gate(shop.account, settings.calls, settings.calls.per_minute)
    return VtexClient(store_of(shop, **vtex).vtex, token or shop.app_token, gate, settings.calls, http)


def source_of(
    shop: Shop, journal: MemoryJournal | None = None, settings: PollerSettings = QUICK, **vtex: Any
) -> Source:
    """Return an opened store: cursors are those that its journal holds."""
    journal = journal or MemoryJournal()
    client = client_of(shop, settings, **vtex)
    return Source(store_of(shop, **vtex), settings, client, journal, journal.positions())


def customers(**changes: Any) -> PollerSettings:
    """Return quick settings with some of the customers' changed."""
    return replace(QUICK, customers=replace(QUICK.customers, **changes))
