"""The collector as an application: routing, and nothing between it and the handlers.

Every request gets exactly one answer, with CORS headers, whatever happens in its handler.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from connectors.pixel.answers import Answer, answer, busy, other, refusal
from connectors.pixel.cors import preflight
from connectors.pixel.health import Health
from connectors.pixel.hooks import Hooks
from connectors.pixel.intake import Intake
from connectors.pixel.metrics import Metrics
from connectors.pixel.proxy import Proxy
from connectors.pixel.request import Refused, Request
from connectors.pixel.scripts import Scripts
from connectors.pixel.settings import CollectorSettings
from connectors.pixel.tracking import Tracking
from connectors.pixel.wire import WireError

log = structlog.get_logger()

Handler = Callable[[Request], Awaitable[Answer]]

_PUBLIC: Final = "/v1/public/"
_OURS: Final = frozenset(("/v1/public/acks", "/v1/public/identifications"))  # whatever the method
_REPORTS: Final = "/v1/reports/"
_REPORTS_LIMIT: Final = 4 << 20
"""A hundred reports a call by default, and the vendor does not split what we refuse."""
_PAGES_ONLY: Final = refusal(
    403, "not_allowed", "Hellotext's own addresses take the public business id, not a back end's token."
)
_NOT_FOUND: Final = refusal(404, "not_found", "There is nothing at this address.")


class Collector:
    """The application of one worker process."""

    def __init__(
        self,
        settings: CollectorSettings,
        *,
        intake: Intake,
        health: Health,
        metrics: Metrics,
        proxy: Proxy,
        scripts: Scripts,
    ) -> None:
        self._settings = settings
        self._intake = intake
        self._metrics = metrics
        self._proxy = proxy
        self._tracking = tracking = Tracking(intake, settings)
        self._hooks = Hooks(intake)
        self._working = 0
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/v1/track/events"): partial(tracking.one, kind="event"),
            ("POST", "/v1/track/batch"): tracking.batch,
            ("POST", "/v1/public/acks"): partial(tracking.one, kind="acknowledgement"),
            ("POST", "/v1/public/identifications"): partial(tracking.one, kind="identification"),
            ("POST", "/v1/track/sessions"): tracking.session,
            ("GET", "/v1/track/pixel.gif"): tracking.picture,
        }
        self._plain: dict[str, Callable[[], Answer]] = {
            "/v1/pixel.js": scripts.pixel,
            "/v1/checkout.js": scripts.checkout,
            "/health/live": health.live,
            "/health/ready": health.ready,
            "/metrics": self._measured,
        }

    def body_limit(self, path: str) -> int:
        """Return how many bytes a request to a path may bring."""
        return _REPORTS_LIMIT if path.startswith(_REPORTS) else self._settings.body_limit

    async def answer(self, request: Request) -> Answer:
        """Return the one answer to a request."""
        if request.method == "OPTIONS":
            return preflight(request.headers.get(b"access-control-request-headers", b""))
        if self._working >= self._settings.concurrency:
            reply = busy("Too many requests at once.", 1)
        else:
            self._working += 1
            try:
                reply = await self._handled(request)
            except Refused as refused:
                reply = refused.answer
            except WireError as error:
                reply = answer(422, {"errors": error.errors})
            except Exception:
                log.exception("a request failed", path=_label(request.path))
                reply = refusal(500, "internal", "The collector failed on this request; nothing is known to be kept.")
            finally:
                self._working -= 1
        self._metrics.answered(_label(request.path), str(reply.status))
        return reply

    def _handled(self, request: Request) -> Awaitable[Answer]:
        method, path = request.method, request.path
        handler = self._routes.get((method, path))
        return handler(request) if handler is not None else self._elsewhere(request, method, path)

    async def _elsewhere(self, request: Request, method: str, path: str) -> Answer:
        plain = self._plain.get(path)
        if plain is not None and method in {"GET", "HEAD"}:
            return plain()
        return await self._by_prefix(request, method, path)

    async def _by_prefix(self, request: Request, method: str, path: str) -> Answer:
        parts = path.split("/")[1:]
        match method, parts:
            case "POST", ["v1", "reports", "infobip", store]:
                return await self._hooks.reports(request, store)
            case "POST", ["v1", "triggers", store, resource]:
                return await self._hooks.trigger(request, store, resource)
            case "GET", ["v1", "public", "businesses", _]:
                return await self._tracking.business(request)
            case _ if path.startswith(_PUBLIC) and ".." not in parts and path not in _OURS:
                return await self._passed_on(request)
        return _NOT_FOUND

    async def _passed_on(self, request: Request) -> Answer:
        admitted, server = self._intake.admit(request)
        if server:
            return _PAGES_ONLY  # the token is between the back end and us
        self._intake.charge(admitted)
        target = request.raw_path.decode("latin-1").removeprefix("/v1")
        if request.query_string:
            target += "?" + request.query_string.decode("latin-1")
        return await self._proxy.pass_on(
            admitted.connection.hellotext.url, target, request.method, request.headers, request.body()
        )

    def _measured(self) -> Answer:
        return other(200, generate_latest(self._metrics.registry), CONTENT_TYPE_LATEST)


_LABELS: Final = {
    "reports": "/v1/reports", "triggers": "/v1/triggers", "public": "/v1/public", "track": "/v1/track",
}  # fmt: skip


def _label(path: str) -> str:
    """A path's place in the metrics and logs: never the path itself, which anybody may choose."""
    parts = path.split("/", 3)
    return _LABELS.get(parts[2], "other") if len(parts) > 2 and parts[1] == "v1" else "other"  # noqa: PLR2004  /v1/<name>
