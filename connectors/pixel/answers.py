"""What the collector answers: always JSON, and always with CORS headers (contracts/hellotext A2, A3.1).

A page can read an error only when the answer carries `Access-Control-Allow-Origin`, and the client treats
anything but exactly 200 with a JSON body as a failure.
"""

from http import HTTPStatus
from typing import Any, Final

import orjson

Headers = tuple[tuple[bytes, bytes], ...]

CLOSE: Final = (b"connection", b"close")
JSON_TYPE: Final = (b"content-type", b"application/json")
_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
# Credentials are never used, so any origin may read the answer; which origins may *send* is the store's choice.
OPEN: Final[Headers] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"retry-after"),
    (b"cache-control", b"no-store"),
)


class Answer:
    """One answer, ready to be sent."""

    __slots__ = ("_raw", "body", "headers", "status")

    def __init__(self, status: int, body: bytes, headers: Headers) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self._raw: bytes | None = None

    @property
    def failed(self) -> bool:
        """Whether the request was refused."""
        return self.status >= 400  # noqa: PLR2004  HTTP: 4xx and 5xx

    def raw(self, *, last: bool = False, bare: bool = False) -> bytes:
        """Return the answer as it goes over the wire.

        The plain form is made once: `RECEIVED` is one object, answered to every event.

        Args:
            last: whether the connection ends with it.
            bare: without the body, for `HEAD`.
        """
        if last or bare:
            return _head(self.status, (*self.headers, CLOSE) if last else self.headers) + (b"" if bare else self.body)
        if self._raw is None:
            self._raw = _head(self.status, self.headers) + self.body
        return self._raw


def _head(status: int, headers: Headers) -> bytes:
    lines = [b"%s: %s" % header for header in headers]
    if any(b"\n" in line or b"\r" in line for line in lines):
        raise ValueError(
            "a header of an answer holds a line break: nothing that was sent to us may begin a line of its own"
        )
    first = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} ".encode()  # of Hellotext's, or of a network's before it
    return b"\r\n".join((first, *lines, b"\r\n"))


def answer(status: int, document: Any, *headers: tuple[bytes, bytes]) -> Answer:
    """Return a JSON answer."""
    body = orjson.dumps(document)
    length = (b"content-length", str(len(body)).encode())
    return Answer(status, body, (JSON_TYPE, length, *_open_beside(headers), *headers))


def other(status: int, body: bytes, content_type: str, *headers: tuple[bytes, bytes]) -> Answer:
    """Return an answer that is no JSON: the GET pixel's picture, `pixel.js`, metrics."""
    length = (b"content-length", str(len(body)).encode())
    return Answer(status, body, ((b"content-type", content_type.encode()), length, *_open_beside(headers), *headers))


def _open_beside(headers: Headers) -> Headers:
    """Return what every answer carries, less what this one says itself."""
    if not headers:
        return OPEN
    own = {name for name, _ in headers}
    return tuple(pair for pair in OPEN if pair[0] not in own)


def problem(type: str, parameter: str | None, description: str) -> dict[str, str | None]:  # noqa: A002  the wire's name
    """Return one entry of `errors`; both `description` and `message`, as Hellotext's own pages differ (A3.1)."""
    return {"type": type, "parameter": parameter, "description": description, "message": description}


def refusal(
    status: int,
    type: str,  # noqa: A002  the wire's name
    description: str,
    parameter: str | None = None,
    *headers: tuple[bytes, bytes],
) -> Answer:
    """Return an error answer with one entry."""
    return answer(status, {"errors": [problem(type, parameter, description)]}, *headers)


def busy(description: str, seconds: int = 5) -> Answer:
    """Return 503: nothing was kept, send it again later."""
    return refusal(503, "unavailable", description, None, (b"retry-after", str(seconds).encode()))


RECEIVED: Final = answer(200, {"status": "received"})
