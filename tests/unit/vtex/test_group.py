"""A poller that is asked to end while it joins its group."""

import asyncio
import contextlib
import socket

from connectors.kafka.connection import KafkaConnection
from connectors.vtex.serve import Group
from connectors.vtex.settings import PollerSettings


async def test_a_consumer_that_is_just_starting_is_closed():
    """The log of every stop at that moment complained of it: `Unclosed AIOKafkaConsumer`."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        group = Group(KafkaConnection(f"127.0.0.1:{server.getsockname()[1]}"), PollerSettings(), None)
        running = asyncio.create_task(group.run(lambda: None))
        asked, _ = await asyncio.get_running_loop().sock_accept(server)  # a broker that says nothing
        with asked:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    assert group._consumer._closed
