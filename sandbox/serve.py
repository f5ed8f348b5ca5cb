"""The sandbox as one process: every stand-in on one port, from start to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.accounts import Accounts
from sandbox.control import Control
from sandbox.front import front
from sandbox.hellotext.api import hellotext
from sandbox.infobip.api import Infobip
from sandbox.settings import SandboxSettings
from sandbox.storefront.pages import storefront
from sandbox.vtex.api import routes

Ready = Callable[[str], None]


async def run_sandbox(settings: SandboxSettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set.

    Args:
        settings: which accounts there are, and how badly everything behaves.
        ready: told `http://host:port` once it listens.
        stop: ends it; what runs in the background is ended too.

    Raises:
        OSError: the address is taken; says what to do.
    """
    listener = bind(settings)
    host, port = listener.getsockname()[:2]
    # Given a name, it is known by it: an address of a container is another one tomorrow.
    url = f"http://{host if _is_address(settings.host) else settings.host}:{port}"
    app, control = sandbox(settings, url)
    server = _Server(_config(app))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        ready(url)
        await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await control.close()
        stopping.cancel()
        server.should_exit = True
        await asyncio.wait([serving])
        listener.close()
    serving.result()


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def sandbox(settings: SandboxSettings, url: str) -> tuple[Starlette, Control]:
    """Return the application, and what controls it; `url` is where it will be reached."""
    accounts = Accounts(settings)
    vendor, messaging = hellotext(accounts.businesses, settings.hellotext), Infobip(accounts.infobip, settings.infobip)
    control = Control(accounts, vendor, messaging, url)
    app = Starlette(
        routes=[
            Mount("/vtex", routes=routes(accounts.shops)),
            Mount("/hellotext", app=vendor),
            Mount("/infobip", app=messaging),
            Mount("/control", routes=control.routes()),
            Mount("/shop", routes=storefront(accounts)),
            *front(accounts, control),
        ]
    )
    return app, control


def bind(settings: SandboxSettings) -> socket.socket:
    """Return the listening socket.

    It names its protocol: asyncio turns Nagle's algorithm off for no other one, and with it on, an answer whose head
    and body are written apart waits 40 ms for the caller's delayed ACK.

    Raises:
        OSError: when the address is taken or not ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()  # whoever hears that it is ready may come before uvicorn accepts
    except OSError as error:
        listener.close()
        message = f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set SANDBOX_PORT to a free port"
        raise OSError(error.errno, message) from error
    listener.setblocking(False)  # noqa: FBT003  the socket API
    return listener


class _Server(uvicorn.Server):
    """Leaves the signals to the front door."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: Starlette) -> uvicorn.Config:
    """Return a quiet server: a cut connection is one of its duties, not an error to log."""
    return uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, log_level="critical", access_log=False,
        server_header=False, date_header=False, timeout_keep_alive=60, timeout_graceful_shutdown=2,
    )  # fmt: skip
