"""After connecting: what to put into the shop, whether it works, and how far the first read has come.

The store's own secrets are shown on this page once, to the browser that connected it (drafts.Ticket); afterwards the
same page stands without them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.console.console import Console
from connectors.console.customers import bars, troubles
from connectors.console.drafts import Ticket
from connectors.console.form import read_form
from connectors.console.guard import host_name, is_loopback
from connectors.console.shop_page import NotThatPageError, ShopPages, allowed_origins
from connectors.console.state import StoreView
from connectors.console.system import last_event
from connectors.pixel.live_page import Finding, check_page
from connectors.pixel.snippet import hooks_for, snippets_for

TICKET = "connected"
"""The cookie that entitles to the once-shown page."""
_HIDDEN = "HOOK_SECRET"


@dataclass(frozen=True, slots=True)
class PageCheck:
    """What a check of the shop's page found."""

    url: str
    findings: tuple[Finding, ...]
    error: str = ""


def routes(console: Console) -> list[Route]:
    """Return the addresses of the setup page."""

    async def show(request: Request) -> Response:
        store = console.store(request)
        ticket = None
        if request.cookies.get(TICKET):
            held = console.tickets.get(request.cookies[TICKET])
            ticket = console.tickets.pop(request.cookies[TICKET]) if held and held.store == store.store else None
        response = _page(console, request, store, ticket=ticket)
        if ticket is not None:
            response.delete_cookie(TICKET, path="/stores", httponly=True, samesite="strict")
        return response

    async def check(request: Request) -> Response:
        store = console.store(request)
        url = (await read_form(request)).get("url", "")[:2000].strip()
        async with console.checking:
            checked = await look(console, store, url)
        return _page(console, request, store, check=checked)

    return [
        Route("/stores/{store}/setup", show),
        Route("/stores/{store}/setup", check, methods=["POST"]),
    ]


async def look(console: Console, store: StoreView, url: str) -> PageCheck:
    """Fetch a page of the shop and say whether the snippet works on it."""
    try:
        page = await ShopPages(store.connection).fetch(url)
    except NotThatPageError as error:
        return PageCheck(url, (), str(error))
    return PageCheck(url, check_page(page, store.connection, console.settings.collector_url))


def _page(
    console: Console,
    request: Request,
    store: StoreView,
    *,
    ticket: Ticket | None = None,
    check: PageCheck | None = None,
) -> Response:
    return console.page(
        request, "setup.html", live=store.store, store=store, ticket=ticket, check=check,
        **setup(console, store, ticket),
    )  # fmt: skip


def setup(console: Console, store: StoreView, ticket: Ticket | None) -> dict[str, Any]:
    """Return what the setup's template needs."""
    collector, now = console.settings.collector_url, datetime.now(UTC)
    hooks = hooks_for(store.connection, collector)
    secret = ticket.hook_secret.get_secret_value() if ticket and ticket.hook_secret else _HIDDEN
    latest = last_event(console.model, store)
    return {
        "snippets": snippets_for(store.connection, collector),
        "customers_hook": f"{hooks.customers}?token={secret}",
        "deletes_hook": f"{hooks.customers}?deleted=true&token={secret}",
        "orders_hook": order_hook(hooks.orders, secret),
        "reports_hook": f"{hooks.reports}?token={secret}",
        "server_token": ticket.server_token.get_secret_value() if ticket and ticket.server_token else None,
        "hook_secret": None if secret == _HIDDEN else secret,
        "collector": collector,
        "collector_is_local": is_loopback(host_name(collector.partition("://")[2].partition("/")[0])),
        "bars": bars(console.model, console.figures, store, now),
        "troubles": troubles(console.model, console.figures, store, now),
        "last_event": None if latest is None else console.figures.ago(latest, now),
        "last_event_at": None if latest is None else console.figures.moment(latest, store.timezone),
        "page_url": (*store.origins, *allowed_origins(store.connection))[0],
    }


def order_hook(address: str, secret: str) -> str:
    """Return the body of VTEX's `POST /api/orders/hook/config` (contracts/vtex NOTES 4.5)."""
    statuses = ["order-created", "payment-approved", "handling", "invoiced", "replaced", "cancel", "canceled"]
    document = {
        "filter": {"type": "FromWorkflow", "status": statuses},
        "hook": {"url": address, "headers": {"X-Hook-Secret": secret}},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
