"""`audit` proves that nothing is lost or doubled; `doctor` looks whether everything is in order."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from connectors.kafka.audit import AuditReport, audit
from hellotext_vtex.doctor import examine
from hellotext_vtex.foreground import execute, print_json
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected, started
from hellotext_vtex.tables import terminal

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "wrong": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("audit", rich_help_panel="Operations")(audit_topics)
    app.command("doctor", rich_help_panel="Operations")(doctor)


def doctor(json: Json = False) -> None:
    """Look whether everything is in order, and say what to do where it is not; exit code 1 when something is wrong.

    Example: hellotext-vtex doctor
    """
    settings = started(log_level="error")
    findings = execute(lambda: examine(settings))
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        console = terminal(markup=True)
        for finding in findings:
            console.print(f"{_MARKS[finding.state]} {finding.about:14} {escape(finding.detail)}", soft_wrap=True)
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(1)


def audit_topics(json: Json = False) -> None:
    """Prove from the topics that every accepted event has one fate; exit code 1 when one was lost or doubled.

    Example: hellotext-vtex audit --json
    """
    settings = connected(quiet=True)
    report = execute(lambda: _audit(settings))
    if json:
        print_json(report.as_json())
    else:
        _show(report)
    if not report.balanced:
        raise typer.Exit(1)


async def _audit(settings: Settings) -> AuditReport:
    return await audit(await ensure_topics(settings), spool_bytes=_spooled(settings.state_folder / "spool"))


def _spooled(folder: Path) -> int | None:
    """Return what a collector of this machine has accepted and not yet handed to Kafka; None where there is none."""
    if not folder.is_dir():
        return None
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _show(report: AuditReport) -> None:
    names = ("accepted", "counted", "duplicate", "filtered", "dead", "in_flight", "lost", "doubled", "balance")
    table = Table("store", "topic", *(Column(name, justify="right") for name in names))
    for store, row in report.as_json()["stores"].items():
        for topic, counts in row["topics"].items():
            table.add_row(store, topic, *(f"{counts.get(name, 0):,}" for name in names))
        table.add_row(store, "all", *(f"{row[name]:,}" for name in names))
    console = terminal()
    console.print(table)
    console.print("balanced: every accepted event has one fate" if report.balanced else "NOT balanced")
