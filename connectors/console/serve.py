"""The console's process: sockets, uvicorn, the reader of Kafka; from start to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
import uvicorn

from connectors.console.app import build_app
from connectors.console.console import Console
from connectors.console.guard import is_loopback
from connectors.console.reading import Progress, keep_reading
from connectors.console.settings import ConsoleSettings
from connectors.console.state import ReadModel
from connectors.console.watching import keep_watching
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox

log = structlog.get_logger(__name__)

GRACE_S: Final = 5
"""For requests in work when the console is stopped; live pages end at once."""
CONNECTIONS: Final = 1_000


async def run_console(
    connection: KafkaConnection,
    secrets: SecretBox,
    settings: ConsoleSettings,
    *,
    ready: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Serve until `stop` is set.

    It listens and calls `ready` at once, with `http://host:port`; while Kafka cannot be read, pages say so and
    `/health/ready` answers 503.

    Args:
        connection: how to reach Kafka.
        secrets: seals and opens the stores' secrets.
        settings: where to listen, and limits.
        ready: told the address bound.
        stop: ends the console.

    Raises:
        OSError: the address is taken or not ours; says what to do.
    """
    if settings.password is None and not is_loopback(settings.host):
        log.warning(
            "the console has no password and listens on more than this machine: set CONSOLE_PASSWORD, or make sure "
            "that only you reach the port",
            host=settings.host,
        )
    listener = _bind(settings)
    progress = Progress()
    console = Console(connection, secrets, settings, ReadModel(settings), progress)
    server = _server(console)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="serve the console")
    reading = asyncio.create_task(keep_reading(connection, console.model, progress), name="read for the console")
    watching = asyncio.create_task(keep_watching(connection, console.model), name="look how the workers get on")
    stopped = asyncio.create_task(stop.wait())
    try:
        host, port = listener.getsockname()[:2]
        ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")
        done, _ = await asyncio.wait([stopped, serving, reading, watching], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopped}:
            await task  # its failure is the console's
    finally:
        console.viewers.close()
        server.should_exit = True
        await asyncio.wait([serving])
        await _cancel(stopped, reading, watching)
        listener.close()


async def _cancel(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _bind(settings: ConsoleSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()  # whoever hears that it is ready may come before uvicorn accepts
    except OSError as error:
        listener.close()
        raise OSError(
            error.errno,
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set CONSOLE_PORT to a free port",
        ) from error
    listener.setblocking(False)  # noqa: FBT003  the socket API
    return listener


class _Server(uvicorn.Server):
    """Leaves the signals to the front door."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(console: Console) -> _Server:
    return _Server(
        uvicorn.Config(
            build_app(console),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # addresses carry names of campaigns
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            limit_concurrency=CONNECTIONS,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
