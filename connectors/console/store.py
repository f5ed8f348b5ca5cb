"""A store's overview: figures that stand out, revenue over time, what explains the orders, and every campaign."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.console.console import Console
from connectors.console.overview import BASES, PERIODS, View, overview, today


def routes(console: Console) -> list[Route]:
    """Return the address of the overview."""

    async def show(request: Request) -> Response:
        store, view = console.store(request), View.of(request.query_params)
        # Besides the store's rows, only the day that the chart ends with.
        key = ("overview", store.store, console.model.version(store.store), view, today(store))
        return console.page(
            request, "overview.html", live=store.store, store=store, view=view, periods=PERIODS, bases=BASES,
            **console.memo.get(key, lambda: overview(console.model, console.figures, store, view)),
        )  # fmt: skip

    return [Route("/stores/{store}", show)]
