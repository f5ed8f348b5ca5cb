"""`stores progress`: how far the first reading of a store is, once or until it has ended."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table

from connectors.kafka.connection import KafkaConnection
from connectors.vtex.progress import ReadingProgress, progress
from hellotext_vtex.foreground import execute, print_json, print_line
from hellotext_vtex.known_stores import expect_store
from hellotext_vtex.provisioned import ensure_topics
from hellotext_vtex.settings import Settings
from hellotext_vtex.started import connected
from hellotext_vtex.tables import ahead, terminal

EVERY_S: Final = 1.0
NOTHING_YET: Final = "Nothing is read yet: a poller begins as soon as a store is connected."


def show_progress(
    store: Annotated[str | None, typer.Argument(help="Name of the store; all by default.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until everything was read once.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; with --follow a line each second.")] = False,
) -> None:
    """Show how far stores are read: done, in total, a second, the time left, and when VTEX is tried again if it rests.

    Example: hellotext-vtex stores progress acme --follow
    """
    settings = connected(quiet=True)
    execute(lambda: _show(settings, store, follow=follow, as_json=json))


async def _show(settings: Settings, store: str | None, *, follow: bool, as_json: bool) -> None:
    connection = await ensure_topics(settings)
    rows = await progress(connection, store)
    await expect_store(connection, store, found=bool(rows))
    if not follow:
        if as_json:
            print_json(_told(rows))
        else:
            terminal().print(table_of(rows) if rows else NOTHING_YET)
    elif as_json:
        print_line(_told(rows))
        while rows := await _next(connection, store, rows):
            print_line(_told(rows))
    else:
        with Live(table_of(rows), console=terminal(), auto_refresh=False, transient=False) as live:
            while rows := await _next(connection, store, rows):
                live.update(table_of(rows), refresh=True)


async def _next(
    connection: KafkaConnection, store: str | None, rows: Sequence[ReadingProgress]
) -> list[ReadingProgress]:
    """Return the next rows; none when everything was read."""
    if rows and all(row.finished for row in rows):
        return []
    await asyncio.sleep(EVERY_S)
    return await progress(connection, store) or list(rows)


def table_of(rows: Sequence[ReadingProgress]) -> Table:
    """Return the table that people see."""
    table = Table(
        "store", "reading", "", *(Column(name, justify="right") for name in ("done", "of", "a second", "left"))
    )
    now = datetime.now(UTC)
    for row in rows:
        bar = ProgressBar(total=1.0, completed=row.share or 0.0, width=20)
        total = "?" if row.total is None else f"{row.total:,}"
        rate = "-" if row.rate is None else f"{row.rate:,.0f}"
        table.add_row(row.store, row.reading, bar, f"{row.done:,}", total, rate, _left(row, now))
    return table


def _left(row: ReadingProgress, now: datetime) -> str:
    again = "" if row.again is None or row.again <= now else f"VTEX again at {ahead(row.again, now)}"
    if row.finished:
        return f"done; {again}" if again else "done"
    return again or ("?" if row.left_s is None else str(timedelta(seconds=round(row.left_s))))


def _told(rows: Sequence[ReadingProgress]) -> list[dict[str, Any]]:
    return [
        {
            **{name: value for name, value in asdict(row).items() if name != "again"},
            "at": row.at.isoformat(), "tries_again": row.again.isoformat() if row.again is not None else None,
        }
        for row in rows
    ]  # fmt: skip
