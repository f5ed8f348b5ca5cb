"""KPI tables in a terminal: figures as the console shows them, the unknown as a dash."""

from collections.abc import Iterable, Mapping
from typing import Final

from rich.console import Console
from rich.table import Table

from connectors.console.figures import Figures
from schemas.kpis import CampaignKpis

FIGURES: Final = Figures("en")
UNBOUND: Final = 200
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


class Terminal(Console):
    """Where tables are printed: what becomes of a reader that has had enough is the front door's matter."""

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
