"""The first page: every store, what it earned, and the state of its flow. Without a store: the wizard."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.console.cells import total_cells
from connectors.console.console import Console
from connectors.console.figures import Figures, Shown
from connectors.console.overview import today
from connectors.console.spark import Spark, spark
from connectors.console.state import ALL, ReadModel, StoreView
from connectors.console.system import Station, stations

DAYS = 30


@dataclass(frozen=True, slots=True)
class Earned:
    """What a store's campaigns brought lately."""

    net: Shown
    orders: Shown
    spark: Spark
    campaigns: int


@dataclass(frozen=True, slots=True)
class Card:
    """A store on the first page."""

    store: StoreView
    earned: Earned
    customers: Shown
    stations: tuple[Station, ...]


def routes(console: Console) -> list[Route]:
    """Return the address of the first page."""

    async def home(request: Request) -> Response:
        if console.progress.loaded and not console.model.stores:
            return RedirectResponse("/connect", 303)
        now = datetime.now(UTC)
        cards = [_card(console, console.model.stores[name], now) for name in sorted(console.model.stores)]
        return console.page(request, "home.html", live=ALL, cards=cards)

    return [Route("/", home)]


def _card(console: Console, store: StoreView, now: datetime) -> Card:
    model, figures, day = console.model, console.figures, today(store)
    key = ("earned", store.store, model.version(store.store), day)
    lately: Earned = console.memo.get(key, lambda: earned(model, figures, store, day))
    customers = figures.count(model.customers.of(store.store).total)
    return Card(store, lately, customers, stations(model, store, figures, now))


def earned(model: ReadModel, figures: Figures, store: StoreView, day: date) -> Earned:
    """Return the last 30 days until a day, by purchase date, in the store's own currency."""
    first = (day - timedelta(days=DAYS - 1)).isoformat()
    net: dict[str, int] = {}
    orders = 0
    for cells in model.cells[store.store].values():
        for (basis, of, currency), cell in cells.items():
            if basis == "purchase" and currency == store.currency and of >= first:
                net[of] = net.get(of, 0) + cell.net
                orders += cell.conversions
    days = [net.get((day - timedelta(days=back)).isoformat(), 0) for back in range(DAYS - 1, -1, -1)]
    return Earned(
        figures.money(sum(net.values()), store.currency),
        figures.count(orders),
        spark(days),
        len({cell.campaign for cell in total_cells(model, store)}),
    )
