from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from connectors.console.app import build_app
from connectors.console.console import Console
from connectors.console.reading import Progress
from connectors.console.settings import ConsoleSettings
from connectors.console.state import ReadModel
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from tests.scenarios.console.shop_rows import Row

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:8090"


@dataclass
class Stored:
    """A record as a consumer hands it out, as far as the read model looks at it."""

    key: bytes
    value: bytes | None


def put(model: ReadModel, rows: Iterable[Row]) -> None:
    """Have the read model read rows, one by one."""
    for topic, key, value in rows:
        model.apply(topic.name, [Stored(key, value)])


@dataclass
class Bench:
    """The real application over a read model that a test fills."""

    app: Starlette
    console: Console
    http: httpx.AsyncClient

    @property
    def model(self) -> ReadModel:
        return self.console.model

    def put(self, rows: Iterable[Row]) -> None:
        put(self.model, rows)

    async def html(self, path: str, status: int = 200) -> str:
        answer = await self.http.get(path)

        assert answer.status_code == status, answer.text[:500]
        return answer.text

    async def post(self, path: str, **form: str) -> httpx.Response:
        return await self.http.post(path, data=form, headers={"Origin": BASE})


@pytest.fixture
async def make_bench() -> AsyncIterator[Callable[..., Bench]]:
    """Makes applications; settings as those of the console."""
    clients = []

    def make(*, loaded: bool = True, **settings: Any) -> Bench:
        chosen = ConsoleSettings(**settings)
        progress = Progress(loaded=loaded, problem=None if loaded else "reading what the topics hold")
        progress.polled = float("inf")
        box = SecretBox(SecretBox.generate_key())
        console = Console(KafkaConnection("127.0.0.1:1"), box, chosen, ReadModel(chosen), progress)
        app = build_app(console)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE)
        clients.append(client)
        return Bench(app, console, client)

    yield make
    for client in clients:
        await client.aclose()
