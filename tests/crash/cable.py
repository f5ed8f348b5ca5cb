"""A network that can be cut between a broker and those who connect through it."""

import asyncio
import contextlib
from typing import Any, Self

from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.ports import free_ports
from connectors.kafka.properties import HOST

CHUNK = 1 << 16


class Cable:
    """Relays TCP connections. While it is cut nothing passes, and neither side is told.

    Args:
        port: where it listens.
        target: the port that it leads to.
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, HOST, self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._hang_up()

    def cut(self) -> None:
        """Let nothing pass from now on."""
        self._whole.clear()

    def mend(self, *, late: bool) -> None:
        """Let everything pass again.

        Args:
            late: what was under way arrives after all; else its connections have broken meanwhile.
        """
        if not late:
            self._hang_up()
        self._whole.set()

    def _hang_up(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        ends = {writer, far_writer}
        self._open |= ends
        with contextlib.suppress(ConnectionError):
            await asyncio.wait(
                [asyncio.create_task(self._pass_on(reader, far_writer)),
                 asyncio.create_task(self._pass_on(far_reader, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )  # fmt: skip
        self._open -= ends
        for end in ends:
            end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()


class CabledKafka(EmbeddedKafka):
    """Ours on its plain port; who comes through `far` is told that the broker is at the cable's end."""

    def __init__(self) -> None:
        super().__init__(heap="640m")
        self._listens = self.cable_port = 0  # chosen with the others

    def _make_nodes(self, runtime: Any) -> Any:
        nodes = super()._make_nodes(runtime)
        for number, node in nodes.items():
            ports = node.ports[number]
            self._listens, self.cable_port = free_ports(2, besides=[ports.client, ports.controller])
            plain = f"PLAINTEXT://{HOST}:{ports.client}"
            node.settings = {
                "listeners": f"{plain},CONTROLLER://{HOST}:{ports.controller},FAR://{HOST}:{self._listens}",
                "advertised.listeners": f"{plain},FAR://{HOST}:{self.cable_port}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,FAR:PLAINTEXT",
            }
        return nodes

    def cable(self) -> Cable:
        """Return the cable, to be entered once the broker runs."""
        return Cable(self.cable_port, self._listens)
