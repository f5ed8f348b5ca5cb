"""A campaign's page: where its figures come from, to the last cent."""

import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from connectors.console.cells import campaign_name, campaign_note, show_cell
from connectors.console.console import Console
from connectors.console.explain import (
    ORDERS_SHOWN,
    buckets,
    currencies_of,
    day_table,
    funnel,
    order_rows,
    proof,
    total_of,
)  # fmt: skip
from connectors.console.export import orders_csv
from connectors.console.overview import BASES, PERIODS, View, store_chart
from connectors.console.state import StoreView


def routes(console: Console) -> list[Route]:
    """Return the addresses of a campaign's page and of its orders as CSV."""

    async def show(request: Request) -> Response:
        store, campaign = _named(console, request)
        view = View.of(request.query_params)
        return console.page(
            request, "campaign.html", live=store.store, store=store, campaign=campaign, view=view, periods=PERIODS,
            bases=BASES, **campaign_page(console, store, campaign, view, request.query_params.get("currency", "")),
        )  # fmt: skip

    async def export(request: Request) -> Response:
        store, campaign = _named(console, request)

        async def lines() -> AsyncIterator[str]:
            for line in orders_csv(console.model.orders.orders(store.store, campaign)):
                yield line

        # Names are people's own words, and a header takes little of those.
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", campaign).strip("-")[:60] or "campaign"
        headers = {"Content-Disposition": f'attachment; filename="{store.store}-{name}-orders.csv"'}
        return StreamingResponse(lines(), media_type="text/csv", headers=headers)

    return [Route("/stores/{store}/campaign", show), Route("/stores/{store}/campaign.csv", export)]


def _named(console: Console, request: Request) -> tuple[StoreView, str]:
    store, campaign = console.store(request), request.query_params.get("name", "")
    known = (
        campaign in console.model.cells[store.store]
        or campaign in console.model.campaigns[store.store]
        or console.model.orders.count(store.store, campaign) > 0
    )
    if not known:
        raise HTTPException(404, "No such campaign of this store is known.")
    return store, campaign


def campaign_page(console: Console, store: StoreView, campaign: str, view: View, currency: str) -> dict[str, Any]:
    """Return what the campaign's template needs."""
    model, figures = console.model, console.figures
    currencies = currencies_of(model, store, campaign)
    money = currency if currency in currencies else currencies[0]
    cell = total_of(model, store, campaign, money)
    count = model.orders.count(store.store, campaign)
    pages = max(1, -(-count // ORDERS_SHOWN))
    page = min(max(view.page, 1), pages)
    rows = model.orders.orders(store.store, campaign, skip=(page - 1) * ORDERS_SHOWN, count=ORDERS_SHOWN)
    return {
        "name": campaign_name(model, store, campaign),
        "note": campaign_note(model, figures, store, campaign),
        "currency": money,
        "currencies": currencies,
        "total": show_cell(cell, figures),
        "funnel": funnel(cell, figures),
        "buckets": buckets(cell, figures),
        "chart": store_chart(
            figures,
            store,
            [model.cells[store.store].get(campaign, {})],
            basis=view.basis,
            days=view.days,
            currency=money,
        ),
        "delivery": day_table(model, figures, store, campaign, money, basis="delivery"),
        "purchase": day_table(model, figures, store, campaign, money, basis="purchase"),
        "proof": proof(model, figures, store, campaign, money),
        "orders": list(order_rows(rows, figures, store, lambda name: campaign_name(model, store, name))),
        "order_count": count,
        "page": page,
        "pages": pages,
    }
