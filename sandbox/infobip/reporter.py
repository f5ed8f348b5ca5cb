"""What Infobip reports of the messages it took: delivery, seen and click webhooks, some of them twice (CONTRACT 7)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from sandbox.sendings import ABSENT, DELIVERED, NO_ERROR, UNDELIVERABLE

Document = dict[str, Any]
Poster = Callable[[str, Document], Awaitable[int]]
"""POSTs a report to an address; returns the status, 0 when nobody answered."""

FAILING: Final = "9"
"""Messages to numbers that end so never arrive."""
_READING: Final = frozenset("02468")
"""Who has such a last digit opens a WhatsApp."""
_TRIES: Final = 5
_AGAIN: Final = 0.15
PRICES: Final = {"sms": (0.07, "BRL"), "whatsapp": (0.0625, "BRL")}


async def post(url: str, document: Document) -> int:
    """Send over the network."""
    try:
        async with httpx.AsyncClient(timeout=5) as client:
            return (await client.post(url, json=document)).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return 0


@dataclass(slots=True)
class Reporter:
    """Reports in the background; `close` ends it, `drain` waits until everything is told.

    Attributes:
        wait: seconds between what happens to a message, and before a report is tried again.
        undelivered: reports that nobody took.
    """

    post: Poster = post
    wait: float = 0.2
    seed: int = 0
    undelivered: list[Document] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def follow(self, message: Document, url: str, prices: dict[str, tuple[float, str]]) -> None:
        """Report of a message from now on: as accepted for delivery, then delivered or not, then seen."""
        task = asyncio.get_running_loop().create_task(self._follow(message, url, prices))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until every report is handed over, or was refused often enough."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def close(self) -> None:
        """Stop reporting."""
        for task in set(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, message: Document, url: str, prices: dict[str, tuple[float, str]]) -> None:
        chance, now = random.Random(f"{self.seed} {message['messageId']}"), datetime.now(UTC)
        failed = message["to"].endswith(FAILING)
        status, error = (UNDELIVERABLE, ABSENT) if failed else (DELIVERED, NO_ERROR)
        report = delivery(message, status, error, now, None if failed else prices[message["channel"]])
        message["status"], message["error"] = status, error
        await asyncio.sleep(self.wait)
        for _ in range(2 if chance.random() < _AGAIN else 1):
            await self._deliver(url, {"results": [report]})
        if not failed and message["channel"] == "whatsapp" and message["to"][-1] in _READING:
            await asyncio.sleep(self.wait)
            seen = {"messageId": message["messageId"], "from": message["from"], "to": message["to"],
                    "sentAt": text_of(now), "seenAt": text_of(now + timedelta(seconds=self.wait))}  # fmt: skip
            await self._deliver(url, {"results": [seen]})

    async def _deliver(self, url: str, document: Document) -> None:
        for attempt in range(_TRIES):
            if 200 <= await self.post(url, document) < 300:  # noqa: PLR2004  any success
                return
            await asyncio.sleep(self.wait * 2**attempt)
        self.undelivered.append(document)


def delivery(
    message: Document, status: Document, error: Document, at: datetime, price: tuple[float, str] | None
) -> Document:
    """Return one entry of a delivery report; only SMS reports carry callback data and campaign (CONTRACT 7)."""
    entry = {
        "bulkId": message["bulkId"], "messageId": message["messageId"], "to": message["to"], "sentAt": text_of(at),
        "doneAt": text_of(at + timedelta(milliseconds=1)), "messageCount": message["messageCount"], "status": status,
        "error": error,
    }  # fmt: skip
    if price is not None:
        entry["price"] = {"pricePerMessage": price[0], "currency": price[1]}
    if message["channel"] == "sms":
        entry["sender"] = message["from"]
        entry |= {name: message[name] for name in ("callbackData", "campaignReferenceId") if message.get(name)}
    return entry


def text_of(at: datetime) -> str:
    """Return Infobip's form of an instant: an offset without a colon."""
    local = (at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{local}.{at.microsecond // 1000:03}+0100"
