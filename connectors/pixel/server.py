"""The listening socket and its connections, from the first to the last answer."""

import asyncio
import socket
from typing import Final

from connectors.pixel.connection import Application, Connection

_BACKLOG: Final = 4096
_SWEEPS: Final = 4  # in a read_timeout: it ends between one and one and a quarter of it


class Server:
    """Accepts connections, sweeps the slow ones out, and stops in order."""

    def __init__(self, application: Application, *, read_timeout: float, idle_timeout: float) -> None:
        """Take what answers, and the seconds that a sender may take: for a head, for a body; between requests."""
        self.application = application
        self._read_timeout = read_timeout
        self._idle_timeout = idle_timeout
        self._connections: set[Connection] = set()
        self._nobody = asyncio.Event()
        self._listening: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections on a socket that is bound."""
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(lambda: Connection(self), sock=listener, backlog=_BACKLOG)

    async def sweep(self) -> None:
        """End connections that wait too long for their sender, for ever."""
        pause = self._read_timeout / _SWEEPS
        idle = int(self._idle_timeout / pause)
        while True:
            await asyncio.sleep(pause)
            for connection in list(self._connections):
                connection.sweep(_SWEEPS, idle)

    async def stop(self, seconds: float) -> None:
        """Accept no more, answer what has come, and return when every connection is closed."""
        if self._listening is not None:
            self._listening.close()
        for connection in list(self._connections):
            connection.stop()
        if self._connections:
            self._nobody.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._nobody.wait()
            except TimeoutError:
                for connection in list(self._connections):
                    connection.abort()

    def welcome(self, connection: Connection) -> None:
        """Count a connection in."""
        self._connections.add(connection)

    def forget(self, connection: Connection) -> None:
        """Count a connection out."""
        self._connections.discard(connection)
        if not self._connections:
            self._nobody.set()
