"""A store's overview: figures that stand out, revenue over time, what explains the orders, and every campaign."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.console.console import Console
from connectors.console.overview import BASES, PERIODS, View, overview


def routes(console: Console) -> list[Route]:
    """Return the address of the overview."""

    async def show(request: Request) -> Response:
        store, view = console.store(request), View.of(request.query_params)
        return console.page(
            request, "overview.html", live=store.store, store=store, view=view, periods=PERIODS, bases=BASES,
            **overview(console.model, console.figures, store, view),
        )  # fmt: skip

    return [Route("/stores/{store}", show)]
