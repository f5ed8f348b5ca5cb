"""`kpis`: campaign figures as a table, live, as a file, explained to the cent, or asked by SQL."""

import asyncio
import csv
import sqlite3
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
from rich.live import Live
from rich.table import Table

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.explain import Explained, explain
from connectors.kafka.reader import CommittedReader, latest_by_key
from hellotext_vtex.commands.campaigns import read_campaigns
from hellotext_vtex.foreground import CommandError, execute, fail, print_json
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import FIGURES, kpi_table, terminal
from schemas.kpis import Attribution, CampaignKpis
from schemas.model import Model
from schemas.topics import ATTRIBUTIONS, KPI_CAMPAIGNS, Topic

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
    cells = chosen(execute(lambda: read_cells(settings)), store, campaign, basis)
    if json:
        print_json([cell.model_dump(mode="json") for cell in cells])
        return
    names = execute(lambda: campaign_names(settings))
    terminal().print(
        kpi_table(cells, names) if cells else "No figures yet: they come with messages, visits and orders."
    )


def watch(store: StoreOption = None, campaign: CampaignOption = None, basis: BasisOption = "total") -> None:
    """Show the figures live, until Ctrl-C.

    Example: hellotext-vtex kpis watch
    """
    settings = connected(quiet=True)
    execute(lambda: _watch(settings, store, campaign, basis))


async def _watch(settings: Settings, store: str | None, campaign: str | None, basis: Basis) -> None:
    names = await campaign_names(settings)
    rows: dict[bytes, CampaignKpis] = {}
    async with CommittedReader(settings.connection(), [KPI_CAMPAIGNS.name]) as reader:
        with Live(refresh_per_second=4) as live:
            while True:
                for batch in await reader.poll():
                    for record in batch.records:
                        if record.value is None:
                            rows.pop(record.key, None)
                        else:
                            rows[record.key] = CampaignKpis.model_validate_json(record.value)
                live.update(kpi_table(chosen(list(rows.values()), store, campaign, basis), names))
                await asyncio.sleep(0.1)


def export(
    file: Annotated[Path, typer.Argument(help="Ends in .csv or .jsonl; - writes CSV to standard output.")],
    store: StoreOption = None,
    campaign: CampaignOption = None,
    basis: Annotated[Basis | None, typer.Option("--basis", help="All by default.")] = None,
) -> None:
    """Write the figures to a file.

    Example: hellotext-vtex kpis export kpis.csv --store acme
    """
    if str(file) != "-" and file.suffix not in {".csv", ".jsonl"}:
        fail(f"{file}: the name must end in .csv or .jsonl", 2)
    settings = connected(quiet=True)
    cells = chosen(execute(lambda: read_cells(settings)), store, campaign, basis)
    try:
        if file.suffix == ".jsonl":
            file.write_bytes(b"".join(cell.model_dump_json().encode() + b"\n" for cell in cells))
        elif str(file) == "-":
            _write_csv(cells, sys.stdout)
        else:
            with file.open("w", newline="", encoding="utf-8") as target:
                _write_csv(cells, target)
    except OSError as error:
        fail(f"{file} cannot be written: {error.strerror}")
    if str(file) != "-":
        print(f"{len(cells)} rows written to {file}")


def _write_csv(cells: list[CampaignKpis], target: Any) -> None:
    rows = csv.DictWriter(target, list(CampaignKpis.model_fields))
    rows.writeheader()
    rows.writerows(_flat(cell) for cell in cells)


def explain_cell(
    store: Annotated[str, typer.Argument(show_default=False)],
    campaign: Annotated[str, typer.Argument(show_default=False)],
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
    return await explain(connection, store, campaign, basis, date, currency or await _currency(connection, store))


async def _currency(connection: KafkaConnection, store: str) -> str:
    for record in (await latest_by_key(connection, KPI_CAMPAIGNS.name)).values():
        cell = CampaignKpis.model_validate_json(record.value)
        if cell.store == store:
            return cell.currency
    raise CommandError(f"store {store} has no figures yet: hellotext-vtex kpis show")


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


def sql(
    query: Annotated[str, typer.Argument(help="SQLite; tables kpis and attributions.", show_default=False)],
    json: Json = False,
) -> None:
    """Ask the figures by SQL: tables `kpis` and `attributions`, columns as in docs/schemas.

    Example: hellotext-vtex kpis sql "select campaign, net/100.0 from kpis where basis='total' order by net desc"
    """
    settings = connected(quiet=True)
    database = sqlite3.connect(":memory:")
    try:
        _fill(database, "kpis", CampaignKpis, execute(lambda: read_rows(settings, KPI_CAMPAIGNS, CampaignKpis)))
        _fill(database, "attributions", Attribution, execute(lambda: read_rows(settings, ATTRIBUTIONS, Attribution)))
        cursor = database.execute(query)
        columns = [column[0] for column in cursor.description or ()]
        rows = cursor.fetchall()
    except sqlite3.Error as error:
        fail(f"the query failed: {error}", 2)
    finally:
        database.close()
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    terminal().print(table)


def _fill(database: sqlite3.Connection, name: str, model: type[Model], rows: list[Any]) -> None:
    columns = ", ".join(f'"{field}"' for field in model.model_fields)
    database.execute(f"create table {name} ({columns})")
    places = ", ".join("?" for _ in model.model_fields)
    values = [tuple(_flat(row).values()) for row in rows]
    database.executemany(f"insert into {name} values ({places})", values)  # noqa: S608  names are our models' own


def _flat(row: Model) -> dict[str, Any]:
    """Return a row's fields; nested ones as JSON text."""
    fields = row.model_dump(mode="json")
    return {
        name: orjson.dumps(value).decode() if isinstance(value, dict | list) else value
        for name, value in fields.items()
    }


async def read_rows(settings: Settings, topic: Topic, model: type[Model]) -> list[Any]:
    """Return the rows that stand in a compacted topic."""
    found = await latest_by_key(await ensure_topics(settings), topic.name)
    return [model.model_validate_json(record.value) for record in found.values()]


async def read_cells(settings: Settings) -> list[CampaignKpis]:
    """Return every cell."""
    return await read_rows(settings, KPI_CAMPAIGNS, CampaignKpis)


async def campaign_names(settings: Settings) -> dict[tuple[str, str], str]:
    """Return campaigns' names for people, by store and campaign."""
    return {(row.store, row.campaign): row.name for row in await read_campaigns(settings)}


def chosen(cells: list[CampaignKpis], store: str | None, campaign: str | None, basis: str | None) -> list[CampaignKpis]:
    """Return the cells that were asked for, in order of store, campaign and date."""
    wanted = [
        cell
        for cell in cells
        if store in {None, cell.store} and campaign in {None, cell.campaign} and basis in {None, cell.basis}
    ]
    return sorted(wanted, key=lambda cell: (cell.store, cell.campaign, cell.basis, cell.date, cell.currency))
