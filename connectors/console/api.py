"""The console for programs: health, the stores, their campaigns' figures, and the stream of changes."""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connectors.console.cells import total_cells
from connectors.console.console import Console
from connectors.console.state import ALL, StoreView


def routes(console: Console) -> list[Route]:
    """Return the addresses for programs."""

    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_: Request) -> Response:
        # Behind the probe's back nobody knows who asks: it learns why, and nothing about stores.
        waits_for = console.progress.waits_for
        return PlainTextResponse(f"{waits_for or 'ready'}\n", 503 if waits_for else 200)

    async def stores(_: Request) -> Response:
        return _json({"stores": [store_row(console.model.stores[name]) for name in sorted(console.model.stores)]})

    async def campaigns(request: Request) -> Response:
        return _json(campaign_rows(console, console.store(request)))

    async def changes(request: Request) -> Response:
        store = request.query_params.get("store", ALL)
        if store != ALL and store not in console.model.stores:
            raise HTTPException(404, "No such store is connected.")
        return console.viewers.answer(store)

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/api/stores", stores),
        Route("/api/stores/{store}/campaigns", campaigns),
        Route("/api/changes", changes),
    ]


def store_row(store: StoreView) -> dict[str, object]:
    """Return what may be told of a store: nothing sealed."""
    return {
        "store": store.store,
        "vtex_account": store.account,
        "hellotext_business": store.business_id,
        "infobip": store.infobip_url is not None,
        "country": store.country,
        "timezone": store.timezone,
        "currency": store.currency,
        "origins": store.origins,
        "paused": store.paused,
        "connected_at": store.connected_at.isoformat(),
    }


def campaign_rows(console: Console, store: StoreView) -> dict[str, object]:
    """Return each campaign's total cell (docs/kpis.md: amounts in minor units, unknown is null), by name."""
    names = console.model.campaigns[store.store]
    rows = []
    for cell in sorted(total_cells(console.model, store), key=lambda each: (each.campaign, each.currency)):
        known = names.get(cell.campaign)
        rows.append({
            "name": known.name if known else cell.campaign,
            "channel": known.channel if known else None,
            "day": known.day.isoformat() if known else None,
            **cell.model_dump(mode="json", exclude={"store", "basis", "date"}),
        })  # fmt: skip
    return {"store": store.store, "campaigns": rows}


def _json(document: object) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")
