"""`kpis`: campaign figures as a table, live, as a file, explained to the cent, or asked by SQL."""

import asyncio
import csv
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.live import Live
from rich.table import Table

from connectors.kafka.explain import Explained, explain
from connectors.kafka.reader import CommittedReader, Record
from hellotext_vtex.commands.campaigns import read_campaigns
from hellotext_vtex.commands.kpi_sql import flat, read_rows, sql
from hellotext_vtex.foreground import execute, fail, print_json, print_line
from hellotext_vtex.known_stores import expect_store, find_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import FIGURES, fitted, kpi_table, terminal
from schemas.kpis import CampaignKpis
from schemas.topics import KPI_CAMPAIGNS

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
StoreOption = Annotated[str | None, typer.Option("--store", help="Of this store only.")]
CampaignOption = Annotated[str | None, typer.Option("--campaign", help="Of this campaign only.")]
Basis = Literal["total", "delivery", "purchase"]
BasisOption = Annotated[
    Basis, typer.Option("--basis", help="total, delivery (by message day), purchase (by order day).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Campaign KPIs (docs/kpis.md says what each means).", no_args_is_help=True)
    for command, name in (
        (show, "show"),
        (watch, "watch"),
        (export, "export"),
        (explain_cell, "explain"),
        (sql, "sql"),
    ):
        group.command(name)(command)
    app.add_typer(group, name="kpis", rich_help_panel="Campaigns")


def show(
    store: StoreOption = None, campaign: CampaignOption = None, basis: BasisOption = "total", json: Json = False
) -> None:
    """Show campaigns' figures.

    Example: hellotext-vtex kpis show --store acme --basis purchase
    """
    settings = connected(quiet=True)
    cells = execute(lambda: read_chosen(settings, store, campaign, basis))
    if json:
        print_json([cell.model_dump(mode="json") for cell in cells])
        return
    names = execute(lambda: campaign_names(settings))
    if cells:
        terminal().print(kpi_table(cells, names))
    elif campaign is not None:
        print(f"No figures of a campaign {campaign!r} yet; `kpis show` without --campaign shows all there are.")
    else:
        print("No figures yet: they come with messages, visits and orders.")


def watch(
    store: StoreOption = None,
    campaign: CampaignOption = None,
    basis: BasisOption = "total",
    json: Annotated[bool, typer.Option("--json", help="Print each cell that changes, one JSON object a line.")] = False,
) -> None:
    """Show the figures live, until Ctrl-C.

    Example: hellotext-vtex kpis watch
    """
    settings = connected(quiet=True)
    execute(lambda: _watch(settings, store, campaign, basis, as_json=json))


async def _watch(settings: Settings, store: str | None, campaign: str | None, basis: Basis, *, as_json: bool) -> None:
    connection = await ensure_topics(settings)
    if store is not None:
        await find_store(connection, store)
    names = await campaign_names(settings)
    rows: dict[bytes, CampaignKpis] = {}
    async with CommittedReader(connection, [KPI_CAMPAIGNS.name]) as reader:
        console = terminal()
        with nullcontext() if as_json else Live(refresh_per_second=4, console=console) as live:
            while True:
                changed = [record for batch in await reader.poll() for record in batch.records]
                _take(rows, changed)
                cells = [rows[record.key] for record in changed if record.key in rows] if as_json else rows.values()
                shown = chosen(cells, store, campaign, basis)
                if live is not None:
                    live.update(fitted(kpi_table(shown, names), console))
                else:
                    for cell in shown:
                        print_line(cell.model_dump(mode="json"))
                await asyncio.sleep(0.1)


def _take(rows: dict[bytes, CampaignKpis], records: list[Record]) -> None:
    for record in records:
        if record.value is None:
            rows.pop(record.key, None)
        else:
            rows[record.key] = CampaignKpis.model_validate_json(record.value)


def export(
    file: Annotated[Path, typer.Argument(help="Ends in .csv or .jsonl; - writes CSV to standard output.")],
    store: StoreOption = None,
    campaign: CampaignOption = None,
    basis: Annotated[Basis | None, typer.Option("--basis", help="All by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write the figures to a file.

    Example: hellotext-vtex kpis export kpis.csv --store acme
    """
    if str(file) != "-" and file.suffix not in {".csv", ".jsonl"}:
        fail(f"{file}: the name must end in .csv or .jsonl", 2)
    settings = connected(quiet=True)
    cells = execute(lambda: read_chosen(settings, store, campaign, basis))
    if str(file) == "-":
        _write_csv(cells, sys.stdout)
        return
    try:
        if file.suffix == ".jsonl":
            file.write_bytes(b"".join(cell.model_dump_json().encode() + b"\n" for cell in cells))
        else:
            with file.open("w", newline="", encoding="utf-8") as target:
                _write_csv(cells, target)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    if json:
        print_json({"file": str(file), "rows": len(cells)})
    else:
        print(f"{len(cells)} rows written to {file}")


def _write_csv(cells: list[CampaignKpis], target: Any) -> None:
    rows = csv.DictWriter(target, list(CampaignKpis.model_fields))
    rows.writeheader()
    rows.writerows(flat(cell) for cell in cells)


def explain_cell(
    store: Annotated[str, typer.Argument(help="Name of the store.", show_default=False)],
    campaign: Annotated[str, typer.Argument(help="The campaign's id.", show_default=False)],
    basis: BasisOption = "total",
    date: Annotated[str, typer.Option("--date", help="Local day; `all` for the total.")] = "all",
    currency: Annotated[str | None, typer.Option(help="The cell's; the only one by default.")] = None,
    json: Json = False,
) -> None:
    """Say where every cent of a cell comes from: its orders, their touches, the rule, what was refunded.

    Example: hellotext-vtex kpis explain acme black-friday --basis purchase --date 2026-11-27
    """
    settings = connected(quiet=True)
    found = execute(lambda: _explained(settings, store, campaign, basis, date, currency))
    if json:
        print_json({
            "cell": found.cell.model_dump(mode="json"), "exact": found.exact,
            "orders": [order.model_dump(mode="json") for order in found.orders],
        })  # fmt: skip
    else:
        _print_explained(found)
    if not found.exact:
        fail("the orders' sums differ from the cell: it is being recomputed now, or something is wrong (see audit)")


async def _explained(
    settings: Settings, store: str, campaign: str, basis: Basis, date: str, currency: str | None
) -> Explained:
    connection = await ensure_topics(settings)
    await find_store(connection, store)
    return await explain(connection, store, campaign, basis, date, currency)


def _print_explained(found: Explained) -> None:
    cell = found.cell
    console = terminal()
    console.print(kpi_table([cell], {}))
    table = Table("order", "ordered", "amount", "refunded", "net", "rule", "touch", "at", "losers")
    for order in found.orders:
        winner = order.winner
        table.add_row(
            order.order, order.ordered_at.isoformat(timespec="minutes"),
            FIGURES.money(order.amount, order.currency).text, FIGURES.money(order.refunded, order.currency).text,
            FIGURES.money(order.net, order.currency).text, order.rule,
            f"{winner.kind} by {winner.evidence} {winner.message or winner.session or ''}" if winner else "",
            winner.at.isoformat(timespec="minutes") if winner else "", str(len(order.losers)),
        )  # fmt: skip
    console.print(table)
    net = FIGURES.money(sum(order.net for order in found.orders), cell.currency).text
    console.print(f"{len(found.orders)} orders, net {net}: {'equal to the cell' if found.exact else 'NOT the cell'}")


async def read_chosen(
    settings: Settings, store: str | None, campaign: str | None, basis: str | None
) -> list[CampaignKpis]:
    """Return the cells that were asked for.

    Raises:
        CommandError: they are those of a store that nobody has connected.
    """
    cells: list[CampaignKpis] = await read_rows(settings, KPI_CAMPAIGNS, CampaignKpis)
    await expect_store(settings.connection(), store, found=any(cell.store == store for cell in cells))
    return chosen(cells, store, campaign, basis)


async def campaign_names(settings: Settings) -> dict[tuple[str, str], str]:
    """Return campaigns' names for people, by store and campaign."""
    return {(row.store, row.campaign): row.name for row in await read_campaigns(settings)}


def chosen(
    cells: Iterable[CampaignKpis], store: str | None, campaign: str | None, basis: str | None
) -> list[CampaignKpis]:
    """Return the cells that were asked for, in order of store, campaign and date."""
    wanted = [
        cell
        for cell in cells
        if store in {None, cell.store} and campaign in {None, cell.campaign} and basis in {None, cell.basis}
    ]
    return sorted(wanted, key=lambda cell: (cell.store, cell.campaign, cell.basis, cell.date, cell.currency))
