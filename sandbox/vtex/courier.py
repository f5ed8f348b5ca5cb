"""What VTEX sends out by itself: hook notifications and trigger calls, through a sender that is handed in."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import httpx

from sandbox.vtex.clock import SECOND, Clock

Sender = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""POSTs a JSON body to an address with headers; returns the status, 0 when nobody answered in time."""

TIMEOUT: Final = 5.0
"""Seconds in which a receiver must have answered (NOTES 4.5)."""


async def send_by_http(url: str, headers: Mapping[str, str], body: bytes) -> int:
    """Send over the network."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT) as client:
            answer = await client.post(url, content=body, headers={**headers, "Content-Type": "application/json"})
            return answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return 0


@dataclass(frozen=True, slots=True)
class Parcel:
    """One call to be made.

    Attributes:
        retries: how often it is tried again while the answer is not 200; triggers of Master Data v1: never (NOTES 2.8).
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    retries: int = 0
    attempt: int = 0


@dataclass(slots=True)
class Courier:
    """Sends parcels in the background, as soon as there is a running event loop; `drain` waits for the last one.

    Attributes:
        sent: parcels that left, with the status of the answer, newest last.
        wait: seconds before the first retry; each further one waits twice as long.
    """

    clock: Clock
    sender: Sender = send_by_http
    wait: float = 1.0
    sent: list[tuple[Parcel, int]] = field(default_factory=list)
    _due: list[tuple[int, int, Parcel]] = field(default_factory=list)
    _number: int = 0
    _task: asyncio.Task[None] | None = None

    def post(self, parcel: Parcel, at: int | None = None) -> None:
        """Send a parcel now, or at some tick."""
        self._number += 1
        heapq.heappush(self._due, (self.clock() if at is None else at, self._number, parcel))
        self._start()

    async def drain(self) -> None:
        """Send what is due, and what becomes due by it."""
        self._start()
        if self._task is not None:
            await self._task

    @property
    def waiting(self) -> int:
        """Parcels not sent yet, those for later included."""
        return len(self._due)

    def _start(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())

    async def _run(self) -> None:
        while self._due and self._due[0][0] <= self.clock():
            _, _, parcel = heapq.heappop(self._due)
            status = await self.sender(parcel.url, parcel.headers, parcel.body)
            self.sent.append((parcel, status))
            if status != 200 and parcel.attempt < parcel.retries:  # noqa: PLR2004  VTEX wants exactly 200
                self._again(parcel)

    def _again(self, parcel: Parcel) -> None:
        pause = self.wait * 2**parcel.attempt
        again = Parcel(parcel.url, parcel.headers, parcel.body, parcel.retries, parcel.attempt + 1)
        self.post(again, self.clock() + round(pause * SECOND))
        try:
            asyncio.get_running_loop().call_later(pause, self._start)
        except RuntimeError:
            return
