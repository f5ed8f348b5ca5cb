"""The console's web application: addresses and errors."""

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connectors.console import activity, api, campaign, costs, customers, home, setup, store, wizard
from connectors.console.console import Console
from connectors.console.guard import Guard


def build_app(console: Console) -> Starlette:
    """Return the application of a console."""

    async def explain(request: Request, error: Exception) -> Response:
        return _explained(console, request, error)

    async def static(request: Request) -> Response:
        return await console.static.answer(request)

    app = Starlette(
        routes=[
            *home.routes(console), *wizard.routes(console), *setup.routes(console), *store.routes(console),
            *campaign.routes(console), *costs.routes(console), *activity.routes(console), *customers.routes(console),
            *api.routes(console),
            Route("/static/{name}", static),
        ],
        middleware=[Middleware(Guard, settings=console.settings)],
        exception_handlers={HTTPException: explain, Exception: explain},
    )  # fmt: skip
    app.state.console = console
    return app


def _explained(console: Console, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    title = HTTPStatus(status).phrase
    if request.url.path.startswith(("/api/", "/static/")):
        return JSONResponse({"error": detail or title}, status)
    return console.page(request, "error.html", status=status, title=title, detail=detail)
