"""What pages share: the read model, how figures look, the way to Kafka, and rendering."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from connectors.console.drafts import Drafts, Tickets
from connectors.console.figures import Figures
from connectors.console.links import LINKS
from connectors.console.live import Viewers
from connectors.console.memo import Memo
from connectors.console.reading import Progress
from connectors.console.settings import ConsoleSettings
from connectors.console.state import ALL, ReadModel, StoreView
from connectors.console.static import Static
from connectors.console.system import health_of
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox

CHECKS_AT_ONCE: Final = 4


@dataclass(slots=True)
class Console:
    """One console process.

    Attributes:
        http: for checks of keys; None has them use a client of their own.
        checking: bounds the calls to other systems that people can cause.
    """

    connection: KafkaConnection
    secrets: SecretBox
    settings: ConsoleSettings
    model: ReadModel
    progress: Progress
    http: httpx.AsyncClient | None = None
    static: Static = field(default_factory=Static)
    drafts: Drafts = field(default_factory=Drafts)
    tickets: Tickets = field(default_factory=Tickets)
    memo: Memo = field(default_factory=Memo)
    figures: Figures = field(init=False)
    viewers: Viewers = field(init=False)
    checking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CHECKS_AT_ONCE))
    _templates: Environment = field(init=False)

    def __post_init__(self) -> None:
        """Prepare what depends on the settings."""
        self.figures = Figures(self.settings.locale)
        self.viewers = Viewers(self.model, self.settings.viewers)
        self._templates = Environment(
            loader=PackageLoader("connectors.console"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(static=self.static.url, figures=self.figures, **LINKS)

    def store(self, request: Request) -> StoreView:
        """Return the store that an address names.

        Raises:
            HTTPException: 404; says when the topics have not been read to their end.
        """
        name = request.path_params["store"]
        found = self.model.stores.get(name)
        if found is not None:
            return found
        if not self.progress.loaded:
            raise HTTPException(503, f"The console is still {self.progress.waits_for or 'reading'}. Try again soon.")
        raise HTTPException(404, "No such store is connected.")

    def page(
        self, request: Request, template: str, *, status: int = 200, live: str | None = None, **context: Any
    ) -> HTMLResponse:
        """Return a page.

        Args:
            request: answered.
            template: its file.
            status: HTTP status.
            live: the store whose changes the page follows, or `ALL`; None for a page that stands still.
            context: what the template needs.
        """
        now = datetime.now(UTC)
        stores = [self.model.stores[name] for name in sorted(self.model.stores)]
        store = context.get("store")
        shown = stores if store is None else [store]
        html = self._templates.get_template(template).render(
            request=request,
            path=request.url.path,
            stores=stores,
            live=live,
            version=self.viewers.version(live or ALL),
            now=now,
            health=health_of(self.model, self.progress, shown, self.figures, now),
            waiting=self.progress.waits_for,
            **{"store": None, **context},
        )
        return HTMLResponse(html, status)
