"""Tables show people's own words as they are."""

from hellotext_vtex.tables import kpi_table, terminal
from schemas.kpis import CampaignKpis


def test_brackets_in_a_name_are_neither_a_colour_nor_an_error(capsys):
    """A campaign's id is whatever stood in an address."""
    for name in ("[red]sale[/]", "[/x]", "[bold"):
        cell = CampaignKpis(store="acme", campaign=name, basis="total", date="all", currency="BRL",
                            updated_at="2026-11-26T00:00:00Z")  # fmt: skip
        terminal().print(kpi_table([cell], {}))

        assert name in capsys.readouterr().out
