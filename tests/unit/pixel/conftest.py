import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.errors import WrongKey
from connectors.pixel.admission import Admission
from connectors.pixel.app import Collector
from connectors.pixel.connection import Connection
from connectors.pixel.frames import Placed, unpack
from connectors.pixel.health import Health
from connectors.pixel.intake import Intake
from connectors.pixel.metrics import Metrics
from connectors.pixel.producer import Outlet
from connectors.pixel.proxy import Proxy
from connectors.pixel.scripts import Scripts
from connectors.pixel.server import Server
from connectors.pixel.settings import CollectorSettings
from connectors.pixel.spool import Spool
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess

SECRET = "the store's hash secret"


def store_connection(**changes: Any) -> StoreConnection:
    """A connected store whose secrets are "sealed" by a prefix."""
    return StoreConnection(
        store="acme",
        vtex=VtexAccess(account="acme", url="http://vtex.invalid", app_key="k", app_token="sealed:t"),
        hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id="BID123", token="sealed:t"),
        country="BR",
        timezone="America/Sao_Paulo",
        currency="BRL",
        hash_secret=f"sealed:{SECRET}",
        hook_secret="sealed:hook-secret",
        server_token="sealed:server-token-of-acme",
        connected_at="2026-01-01T00:00:00Z",
    ).model_copy(update=changes)


class Stores:
    """The stores that are connected."""

    def __init__(self, *connections: StoreConnection) -> None:
        self.connections = list(connections)

    def get(self, store: str) -> StoreConnection | None:
        return next((c for c in self.connections if c.store == store), None)

    def by_business(self, business_id: str) -> StoreConnection | None:
        return next((c for c in self.connections if c.hellotext.business_id == business_id), None)

    def all(self) -> list[StoreConnection]:
        return self.connections


class PrefixBox:
    """Opens what `store_connection` sealed."""

    def unseal(self, sealed: str) -> str:
        if sealed.startswith("foreign:"):
            raise WrongKey("give the key with which the store was connected")
        return sealed.removeprefix("sealed:")


@dataclass
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def json(self) -> Any:
        return orjson.loads(self.body)


class Wire(asyncio.Transport):
    """The other end of a connection, in memory: what a collector writes to it is one answer."""

    def __init__(self, client: tuple[str, int]) -> None:
        super().__init__({"peername": client})
        self._written = b""
        self._something = asyncio.Event()

    def write(self, data: Any) -> None:
        self._written += data
        self._something.set()

    async def answered(self) -> None:
        """Wait for an answer; the collector writes each in one piece."""
        await asyncio.wait_for(self._something.wait(), 60)

    def reply(self, method: str) -> Reply:
        """Return the one answer."""
        head, _, body = self._written.partition(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        assert len(body) == (0 if method == "HEAD" else int(headers.get(b"content-length", b"0")))
        return Reply(int(status.split()[1]), headers, body)

    def close(self) -> None: ...
    def abort(self) -> None: ...
    def is_closing(self) -> bool:
        return False

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def write_eof(self) -> None: ...


@dataclass
class Bench:
    """The real application with Kafka away: everything that it accepts is in its spool."""

    app: Collector
    server: Server
    spool: Spool
    settings: CollectorSettings
    stores: Stores
    health: Health
    outlet: Outlet
    seen: int = field(default=0)

    async def call(
        self,
        method: str,
        target: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        client: tuple[str, int] = ("203.0.113.7", 5000),
    ) -> Reply:
        """Make one request, as a server would, and return the one answer."""
        given = {"authorization": "Bearer BID123", "origin": "https://shop.example", **(headers or {})}
        given.setdefault("content-length", str(len(body)))
        head = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
        wire = Wire(client)
        connection = Connection(self.server)
        connection.connection_made(wire)
        connection.data_received(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        await wire.answered()
        connection.connection_lost(None)
        return wire.reply(method)

    async def post(self, target: str, document: Any, headers: dict[str, str] | None = None) -> Reply:
        return await self.call("POST", target, orjson.dumps(document), headers)

    def kept(self) -> list[Placed]:
        """Everything in the spool, oldest first."""
        folders = sorted(self.settings.spool.glob("*/*.spool"))
        return [placed for path in folders for placed in unpack(path.read_bytes())]

    def topic(self, name: str) -> list[dict[str, Any]]:
        return [orjson.loads(placed.record.value) for placed in self.kept() if placed.record.topic == name]


@pytest.fixture
async def make_bench(tmp_path: Path):
    """Make benches; their spools stand in the test's own folder."""
    benches: list[tuple[Bench, Proxy]] = []

    def make(*connections: StoreConnection, **settings: Any) -> Bench:
        chosen = CollectorSettings(spool=tmp_path / f"spool{len(benches)}", **settings)
        metrics = Metrics()
        spool = Spool(chosen.spool, limit=chosen.spool_limit, segment_size=chosen.segment_size)
        outlet = Outlet(KafkaConnection("127.0.0.1:1"), spool, metrics, ack_timeout=0.1)
        health = Health(outlet, spool, spool_limit=chosen.spool_limit, ready_after=chosen.ready_after)
        intake = Intake(outlet, metrics, chosen)
        stores = Stores(*(connections or (store_connection(),)))
        intake.admission = Admission(stores, PrefixBox(), chosen, partitions=4)
        proxy = Proxy(chosen)
        app = Collector(chosen, intake=intake, health=health, metrics=metrics, proxy=proxy, scripts=Scripts())
        server = Server(app, read_timeout=chosen.read_timeout, idle_timeout=chosen.idle_timeout)
        bench = Bench(app, server, spool, chosen, stores, health, outlet)
        benches.append((bench, proxy))
        return bench

    yield make
    for bench, proxy in benches:
        await proxy.close()
        bench.spool.close()
