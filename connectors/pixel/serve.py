"""One worker process of the collector: sockets, Kafka, spool; from start to a drained stop."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from connectors.kafka.stores import StoreDirectory
from connectors.pixel.admission import Admission
from connectors.pixel.app import Collector
from connectors.pixel.drain import Drainer
from connectors.pixel.health import Health
from connectors.pixel.intake import Intake
from connectors.pixel.metrics import Metrics
from connectors.pixel.producer import Outlet
from connectors.pixel.proxy import Proxy
from connectors.pixel.scripts import Scripts
from connectors.pixel.server import Server
from connectors.pixel.settings import CollectorSettings
from connectors.pixel.spool import Spool
from connectors.seldom import Seldom
from schemas import topics

log = structlog.get_logger()

Ready = Callable[[str], None]
_RETRY: Final = 0.5


async def run_collector(
    connection: KafkaConnection,
    secrets: SecretBox,
    settings: CollectorSettings,
    *,
    ready: Ready,
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set, then drain.

    The port is bound and `ready` called at once, with `http://host:port`; while Kafka cannot be reached and the stores
    are unknown, requests get 503 with `Retry-After`, and `/health/ready` says why.

    Args:
        connection: how to reach Kafka.
        secrets: opens the stores' sealed secrets.
        settings: limits and places.
        ready: told the address bound.
        stop: ends the collector: no new connections, answers to what came, the spool drained as far as possible.
    """
    metrics = Metrics()
    listener = bind(settings)
    spool = Spool(settings.spool, limit=settings.spool_limit, segment_size=settings.segment_size)
    metrics.spool_bytes.set_function(lambda: spool.size)
    outlet = Outlet(connection, spool, metrics, ack_timeout=settings.ack_timeout)
    drainer = Drainer(outlet, spool, metrics)
    health = Health(outlet, spool, spool_limit=settings.spool_limit, ready_after=settings.ready_after)
    intake = Intake(outlet, metrics, settings)
    proxy = Proxy(settings)
    app = Collector(settings, intake=intake, health=health, metrics=metrics, proxy=proxy, scripts=Scripts())
    server = Server(app, read_timeout=settings.read_timeout, idle_timeout=settings.idle_timeout)
    await outlet.start()
    await server.start(listener)
    helpers = [
        asyncio.create_task(drainer.run()),
        asyncio.create_task(drainer.keep_house()),
        asyncio.create_task(server.sweep()),
        asyncio.create_task(_open_doors(connection, secrets, settings, intake, outlet)),
    ]
    try:
        host, port = listener.getsockname()[:2]
        ready(url(host, port))
        with _garbage_seldom():
            await _first_of(stop.wait(), helpers)
    finally:
        health.stopping = True
        await server.stop(settings.read_timeout + 5)
        for helper in helpers:
            helper.cancel()
        await asyncio.gather(*helpers, return_exceptions=True)
        await drainer.finish(settings.drain_timeout)
        await outlet.stop()
        await proxy.close()
        spool.close()


@contextlib.contextmanager
def _garbage_seldom() -> Iterator[None]:
    """A request makes hundreds of short-lived objects and no cycles: look for garbage seldom, and never in the code.

    A full collection stops every request for some 40 ms, measured at 3,000 events/s.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _first_of(stopped: Awaitable[Any], helpers: list[asyncio.Task[None]]) -> None:
    waiting = asyncio.ensure_future(stopped)
    done, _ = await asyncio.wait([waiting, *helpers], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    for task in done:
        if task is not waiting:
            await task  # its failure is the collector's


async def _open_doors(
    connection: KafkaConnection, secrets: SecretBox, settings: CollectorSettings, intake: Intake, outlet: Outlet
) -> None:
    """Read the stores and the number of partitions, as soon as Kafka is there; then follow the stores."""
    unread = Seldom()
    while True:
        try:
            partitions = await outlet.partitions(topics.PIXEL_EVENTS.name)
            async with StoreDirectory(connection) as directory:
                intake.admission = Admission(directory, secrets, settings, partitions)
                log.info("the collector knows the stores", stores=len(list(directory.all())), partitions=partitions)
                await asyncio.Event().wait()
        except (KafkaError, OSError) as error:
            if unread.due():
                log.warning(
                    "the stores cannot be read yet, trying again: hellotext-vtex doctor says what is missing",
                    bootstrap_servers=connection.bootstrap_servers,
                    error=type(error).__name__,
                )
            await asyncio.sleep(_RETRY)


def url(host: str, port: int) -> str:
    """Return the address of a socket as others write it."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def bind(settings: CollectorSettings) -> socket.socket:
    """Return the listening socket.

    Raises:
        OSError: when the address is taken or not ours; says what to do.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.reuse_port:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        message = (
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set COLLECTOR_PORT to a free port"
        )
        raise OSError(error.errno, message) from error
    listener.setblocking(False)  # noqa: FBT003  the socket API
    return listener
