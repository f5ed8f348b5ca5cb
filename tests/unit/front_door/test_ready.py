"""Who says that it is ready listens: whoever reads the line may come in the same moment."""

import asyncio
import socket
from urllib.parse import urlsplit

import httpx
import pytest

from connectors.console.serve import run_console
from connectors.console.settings import ConsoleSettings
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.secrets import SecretBox
from sandbox.serve import run_sandbox
from sandbox.settings import SandboxSettings


async def console(ready, stop):
    """Run a console whose broker is away."""
    box = SecretBox(SecretBox.generate_key())
    await run_console(KafkaConnection("127.0.0.1:1"), box, ConsoleSettings(port=0), ready=ready, stop=stop)


async def sandbox(ready, stop):
    """Run the sandbox."""
    await run_sandbox(SandboxSettings(port=0, customers=1), ready=ready, stop=stop)


@pytest.mark.parametrize("run", [console, sandbox])
async def test_who_comes_at_once_is_not_turned_away(run):
    """The port was bound and not listened on yet: a connection was refused, on a busy machine for a while."""
    told, stop = asyncio.get_running_loop().create_future(), asyncio.Event()

    def ready(url):
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)):
            told.set_result(url)

    running = asyncio.create_task(run(ready, stop))
    await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
    if told.done():
        async with httpx.AsyncClient() as http:
            assert (await http.get(told.result())).status_code < 500
    stop.set()
    await running
