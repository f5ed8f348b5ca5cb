"""The first page: every store, what it earned, and the state of its flow. Without a store: the wizard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.console.cells import total_cells
from connectors.console.console import Console
from connectors.console.figures import Figures, Shown
from connectors.console.spark import Spark, spark
from connectors.console.state import ALL, ReadModel, StoreView
from connectors.console.system import Station, stations

DAYS = 30


@dataclass(frozen=True, slots=True)
class Card:
    """A store on the first page."""

    store: StoreView
    net: Shown
    orders: Shown
    customers: Shown
    campaigns: int
    spark: Spark
    stations: tuple[Station, ...]


def routes(console: Console) -> list[Route]:
    """Return the address of the first page."""

    async def home(request: Request) -> Response:
        if console.progress.loaded and not console.model.stores:
            return RedirectResponse("/connect", 303)
        from_now = datetime.now(ZoneInfo("UTC"))
        cards = [
            card(console.model, console.figures, console.model.stores[name], from_now)
            for name in sorted(console.model.stores)
        ]
        return console.page(request, "home.html", live=ALL, cards=cards, loaded=console.progress.loaded)

    return [Route("/", home)]


def card(model: ReadModel, figures: Figures, store: StoreView, now: datetime) -> Card:
    """Return a store's card: the last 30 days by purchase date, in its own currency."""
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    first = (today - timedelta(days=DAYS - 1)).isoformat()
    net: dict[str, int] = {}
    orders = 0
    for cells in model.cells[store.store].values():
        for (basis, day, currency), cell in cells.items():
            if basis == "purchase" and currency == store.currency and day >= first:
                net[day] = net.get(day, 0) + cell.net
                orders += cell.conversions
    days = [net.get((today - timedelta(days=back)).isoformat(), 0) for back in range(DAYS - 1, -1, -1)]
    return Card(
        store,
        figures.money(sum(net.values()), store.currency),
        figures.count(orders),
        figures.count(model.customers.of(store.store).total),
        len({cell.campaign for cell in total_cells(model, store)}),
        spark(days),
        stations(model, store, figures, now),
    )
