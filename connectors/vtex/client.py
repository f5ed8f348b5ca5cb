"""Calls to one VTEX account: keys in headers, one gate, retries, typed errors (contracts/vtex NOTES 1, 5).

An answer is returned only when it is whole: a cut connection, a truncated document or a 5xx is `Unavailable` and tried
again; a 429 silences the account first. What VTEX's answers say about people never reaches a message or a log.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from connectors.outbound import instant_of, retry_after_ms
from connectors.vtex.budget import Urgency
from connectors.vtex.errors import Retryable, Throttled, Unavailable
from connectors.vtex.gate import Gate
from connectors.vtex.json_answers import read_json
from connectors.vtex.refusals import refusal_of
from connectors.vtex.settings import CallSettings
from connectors.vtex.turns import Turns
from schemas.stores import VtexAccess

WHOLE: Final = 4
"""A whole answer may take so many time-outs, which each are of a silence: slow bytes must not hold a place for ever."""
WRONG_S: Final = 86_400.0
"""A clock that is farther off than this is a mistake of the answer, and no cursor may follow it."""
_REDIRECT: Final = 300
_TIMEOUT: Final = 408
_MANY: Final = 429
_SERVER: Final = 500


@dataclass(frozen=True, slots=True)
class Call:
    """One call, and who wants it.

    Attributes:
        resource: as named in errors.RESOURCES.
        urgency: its place in the queue of the account's calls.
        missing: whether 404, or an empty body, is an answer (nothing there) and not an error.
        repeatable: whether it may be made again after an answer that was lost on its way.
    """

    method: str
    path: str
    resource: str
    urgency: Urgency
    query: Mapping[str, str | int] | None = None
    headers: Mapping[str, str] | None = None
    body: Any = None
    missing: bool = False
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `document` is None for 204, a 404 that was allowed, and an empty body where that is an answer."""

    status: int
    headers: httpx.Headers
    document: Any

    @property
    def found(self) -> bool:
        """Whether there is such a thing at all."""
        return self.status != httpx.codes.NOT_FOUND


class VtexClient:
    """Calls one account; an async context manager.

    Args:
        access: base URL (it may have a path) and App Key.
        token: App Token, opened.
        gate: of the account; shared by everything that calls it.
        settings: patience.
        http: to call with; closed at the end.
        turns: of the process.
        now: the machine's clock, Unix seconds.
    """

    def __init__(
        self,
        access: VtexAccess,
        token: str,
        gate: Gate,
        settings: CallSettings,
        http: httpx.AsyncClient,
        *,
        turns: Turns | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.account = access.account
        self.gate = gate
        self._base = access.url.rstrip("/")
        self._settings = settings
        self._http = http
        self._turns = turns or Turns()
        self._now = now
        self._ahead = 0.0
        self._headers = {
            "X-VTEX-API-AppKey": access.app_key, "X-VTEX-API-AppToken": token,
            "Accept": "application/json", "Content-Type": "application/json",
        }  # fmt: skip
        self._wait = wait_random_exponential(multiplier=settings.backoff, max=settings.backoff_limit)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def now(self) -> int:
        """Return VTEX's time, Unix milliseconds, as its last answer told it: cursors follow its clock, not ours."""
        return int((self._now() + self._ahead) * 1000)

    async def call(self, call: Call) -> Answer:
        """Return VTEX's answer.

        Raises:
            VtexError: none came, after the settings' attempts where trying again could help.
        """
        again = (Throttled, Unavailable) if call.repeatable else (Throttled,)
        async for attempt in AsyncRetrying(
            stop=stop_after_attempt(self._settings.attempts), wait=self._pause, reraise=True,
            retry=retry_if_exception(lambda error: isinstance(error, again) and not error.long_pause),
        ):  # fmt: skip
            with attempt:
                return await self._once(call)
        raise AssertionError("unreachable: tenacity returns or raises")

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        if isinstance(error, Throttled):
            return 0.0  # the gate holds it back, with every other call of the account
        asked = error.retry_after if isinstance(error, Retryable) else None
        return self._wait(state) if asked is None else asked

    async def _once(self, call: Call) -> Answer:
        url = f"{self._base}{call.path}{_query(call.query)}"
        if call.urgency > Urgency.HINT:
            await self._turns.begin()
        async with self.gate.budget.call(call.urgency):
            try:
                async with asyncio.timeout(WHOLE * self._settings.timeout):
                    response = await self._http.request(
                        call.method, url, headers={**self._headers, **(call.headers or {})},
                        content=None if call.body is None else orjson.dumps(call.body),
                    )  # fmt: skip
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise refusal_of(self.account, call.resource, httpx.codes.NOT_FOUND, "") from error
            except (UnicodeEncodeError, httpx.LocalProtocolError) as error:  # what no header can carry, no key has
                raise refusal_of(self.account, call.resource, httpx.codes.UNAUTHORIZED, "") from error
            except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
                self.gate.failed()
                # The error's own text could carry the address with its query.
                raise Unavailable(f"account {self.account} did not answer {call.resource}: {type(error).__name__}")\
                    from error  # fmt: skip
            return self._read(call, response)

    def _read(self, call: Call, response: httpx.Response) -> Answer:
        self._tell_time(response.headers.get("date"))
        status = response.status_code
        if status == _MANY:
            wait = self.gate.throttled(_retry_after(response, self._now()))
            raise Throttled(f"account {self.account} is throttled (429): all its calls rest for {wait:.0f} s", wait)
        if status >= _SERVER or status == _TIMEOUT:
            self.gate.failed()
            asked = _retry_after(response, self._now())
            raise Unavailable(f"account {self.account} answered {call.resource} with {status}", asked)
        if status >= _REDIRECT:
            self.gate.succeeded()
            if status == httpx.codes.NOT_FOUND and call.missing:
                return Answer(status, response.headers, None)
            raise refusal_of(self.account, call.resource, status, response.text[:2000])
        document = self._document(call, response)
        self.gate.succeeded()
        return Answer(status, response.headers, document)

    def _document(self, call: Call, response: httpx.Response) -> Any:
        if not response.content:
            if call.method == "GET" and not call.missing and response.status_code != httpx.codes.NO_CONTENT:
                self.gate.failed()
                raise Unavailable(f"account {self.account} answered {call.resource} with nothing")
            return None
        try:
            return read_json(response)
        except ValueError as error:
            self.gate.failed()
            message = (
                f"account {self.account} answered {call.resource} with {len(response.content)} bytes of broken JSON"
            )
            raise Unavailable(message) from error

    def _tell_time(self, date: str | None) -> None:
        told = instant_of(date)
        if told is None:
            return
        ahead = told - self._now()
        if abs(ahead) > WRONG_S:
            return
        # The header has whole seconds: within one, our own clock is better.
        self._ahead = 0.0 if -2 < ahead < 1 else ahead  # noqa: PLR2004  a second of rounding and one under way


def _query(query: Mapping[str, str | int] | None) -> str:
    """Encode: spaces as %20 and `+` as %2B (NOTES 2.1: else a phone or e-mail is not found)."""
    if not query:
        return ""
    return "?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())


def _retry_after(response: httpx.Response, now: float) -> float | None:
    wait = retry_after_ms(response.headers.get("retry-after"), response.headers.get("date"), now)
    return None if wait is None else wait / 1000
