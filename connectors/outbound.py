"""One call to a vendor, and all it can end with, split by what its caller should do.

CallError
├── NotApplied       it never arrived, or was turned away unread: try later
│   └── Throttled    429: try after the pause that was asked for
├── Unsure           it may have been applied (time-out, 5xx, cut connection): look before repeating
└── Refused          it will never succeed unchanged
    ├── KeyRefused   401: the key or token is wrong
    ├── NotPermitted 403: the key's permissions, or the plan, exclude it
    ├── NotFound     404: the resource, or the address, does not exist
    └── Invalid      any other 3xx or 4xx: the request itself is wrong

No message holds a value that was sent or answered: only status, and the names of fields and kinds of errors.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from time import time
from typing import Any, Final

import httpx

_LONGEST_PAUSE_MS: Final = 3_600_000
_MOST_PROBLEMS: Final = 5
_NO_JSON: Final = object()
# Whole ones, says the standard; some servers write parts.
_SECONDS: Final = re.compile(r"\d+(?:\.\d+)?")
# Names of fields and of kinds of errors. A value could hide there: one with an @, a blank or no letter is left out.
_WORD: Final = re.compile(r"^(?=[^@]*[A-Za-z])[A-Za-z0-9_.\[\]-]{1,80}$")


class CallError(Exception):
    """Base of all of them.

    Attributes:
        status: HTTP status, when there was an answer.
        retry_after_ms: the pause that the vendor asked for.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_ms = retry_after_ms


class NotApplied(CallError):  # noqa: N818  named by what is the matter, as all of them
    """The call has changed nothing; the same call may succeed later."""


class Throttled(NotApplied):
    """The vendor takes no more calls for a while."""


class Unsure(CallError):  # noqa: N818  as above
    """Nobody knows whether the call was applied."""


class Refused(CallError):  # noqa: N818  as above
    """The same call will never succeed."""


class KeyRefused(Refused):
    """The vendor does not know the key."""


class NotPermitted(Refused):
    """The key may not do this."""


class NotFound(Refused):
    """There is no such thing at the vendor."""


class Invalid(Refused):
    """The request itself is refused."""


def without_cookies(http: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return the client so that it keeps no cookies: one store's must not go along with another store's calls."""
    http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return http


Problems = Callable[[Any], Iterable[str]]
"""Names what is wrong, out of a vendor's error document: fields and kinds of errors, never values."""


async def call(
    http: httpx.AsyncClient, vendor: str, method: str, url: str, *, headers: Mapping[str, str],
    problems: Problems, json: Any = None, params: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """Make a call and return the decoded body of its 2xx answer; None where it has none.

    A 2xx with something else than JSON is no success: a proxy's or a maintenance page, or an answer cut short.

    Args:
        http: the client; redirects are not followed.
        vendor: for messages.
        method: of HTTP.
        url: whole.
        headers: with the authorization.
        problems: reads the vendor's error documents.
        json: body.
        params: of the query.

    Raises:
        CallError: see the module.
    """
    try:
        answer = await http.request(method, url, headers=headers, json=json, params=params, follow_redirects=False)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol):
        message = f"{vendor}'s address in the store's connection is no URL: correct it"
        raise NotFound(message, status=HTTPStatus.NOT_FOUND) from None
    except (UnicodeEncodeError, httpx.LocalProtocolError):
        message = f"{vendor}'s token in the store's connection has a character that no token has: enter it again"
        raise KeyRefused(message, status=HTTPStatus.UNAUTHORIZED) from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotApplied(f"{vendor} cannot be reached ({type(error).__name__})") from None
    except httpx.HTTPError as error:
        # The error's own text can carry the address with its query; its kind says enough.
        raise Unsure(f"{vendor} did not answer ({type(error).__name__})") from None
    document = _document(answer)
    if answer.is_success:
        if document is _NO_JSON:
            raise Unsure(f"{vendor} answered {answer.status_code} with something else than JSON")
        return document
    pause = retry_after_ms(answer.headers.get("retry-after"), answer.headers.get("date"))
    raise error_of(vendor, answer.status_code, pause, problems(document))


def error_of(vendor: str, status: int, pause_ms: int | None, problems: Iterable[str]) -> CallError:
    """Return what an answer other than 2xx means (contracts/hellotext B6, contracts/infobip 1 and NOTES 7)."""
    told = ", ".join(safe_words(problems))
    message = f"{vendor} answered {status}" + (f": {told}" if told else "")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Throttled(message, status=status, retry_after_ms=pause_ms)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unsure(message, status=status, retry_after_ms=pause_ms)
    kinds: dict[int, type[Refused]] = {401: KeyRefused, 403: NotPermitted, 404: NotFound}
    return kinds.get(status, Invalid)(message, status=status)


def safe_words(words: Iterable[str]) -> list[str]:
    """Return those that are names of fields and errors: a vendor may quote a value anywhere."""
    return [word for word in words if _WORD.match(word)][:_MOST_PROBLEMS]


def retry_after_ms(value: str | None, date: str | None = None, now: float | None = None) -> int | None:
    """Return a `Retry-After` in milliseconds; None when there is none that makes sense.

    Args:
        value: seconds or an HTTP date.
        date: the answer's `Date`: it is by that clock that the other date is meant.
        now: ours, Unix seconds, where the answer tells no date.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    elif (until := instant_of(text)) is not None:
        told = instant_of(date)
        seconds = until - (told if told is not None else time() if now is None else now)
    else:
        return None
    return round(min(_LONGEST_PAUSE_MS, max(0.0, seconds * 1000)))


def instant_of(text: str | None) -> float | None:
    """Return an HTTP date in Unix seconds; None when it is none."""
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _document(answer: httpx.Response) -> Any:
    if not answer.content.strip():
        return None
    try:
        return answer.json()
    except ValueError:
        return _NO_JSON
