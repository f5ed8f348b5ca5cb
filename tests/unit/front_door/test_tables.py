"""Tables show people's own words as they are, and whole figures however narrow the terminal."""

import io

import pytest
from rich.table import Table

from hellotext_vtex.tables import Terminal, fitted, kpi_table, terminal
from schemas.kpis import CampaignKpis


def test_brackets_in_a_name_are_neither_a_colour_nor_an_error(capsys):
    """A campaign's id is whatever stood in an address."""
    for name in ("[red]sale[/]", "[/x]", "[bold"):
        cell = CampaignKpis(store="acme", campaign=name, basis="total", date="all", currency="BRL",
                            updated_at="2026-11-26T00:00:00Z")  # fmt: skip
        terminal().print(kpi_table([cell], {}))

        assert name in capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80, 120, 2_000])
def test_no_figure_is_cut(width):
    """Where they do not fit beside each other, they stand below each other, each part with store, campaign and date."""
    cell = CampaignKpis(store="acme", campaign="black-friday", basis="total", date="all", currency="BRL", sent=1234567,
                        revenue=123456789, net=98765432, conversions=1234,
                        updated_at="2026-11-26T00:00:00Z")  # fmt: skip
    console = Terminal(file=io.StringIO(), width=width)

    console.print(kpi_table([cell], {}))

    shown = console.file.getvalue()
    assert "…" not in shown
    assert {"1,234,567", "R$1,234,567.89", "R$987,654.32", "1,234"} <= set(shown.split())
    parts = len(fitted(kpi_table([cell], {}), console).renderables)
    assert shown.count("acme") == shown.count("black-friday") == parts
    assert (parts == 1) is (width == 2_000)


def test_a_word_that_fits_nowhere_goes_on_in_the_next_line():
    """Such as a letter's id, which somebody wants to copy."""
    table = Table("at", "letter")
    table.add_row("10:00", "x" * 50)
    console = Terminal(file=io.StringIO(), width=30)

    console.print(table)

    assert console.file.getvalue().count("x") == 50
