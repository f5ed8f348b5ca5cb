"""The VTEX part alone, served in this process: for tests and benchmarks of a connector.

shops = {"acme": Shop("acme")}
async with serving(shops) as url:   # "http://127.0.0.1:54321"
    ...                             # the account's host is f"{url}/vtex/acme"
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Mapping

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.vtex.api import routes
from sandbox.vtex.shop import Shop


class _Server(uvicorn.Server):
    """Leaves the signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(shops: Mapping[str, Shop], *, port: int = 0) -> AsyncIterator[str]:
    """Serve accounts until the block ends.

    Args:
        shops: by account; may be changed while they are served.
        port: 0 takes a free one.

    Yields:
        The address, without a slash at the end.
    """
    listener = _listen(port)
    server = _Server(_config(shops))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait([task])
        listener.close()
        task.result()


def _listen(port: int) -> socket.socket:
    """Return a listening socket that names its protocol: asyncio turns Nagle's algorithm off for no other one.

    With it on, an answer whose head and body are written apart waits 40 ms for the client's delayed ACK.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.setblocking(False)  # noqa: FBT003  the socket API
    return listener


def _config(shops: Mapping[str, Shop]) -> uvicorn.Config:
    """Return a quiet server: a cut connection is one of its duties here, not an error to log."""
    return uvicorn.Config(
        Starlette(routes=[Mount("/vtex", routes=routes(shops))]),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=2,
    )
