"""What the demo prints at the end: the KPI table, whether it equals the ledger, and which page to open."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connectors.console.figures import DASH
from hellotext_vtex.demo import Verdict
from hellotext_vtex.tables import FIGURES
from hellotext_vtex.up import House

SHOWN = ("sent", "delivered", "clicks", "visitors", "conversions", "revenue", "refunded", "net", "cost_micros", "roi")
MOST_DIFFERENCES = 20


def report(verdict: Verdict, house: House, console: Console) -> None:
    """Print it."""
    table = Table(title="Campaign KPIs, from the topic kpi.campaigns, beside the sandbox's own ledger")
    for name in ("store", "campaign"):
        table.add_column(name)
    for name in SHOWN:
        table.add_column(name.removesuffix("_micros"), justify="right")
    table.add_column("ledger")
    wrong = {difference.cell for difference in verdict.differences}
    for key in sorted(verdict.cells.keys() | verdict.ledger.keys()):
        if key[2] == "total":
            ours = verdict.cells[key].model_dump() if key in verdict.cells else {}
            table.add_row(key[0], escape(key[1]), *(_text(name, ours.get(name), key[4]) for name in SHOWN),
                          "[red]differs[/]" if key in wrong else "[green]equal[/]")  # fmt: skip
    console.print(table)
    for difference in verdict.differences[:MOST_DIFFERENCES]:
        console.print(f"[red]{escape(str(difference))}[/]", highlight=False)
    cells = len(verdict.cells.keys() | verdict.ledger.keys())
    if verdict.differences:
        console.print(f"[red]{len(verdict.differences)} of {verdict.figures} figures in {cells} cells differ.[/]")
    else:
        console.print(f"All {verdict.figures} figures in {cells} cells equal the ledger's.")
    for store, (there, known) in verdict.profiles.items():
        mark = "[green]equal[/]" if there == known else "[red]differs[/]"
        console.print(f"Profiles of {store} at Hellotext: {there}, people it can reach: {known} {mark}")
    console.print(f"Dashboard  {house.urls['console']}", highlight=False)
    console.print(f"Sandbox    {house.urls['sandbox']}", highlight=False)
    topics = f", topics {house.settings.topic_prefix}*" if house.settings.topic_prefix else ""
    console.print(f"Broker     {house.connection.bootstrap_servers}{topics}", highlight=False)


def report_json(verdict: Verdict, house: House) -> dict[str, Any]:
    """Return the comparison for scripts."""
    return {
        "equal": verdict.equal,
        "figures": verdict.figures,
        "cells": [cell.model_dump(mode="json") for _, cell in sorted(verdict.cells.items())],
        "differences": [
            {"cell": "/".join(one.cell), "figure": one.figure, "ours": one.ours, "ledger": one.ledger}
            for one in verdict.differences
        ],
        "profiles": {store: {"there": there, "known": known} for store, (there, known) in verdict.profiles.items()},
        "urls": house.urls, "broker": house.connection.bootstrap_servers, "topic_prefix": house.settings.topic_prefix,
    }  # fmt: skip


def _text(name: str, value: object, currency: str) -> str:
    if value is None:
        return DASH
    if name == "cost_micros":
        return FIGURES.cost(int(str(value)), currency).text
    if name in {"revenue", "refunded", "net"}:
        return FIGURES.money(int(str(value)), currency).text
    return f"{value:.1%}" if isinstance(value, float) else str(value)
