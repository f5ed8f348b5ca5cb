"""Pages that send as fast as they are answered, and remember which events were answered 200."""

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field

import orjson

_HEAD = b"POST /v1/track/events HTTP/1.1\r\nhost: c\r\nauthorization: Bearer BID123\r\ncontent-length: %d\r\n\r\n"


@dataclass
class Load:
    """Sends from several connections to one port until it is stopped."""

    port: int
    pages: int = 8
    pause: float = 0.0
    accepted: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False

    def start(self) -> None:
        """Begin to send."""
        self._tasks = [asyncio.create_task(self._page(number)) for number in range(self.pages)]

    async def stop(self) -> None:
        """Let every page hear its last answer."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _page(self, number: int) -> None:
        ids = (f"{number}-{count}" for count in itertools.count())
        while not self._stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            try:
                while not self._stopping:
                    await self._send(reader, writer, number, next(ids))
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)
            finally:
                writer.close()

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, page: int, id: str) -> None:  # noqa: A002  the event's id
        body = orjson.dumps({"session": f"s{page}", "action": "page.viewed", "event_id": id})
        writer.write(_HEAD % len(body) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        status = int(head[9:12])
        self.statuses[status] += 1
        if status == 200:
            self.accepted.add(id)
        await asyncio.sleep(self.pause if status == 200 else 0.05)
