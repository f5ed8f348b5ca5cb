"""docs/console.md names every page and every limit."""

import re
from pathlib import Path

from connectors.console.live import PAUSE_S
from connectors.console.reading import FATES_BACK
from connectors.console.settings import ConsoleSettings

PAGE = (Path(__file__).parents[3] / "docs" / "console.md").read_text()


def test_every_address_is_on_the_page(make_bench):
    """One that the code has and the page does not is found here, and the other way round."""
    paths = {route.path for route in make_bench().app.routes} - {"/static/{name}"}
    told = {path.split("?")[0] for path in re.findall(r"`(/[^`\s]*)`", PAGE)}

    assert paths == told


def test_limits_are_those_of_the_settings():
    """As numbers that people read."""
    settings = ConsoleSettings()
    for number in (settings.cells, settings.orders, settings.customers, settings.letters, FATES_BACK):
        assert f"{number:,} " in PAGE
    assert f"{settings.viewers} live pages" in PAGE
    assert PAUSE_S == 0.5
