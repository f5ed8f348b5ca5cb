"""Tables in a terminal: figures as the console shows them, the unknown as a dash, and none of them cut."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console, Group
from rich.table import Column, Table

from connectors.console.figures import Figures
from schemas.kpis import CampaignKpis

FIGURES: Final = Figures("en")
UNBOUND: Final = 2_000
"""Columns of a table that goes to a file or a pipe, where nothing has to be cut."""
COLUMNS: Final = (
    "sent", "delivered", "failed", "seen", "clicks", "engaged", "visitors", "conversions", "revenue", "refunded", "net",
    "cost", "ctr", "conversion rate", "roas", "roi",
)  # fmt: skip


def shown(cell: CampaignKpis) -> tuple[str, ...]:
    """Return a cell's figures as text, in the order of `COLUMNS`."""
    money, why = cell.currency, ""
    return (
        *(FIGURES.count(getattr(cell, name)).text for name in COLUMNS[:8]),
        FIGURES.money(cell.revenue, money).text, FIGURES.money(cell.refunded, money).text,
        FIGURES.money(cell.net, money).text, FIGURES.cost(cell.cost_micros, money).text,
        FIGURES.percent(cell.ctr, why).text, FIGURES.percent(cell.conversion_rate, why).text,
        FIGURES.ratio(cell.roas, why).text, FIGURES.percent(cell.roi, why).text,
    )  # fmt: skip


def moment(at: datetime) -> str:
    """Return when something was: 2026-11-26 10:00 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def ahead(at: datetime, now: datetime) -> str:
    """Return when something will be: 10:05:09 UTC, in 240 s."""
    return f"{at.astimezone(UTC):%H:%M:%S} UTC, in {math.ceil((at - now).total_seconds())} s"


def kpi_table(cells: Iterable[CampaignKpis], names: Mapping[tuple[str, str], str], *, title: str = "") -> Table:
    """Return the table of some cells.

    Args:
        cells: rows, in order.
        names: of campaigns, by store and campaign.
        title: above the table.
    """
    table = Table(title=title or None, title_justify="left")
    table.add_column("store")
    table.add_column("campaign", max_width=28)
    table.add_column("date")
    for name in COLUMNS:
        table.add_column(name, justify="right")
    for cell in cells:
        name = names.get((cell.store, cell.campaign), cell.campaign)
        table.add_row(cell.store, name, f"{cell.date} {cell.currency}", *shown(cell))
    return table


def fitted(table: Table, console: Console) -> Group:
    """Return a table in as many parts as it takes for no figure to be cut, each beginning with what its rows are about.

    Those are the columns before the first figure (it is justified to the right); one where there is none.
    """
    unbound = console.options.update_width(UNBOUND)
    if console.measure(table, options=unbound).maximum <= console.width:
        return Group(table)
    figures = [number for number, column in enumerate(table.columns) if column.justify == "right"]
    lead = table.columns[: figures[0] if figures else 1]
    heads = [replace(column, width=min(_longest_word(column), console.width // 3)) for column in lead]
    parts: list[list[Column]] = []
    for column in table.columns[len(lead) :]:
        last = [*(parts[-1] if parts else heads), replace(column, no_wrap=column.justify == "right")]
        if parts and console.measure(_part(table, last), options=unbound).minimum <= console.width:
            parts[-1] = last
        else:
            parts.append([*heads, last[-1]])
    return Group(*(_part(table, columns) for columns in parts or [heads]))


def _part(table: Table, columns: Iterable[Column]) -> Table:
    """Return a table of some columns; a word that is longer than there is room for goes on in the next line."""
    part = Table(title=table.title, title_justify=table.title_justify)
    part.columns = [replace(column, _index=number, overflow="fold") for number, column in enumerate(columns)]
    part.rows = table.rows
    return part


def _longest_word(column: Column) -> int:
    return max(cell_len(word) for cell in (column.header, *column.cells) for word in str(cell).split() or [""])


class Terminal(Console):
    """Where tables are printed: what becomes of a reader that has had enough is the front door's matter."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; a table that is too wide in parts."""
        super().print(*(fitted(one, self) if isinstance(one, Table) else one for one in objects), **options)

    def on_broken_pipe(self) -> None:
        """Let the error through: rich would end the process with exit code 1."""
        raise  # noqa: PLE0704  rich calls this while it handles the error


def terminal(*, markup: bool = False) -> Console:
    """Return where tables are printed: as wide as the terminal, and wide where there is none.

    Args:
        markup: take `[red]` for a colour. Names are people's own words, and may hold brackets.
    """
    console = Terminal(highlight=False, markup=markup)
    return console if console.is_terminal else Terminal(highlight=False, markup=markup, width=UNBOUND)
