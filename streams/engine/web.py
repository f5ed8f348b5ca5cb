"""The worker's pages, on Faust's web server: health, readiness and metrics."""

from dataclasses import asdict
from typing import Any

from prometheus_client import generate_latest

from streams.engine.health import Health
from streams.engine.metrics import Metrics

UNAVAILABLE = 503


def add_pages(app: Any, health: Health, metrics: Metrics) -> None:
    """Serve `/health`, `/ready` and `/metrics`.

    Args:
        app: the Faust app.
        health: answers 200 while nobody has to look, else 503; the body says who waits for whom, since when.
        metrics: in Prometheus' text format.
    """

    async def show_health(web: Any, request: Any) -> Any:
        del request
        waits = [asdict(wait) for wait in health.waits()]
        return web.json({"healthy": health.healthy, "waits": waits}, status=200 if health.healthy else UNAVAILABLE)

    async def show_ready(web: Any, request: Any) -> Any:
        del request
        return web.json({"ready": health.ready}, status=200 if health.ready else UNAVAILABLE)

    async def show_metrics(web: Any, request: Any) -> Any:
        del request
        return web.bytes(generate_latest(metrics.registry), content_type="text/plain")

    app.page("/health", name="engine.health")(show_health)
    app.page("/ready", name="engine.ready")(show_ready)
    app.page("/metrics", name="engine.metrics")(show_metrics)
