"""Faults of the way between client and VTEX: storms of 429, 408, 5xx, cut connections, half documents, lateness."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.vtex.answers import Refusal, too_many
from sandbox.vtex.budget import Budget
from sandbox.vtex.hostility import Dice, Hostility

_SERVER_ERRORS: Final = (500, 502, 503, 504)


class CutResponse(Response):
    """Announces the whole body, sends half, and closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI
        """Send half. Returning without the rest makes the server close the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})


@dataclass(slots=True)
class Faults:
    """Draws the faults of one account's calls."""

    dice: Dice
    budget: Budget
    storm_until: float = 0.0
    seen: dict[str, int] = field(default_factory=dict)

    def throttle(self, hostility: Hostility, call: str) -> None:
        """Count the call against the budget.

        Raises:
            Refusal: 429 above the budget or inside a storm.
        """
        wait = self.budget.spend(call)
        if wait > 0:
            self._note("over budget")
            raise too_many(max(1, int(wait) + 1))
        now = self.budget.clock()
        if self.dice.falls("storm", hostility.storms):
            self.storm_until = now + hostility.storm_length
        if now < self.storm_until:
            self._note("storm")
            raise too_many(hostility.retry_after)

    def failure(self, hostility: Hostility) -> Response | None:
        """Return 408 or 5xx, when this call fails."""
        if self.dice.falls("timeout", hostility.timeouts):
            self._note("408")
            return Response(b"Request Timeout", 408, media_type="text/plain")
        if self.dice.falls("error", hostility.errors):
            status = self.dice.row("error status").choice(_SERVER_ERRORS)
            self._note(str(status))
            return Response("Ocorreu um erro ao processar a requisição".encode(), status, media_type="text/plain")
        return None

    def has_effect(self, hostility: Hostility) -> bool:
        """Whether a failing call does its work all the same."""
        return self.dice.falls("after effect", hostility.after_effect)

    def damage(self, hostility: Hostility, response: Response) -> Response:
        """Return the answer as it arrives."""
        if len(response.body) > 1 and response.status_code == 200:  # noqa: PLR2004  HTTP
            if self.dice.falls("cut", hostility.cuts):
                self._note("cut")
                return CutResponse(response.body, response.status_code, dict(response.headers))
            if self.dice.falls("truncation", hostility.truncations):
                self._note("truncated")
                return _halved(response)
        return response

    async def delay(self, hostility: Hostility) -> None:
        """Be late, now and then."""
        if self.dice.falls("slow", hostility.slow):
            await asyncio.sleep(self.dice.row("slowness").uniform(0, hostility.slow_for))

    def _note(self, kind: str) -> None:
        self.seen[kind] = self.seen.get(kind, 0) + 1


def _halved(response: Response) -> Response:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(bytes(response.body)[: len(response.body) // 2], response.status_code, headers)


__all__ = ["CutResponse", "Faults", "Refusal"]
