"""A form for what no report tells of a campaign: its name, its day, how many it went to, what it cost."""

from datetime import date
from decimal import Decimal
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors.console.campaign_request import COLUMNS, CampaignRequest, CsvError, read_csv, told
from connectors.console.choices import currencies
from connectors.console.console import Console
from connectors.console.form import read_form
from connectors.console.links import campaign_link, store_link
from connectors.console.overview import today
from connectors.console.rows import write_rows
from connectors.console.state import StoreView
from connectors.kafka.errors import KafkaSetupError
from schemas.messages import Campaign
from schemas.money import MICROS
from schemas.topics import CAMPAIGNS

SUGGESTED: Final = 500
"""Names of campaigns that the form offers to choose from."""


def routes(console: Console) -> list[Route]:
    """Return the address of the form."""

    async def show(request: Request) -> Response:
        store = console.store(request)
        return _page(console, request, store, _known(console, store, request.query_params.get("name", "")))

    async def tell(request: Request) -> Response:
        store, fields = console.store(request), await read_form(request)
        typed = {name: value.strip() for name, value in fields.items()}
        try:
            wanted = _read(store, typed)
        except ValidationError as error:
            errors = {name: text.removeprefix(f"{name}: ") for name, text in told(error).items()}
            return _page(console, request, store, typed, errors, status=422)
        except CsvError as error:
            return _page(console, request, store, typed, {"csv": str(error)}, status=422)
        return await _write(console, request, store, typed, [one.row(store.store) for one in wanted])

    return [
        Route("/stores/{store}/costs", show),
        Route("/stores/{store}/costs", tell, methods=["POST"]),
    ]


def _read(store: StoreView, typed: dict[str, str]) -> list[CampaignRequest]:
    if "csv" in typed:
        found = read_csv(typed["csv"])
        if not found:
            raise CsvError("there is no line below the head line")
        return found
    given = {name: typed[name] for name in COLUMNS if typed.get(name)}
    if "cost" in given:
        given.setdefault("currency", store.currency)
    return [CampaignRequest.model_validate(given)]


async def _write(
    console: Console, request: Request, store: StoreView, typed: dict[str, str], rows: list[Campaign]
) -> Response:
    try:
        await write_rows(console.connection, CAMPAIGNS, store.store, {(row.campaign,): row for row in rows})
    except KafkaSetupError as error:
        return _page(console, request, store, typed, {"": f"Nothing more was written: {error}"}, status=503)
    # The page that follows must know it: the topic tells it, some milliseconds later.
    await console.model.until_told(rows[-1])
    known = campaign_link(store.store, rows[0].campaign)
    return RedirectResponse(known if len(rows) == 1 else store_link(store.store), 303)


def _known(console: Console, store: StoreView, name: str) -> dict[str, str]:
    """Return what is known of a campaign, as the form has it."""
    row = console.model.campaigns[store.store].get(name)
    if row is None:
        return {"campaign": name, "day": today(store).isoformat(), "currency": store.currency}
    cost = None if row.cost_micros is None else Decimal(row.cost_micros) / MICROS
    values = {
        "campaign": row.campaign, "name": row.name, "channel": row.channel, "day": row.day,
        "recipients": row.recipients, "deliveries": row.deliveries, "cost": None if cost is None else f"{cost:f}",
        "currency": row.currency or store.currency,
    }  # fmt: skip
    return {name: value.isoformat() if isinstance(value, date) else str(value)
            for name, value in values.items() if value is not None}  # fmt: skip


def _page(
    console: Console, request: Request, store: StoreView, typed: dict[str, str],
    errors: dict[str, str] | None = None, *, status: int = 200,
) -> Response:  # fmt: skip
    known = {*console.model.cells[store.store], *console.model.campaigns[store.store]}
    return console.page(
        request, "costs.html", status=status, store=store, typed=typed, errors=errors or {}, columns=COLUMNS,
        campaigns=sorted(known)[:SUGGESTED], currencies=currencies(),
    )  # fmt: skip
