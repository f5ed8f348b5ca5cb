"""How badly a stand-in of Hellotext or Infobip behaves: an ASGI layer around it, gentle by default."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WRITES: Final = frozenset(("POST", "PUT", "PATCH", "DELETE"))
_SERVER_ERRORS: Final = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Temper:
    """What goes wrong, and how often; shares are probabilities between 0 and 1, times are seconds.

    Attributes:
        seed: the same seed and the same calls in the same order give the same faults.
        errors: share of calls answered 500, 502, 503 or 504 with a page of HTML, before anything happened.
        after_effect: share of writes that are applied and then answered with such an error.
        hangs: share of writes that are applied and then not answered for `hang` seconds.
        hang: longer than any caller waits.
        throttled: share of calls answered 429.
        retry_after: what these say; None leaves the header out.
        per_second: calls a second that are allowed; None for any number.
        slow: share of calls answered after `delay`.
        delay: of slow calls.
    """

    seed: int = 0
    errors: float = 0.0
    after_effect: float = 0.0
    hangs: float = 0.0
    hang: float = 30.0
    throttled: float = 0.0
    retry_after: int | None = 1
    per_second: float | None = None
    slow: float = 0.0
    delay: float = 0.5


GENTLE: Final = Temper()


@dataclass(slots=True)
class Moody:
    """Serves an application in a temper that may change while it runs.

    Attributes:
        too_many: makes the 429 as this vendor writes it.
        faults: how often each fault has happened; `over budget` counts calls above `per_second`.
    """

    app: ASGIApp
    too_many: Callable[[dict[str, str]], Response]
    temper: Temper = GENTLE
    faults: Counter[str] = field(default_factory=Counter)
    _chance: random.Random = field(default_factory=lambda: random.Random(0))
    _calls: deque[float] = field(default_factory=deque)

    def become(self, temper: Temper) -> None:
        """Change the temper, and begin its chances anew."""
        self.temper = temper
        self._chance = random.Random(temper.seed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail to."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal()
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        if self._falls("slow", self.temper.slow):
            await asyncio.sleep(self.temper.delay)
        if scope["method"] in _WRITES and self._falls("after effect", self.temper.after_effect):
            await self.app(scope, receive, _nobody)
            await self._broken()(scope, receive, send)
        elif scope["method"] in _WRITES and self._falls("hang", self.temper.hangs):
            await self.app(scope, receive, _nobody)
            await asyncio.sleep(self.temper.hang)
            await self._broken()(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self) -> Response | None:
        if self._over_budget() or self._falls("throttled", self.temper.throttled):
            wait = self.temper.retry_after
            return self.too_many({} if wait is None else {"Retry-After": str(wait)})
        return self._broken() if self._falls("error", self.temper.errors) else None

    def _over_budget(self) -> bool:
        limit, now = self.temper.per_second, time.monotonic()
        if limit is None:
            return False
        while self._calls and self._calls[0] <= now - 1.0:
            self._calls.popleft()
        if len(self._calls) >= limit:
            self.faults["over budget"] += 1
            return True
        self._calls.append(now)
        return False

    def _falls(self, fault: str, share: float) -> bool:
        if share <= 0 or self._chance.random() >= share:
            return False
        self.faults[fault] += 1
        return True

    def _broken(self) -> Response:
        return Response("<html><body>Bad gateway</body></html>", self._chance.choice(_SERVER_ERRORS), None, "text/html")


async def _nobody(message: Message) -> None:
    """Take an answer that nobody will get."""


def temper_from(document: dict[str, Any]) -> Temper:
    """Return the temper that a control call describes.

    Raises:
        TypeError: it names something that `Temper` does not have.
    """
    return Temper(**document)
