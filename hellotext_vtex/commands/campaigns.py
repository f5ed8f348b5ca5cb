"""`campaigns`: what no report tells of them, typed in or imported (Hellotext has no API for campaigns: CONTRACT B5)."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table

from connectors.console import campaign_request
from connectors.console.campaign_request import COLUMNS
from connectors.console.figures import DASH
from connectors.console.rows import write_rows
from connectors.kafka.reader import latest_by_key
from hellotext_vtex.foreground import WRONG_USAGE, execute, fail, print_json
from hellotext_vtex.known_stores import expect_store, find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import FIGURES, terminal
from schemas.messages import Campaign
from schemas.topics import CAMPAIGNS

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Done = Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")]
Store = Annotated[str, typer.Option(help="Name of the store.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Campaigns: names, days, and numbers that no report tells.", no_args_is_help=True)
    for command, name in ((list_campaigns, "list"), (put, "set"), (load, "import")):
        group.command(name)(command)
    app.add_typer(group, name="campaigns", rich_help_panel="Campaigns")


def list_campaigns(store: Store, json: Json = False) -> None:
    """List a store's campaigns.

    Example: hellotext-vtex campaigns list --store acme
    """
    settings = connected(quiet=True)
    rows = execute(lambda: _of_store(settings, store))
    if json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    if not rows:
        print(f"Nothing is said of a campaign of {store}: `campaigns set` or `import` says it.")
        return
    table = Table(*COLUMNS[:7])
    for row in rows:
        cost = None if row.cost_micros is None or row.currency is None else FIGURES.cost(row.cost_micros, row.currency)
        values = (row.campaign, row.name, row.channel, row.day, row.recipients, row.deliveries, cost and cost.text)
        table.add_row(*(DASH if value is None else str(value) for value in values))
    terminal().print(table)


def put(
    campaign: Annotated[str, typer.Argument(help="Its id: utm_campaign, campaignReferenceId.", show_default=False)],
    store: Store,
    day: Annotated[str, typer.Option(help="The day it was sent: YYYY-MM-DD.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="For people; the id by default.")] = None,
    channel: Annotated[str | None, typer.Option(help="whatsapp or sms.")] = None,
    recipients: Annotated[int | None, typer.Option(min=0, help="Messages sent.")] = None,
    deliveries: Annotated[int | None, typer.Option(min=0, help="Messages delivered.")] = None,
    cost: Annotated[str | None, typer.Option(help="In major units: 129.90")] = None,
    currency: Annotated[str | None, typer.Option(help="Of the cost.")] = None,
    json: Done = False,
) -> None:
    """Say what is known of a campaign; replaces what was said before.

    Example: hellotext-vtex campaigns set black-friday --store acme --day 2026-11-27 --deliveries 980 --cost 205.80
    --currency BRL
    """
    given = {
        "campaign": campaign, "name": name or campaign, "channel": channel, "day": day, "recipients": recipients,
        "deliveries": deliveries, "cost": cost, "currency": currency,
    }  # fmt: skip
    row = read_campaign(store, given)
    settings = connected(quiet=True)
    execute(lambda: _write(settings, store, [row]))
    _say([row], f"campaign {campaign} of {store} is set.", as_json=json)


def load(
    file: Annotated[Path, typer.Argument(help="CSV with a head line.", exists=True, dir_okay=False)],
    store: Store,
    json: Done = False,
) -> None:
    """Import campaigns from CSV: campaign, name, channel, day, recipients, deliveries, cost, currency.

    Example: hellotext-vtex campaigns import campaigns.csv --store acme
    """
    rows = read_csv(store, _text(file))
    settings = connected(quiet=True)
    execute(lambda: _write(settings, store, rows))
    _say(rows, f"{len(rows)} campaigns of {store} are imported.", as_json=json)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        fail(f"{file} is no UTF-8 text: save the table as CSV in UTF-8", WRONG_USAGE)


def _say(rows: list[Campaign], line: str, *, as_json: bool) -> None:
    if as_json:
        print_json([row.model_dump(mode="json") for row in rows])
    else:
        print(line)


def read_csv(store: str, text: str) -> list[Campaign]:
    """Return the campaigns in a CSV text; a line that is wrong ends the command and names it."""
    try:
        return [request.row(store) for request in campaign_request.read_csv(text)]
    except campaign_request.CsvError as error:
        fail(str(error), WRONG_USAGE)


def read_campaign(store: str, given: dict[str, Any]) -> Campaign:
    """Return a campaign from what a person gave; wrong values end the command."""
    try:
        return campaign_request.CampaignRequest.model_validate(given).row(store)
    except ValidationError as error:
        fail("; ".join(campaign_request.told(error).values()), WRONG_USAGE)


async def _write(settings: Settings, store: str, rows: list[Campaign]) -> None:
    await find_store(await ensure_topics(settings), store)
    await write_campaigns(settings, store, rows)


async def write_campaigns(settings: Settings, store: str, rows: list[Campaign]) -> None:
    """Write campaigns of a store."""
    await write_rows(await ensure_topics(settings), CAMPAIGNS, store, {(row.campaign,): row for row in rows})


async def _of_store(settings: Settings, store: str) -> list[Campaign]:
    rows = [row for row in await read_campaigns(settings) if row.store == store]
    await expect_store(settings.connection(), store, found=bool(rows))
    return rows


async def read_campaigns(settings: Settings) -> list[Campaign]:
    """Return every campaign, by store and day."""
    found = await latest_by_key(await ensure_topics(settings), CAMPAIGNS.name)
    rows = [Campaign.model_validate_json(record.value) for record in found.values()]
    return sorted(rows, key=lambda row: (row.store, row.day, row.campaign))
