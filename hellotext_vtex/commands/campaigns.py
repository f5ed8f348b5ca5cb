"""`campaigns`: what no report tells of them, typed in or imported (Hellotext has no API for campaigns: CONTRACT B5)."""

import csv
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table

from connectors.console.rows import write_row
from connectors.kafka.reader import latest_by_key
from hellotext_vtex.foreground import execute, fail, print_json, told
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import terminal
from schemas.messages import Campaign
from schemas.money import to_micros
from schemas.topics import CAMPAIGNS

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Store = Annotated[str, typer.Option(help="Name of the store.", show_default=False)]
COLUMNS = ("campaign", "name", "channel", "day", "recipients", "deliveries", "cost", "currency")


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
    rows = [row for row in execute(lambda: read_campaigns(settings)) if row.store == store]
    if json:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    table = Table(*COLUMNS[:6], "cost (micro-units)", "currency")
    for row in rows:
        values = (row.campaign, row.name, row.channel, row.day, row.recipients, row.deliveries, row.cost_micros,
                  row.currency)  # fmt: skip
        table.add_row(*("" if value is None else str(value) for value in values))
    terminal().print(table)


def put(
    campaign: Annotated[str, typer.Argument(help="Its id: utm_campaign, campaignReferenceId.", show_default=False)],
    store: Store,
    day: Annotated[str, typer.Option(help="The day it was sent: YYYY-MM-DD.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="For people; the id by default.")] = None,
    channel: Annotated[str | None, typer.Option(help="whatsapp or sms.")] = None,
    recipients: Annotated[int | None, typer.Option(min=0)] = None,
    deliveries: Annotated[int | None, typer.Option(min=0)] = None,
    cost: Annotated[str | None, typer.Option(help="In major units: 129.90")] = None,
    currency: Annotated[str | None, typer.Option(help="Of the cost.")] = None,
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
    execute(lambda: write_campaigns(settings, [row]))
    print(f"campaign {campaign} of {store} is set.")


def load(
    file: Annotated[Path, typer.Argument(help="CSV with a head line.", exists=True, dir_okay=False)], store: Store
) -> None:
    """Import campaigns from CSV: campaign, name, channel, day, recipients, deliveries, cost, currency.

    Example: hellotext-vtex campaigns import campaigns.csv --store acme
    """
    rows = read_csv(store, file.read_text("utf-8-sig"))
    settings = connected(quiet=True)
    execute(lambda: write_campaigns(settings, rows))
    print(f"{len(rows)} campaigns of {store} are imported.")


def read_csv(store: str, text: str) -> list[Campaign]:
    """Return the campaigns in a CSV text; a line that is wrong ends the command and names it."""
    lines = csv.DictReader(text.splitlines())
    unknown = set(lines.fieldnames or ()) - set(COLUMNS)
    if unknown or "campaign" not in (lines.fieldnames or ()):
        fail(f"the CSV's columns must be {', '.join(COLUMNS)}; got {', '.join(lines.fieldnames or ['none'])}", 2)
    return [read_campaign(store, line, f"line {number}: ") for number, line in enumerate(lines, start=2)]


def read_campaign(store: str, given: dict[str, Any], where: str = "") -> Campaign:
    """Return a campaign from what a person gave; wrong values end the command."""
    found = {name: value for name, value in given.items() if value not in {None, ""}}
    try:
        cost = found.pop("cost", None)
        if cost is not None:
            if "currency" not in found:
                fail(f"{where}a cost needs its currency", 2)
            found["cost_micros"] = to_micros(cost)
        found.setdefault("day", date.today().isoformat())  # noqa: DTZ011  the operator's own day
        return Campaign.model_validate({"store": store, "name": found.get("campaign"), **found})
    except (ValidationError, ArithmeticError) as error:
        fail(where + (told(error) or "the cost is no number"), 2)


async def write_campaigns(settings: Settings, rows: list[Campaign]) -> None:
    """Write campaigns."""
    connection = await ensure_topics(settings)
    for row in rows:
        await write_row(connection, CAMPAIGNS, row.store, (row.campaign,), row)


async def read_campaigns(settings: Settings) -> list[Campaign]:
    """Return every campaign, by store and day."""
    found = await latest_by_key(await ensure_topics(settings), CAMPAIGNS.name)
    rows = [Campaign.model_validate_json(record.value) for record in found.values()]
    return sorted(rows, key=lambda row: (row.store, row.day, row.campaign))
