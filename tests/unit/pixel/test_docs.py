"""docs/collector.md and its OpenAPI file say what the collector does."""

import re
from pathlib import Path

from connectors.pixel import openapi
from connectors.pixel.metrics import Metrics

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "collector.md").read_text()


def test_the_openapi_file_is_generated():
    """`python -m connectors.pixel.openapi` was run after the last change."""
    assert (DOCS / "collector.openapi.json").read_text() == openapi.text()


def test_every_route_is_in_the_openapi_file(make_bench):
    """And on the page."""
    app = make_bench().app
    documented = {(method.upper(), path) for path, methods in openapi.document()["paths"].items() for method in methods}

    assert set(app._routes) | {("GET", path) for path in app._plain} <= documented
    for _, path in documented:
        assert path.partition("{")[0] in PAGE


def test_every_metric_and_status_is_on_the_page():
    """A name in the code that the page does not have is found here."""
    metrics = [metric.name for metric in Metrics().registry.collect()]

    assert [name for name in metrics if name not in PAGE] == []
    assert [status for status in openapi._REFUSALS if not re.search(rf"\b{status}\b", PAGE)] == []
