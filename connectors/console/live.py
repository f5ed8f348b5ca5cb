"""Live pages: server-sent events that say "there is something new", upon which a page asks for itself again.

The pages themselves stay the one place where figures are drawn. What changes often is told at most twice a second, so
that a burst costs each viewer two renderings; an idle page costs a comment every 15 s, which also finds closed tabs.
"""

import asyncio
import secrets as random
from collections.abc import AsyncIterator
from typing import Final

from starlette.responses import PlainTextResponse, Response, StreamingResponse

from connectors.console.state import ReadModel

PAUSE_S: Final = 0.5
IDLE_S: Final = 15.0
_RETRY_MS: Final = 2000


class Viewers:
    """The open live pages.

    Args:
        model: what they watch.
        limit: of pages open at once.
    """

    def __init__(self, model: ReadModel, limit: int) -> None:
        self._model = model
        self._limit = limit
        # A console that was restarted counts from 0 again: its versions must differ from those of its last life.
        self._life = random.token_hex(4)
        self._closing = asyncio.Event()
        self.count = 0

    def version(self, store: str) -> str:
        """Return what names the present state of a store."""
        return f"{self._life}.{self._model.version(store)}"

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closing.set()

    def answer(self, store: str) -> Response:
        """Return a stream of the store's versions, or 503 when too many are open."""
        if self.count >= self._limit or self._closing.is_set():
            return PlainTextResponse("Too many live pages are open.\n", 503, {"Retry-After": "30"})
        headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
        return StreamingResponse(self.stream(store), media_type="text/event-stream", headers=headers)

    async def stream(self, store: str) -> AsyncIterator[str]:
        """Yield the store's version now, and again after each change."""
        if self.count >= self._limit:  # others came while this answer was on its way
            return
        self.count += 1
        closing = asyncio.create_task(self._closing.wait())
        try:
            with self._model.watch(store) as changed:
                yield f"retry: {_RETRY_MS}\n{_event(self.version(store))}"
                while not self._closing.is_set():
                    if await _first(changed, closing):
                        changed.clear()
                        yield _event(self.version(store))
                        await asyncio.wait([closing], timeout=PAUSE_S)
                    elif not closing.done():
                        yield ": still here\n\n"
        finally:
            closing.cancel()
            self.count -= 1


async def _first(changed: asyncio.Event, closing: "asyncio.Task[bool]") -> bool:
    """Return whether something changed, rather than that nothing did for a while or the console closes."""
    if changed.is_set():
        return True
    waiting = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait([waiting, closing], timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
        return waiting.done()
    finally:
        waiting.cancel()


def _event(version: str) -> str:
    return f"data: {version}\n\n"
