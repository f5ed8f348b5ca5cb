"""One HTTP request, as far as the collector cares, and the refusals it may end in."""

from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from connectors.pixel import limits
from connectors.pixel.answers import Answer, refusal
from connectors.pixel.privacy import mask_address, sender_address

_USER_AGENT: Final = 512
_QUERY_FIELDS: Final = 100


class Refused(Exception):  # noqa: N818  no error of ours: an answer on its way out
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class MalformedError(ValueError):
    """The body is no JSON."""


class Request:
    """A request, whole: its body is within the limit."""

    __slots__ = (
        "_body",
        "_limit",
        "_query",
        "address",
        "headers",
        "keep_alive",
        "method",
        "path",
        "query_string",
        "raw_path",
    )

    def __init__(
        self,
        method: str,
        target: tuple[str, bytes, bytes],
        headers: dict[bytes, bytes],
        body: bytes,
        *,
        limit: int,
        address: str | None = None,
        keep_alive: bool = True,
    ) -> None:
        """Take what was sent.

        Args:
            method: such as `POST`.
            target: path, the path as it was sent, and query.
            headers: by their names in small letters.
            body: as it was sent.
            limit: bytes that it may have when unpacked.
            address: of the other end of the connection.
            keep_alive: whether another request may follow on the connection.
        """
        self.method = method
        self.path, self.raw_path, self.query_string = target
        self.headers = headers
        self.address = address
        self.keep_alive = keep_alive
        self._body = body
        self._limit = limit
        self._query: dict[str, str] | None = None

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of a repeated one the last."""
        if not self.query_string:
            return {}
        if self._query is None:
            try:
                fields = parse_qsl(
                    self.query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS
                )
            except ValueError:
                raise Refused(refusal(400, "invalid", f"The query has more than {_QUERY_FIELDS} fields.")) from None
            self._query = dict(fields)
        return self._query

    @property
    def user_agent(self) -> str | None:
        """The `User-Agent`, cut."""
        value = self.headers.get(b"user-agent")
        return value[:_USER_AGENT].decode("latin-1") if value else None

    def network(self, trusted_proxies: int) -> str | None:
        """Return the sender's network, /24 or /48, never its address; our own proxies' word for it counts."""
        forwarded = self.headers.get(b"x-forwarded-for", b"")
        return _network(sender_address(self.address, forwarded, trusted_proxies))

    def body(self) -> bytes:
        """Return the body, unpacked.

        Raises:
            Refused: 413 when it unpacks to too much, 415 when its encoding is not understood.
        """
        encoding = self.headers.get(b"content-encoding")
        if encoding is None:
            return self._body
        try:
            return limits.unpack_body(self._body, encoding, self._limit)
        except limits.TooLargeError as error:
            raise Refused(refusal(413, "too_large", f"{error}: send less at once.")) from error
        except limits.BadEncodingError as error:
            raise Refused(refusal(415, "invalid", f"{error}.")) from error


def decode(body: bytes) -> Any:
    """Return the JSON in a body, whatever its content type says: `sendBeacon` writes text/plain.

    Raises:
        MalformedError: when it is no JSON; says where, without its content.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"the body is not JSON (line {error.lineno}, column {error.colno})") from None


@lru_cache(maxsize=4096)
def _network(address: str | None) -> str | None:
    return mask_address(address)
