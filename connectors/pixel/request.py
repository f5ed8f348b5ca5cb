"""One HTTP request, as far as the collector cares, and the refusals it may end in."""

from functools import cached_property, lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from connectors.pixel import limits
from connectors.pixel.answers import CLOSE, Answer, refusal
from connectors.pixel.privacy import mask_address, sender_address
from connectors.pixel.settings import CollectorSettings

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
    """A request; its body is read once, under the limits."""

    __slots__ = ("__dict__", "headers", "method", "path", "scope")

    def __init__(self, scope: dict[str, Any], receive: limits.Receive, settings: CollectorSettings) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive
        self._settings = settings

    @cached_property
    def query(self) -> dict[str, str]:
        """The query's fields; of a repeated one the last."""
        raw: bytes = self.scope["query_string"]
        if not raw:
            return {}
        try:
            return dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS))
        except ValueError:
            raise Refused(refusal(400, "invalid", f"The query has more than {_QUERY_FIELDS} fields.")) from None

    @property
    def user_agent(self) -> str | None:
        """The `User-Agent`, cut."""
        value = self.headers.get(b"user-agent")
        return value[:_USER_AGENT].decode("latin-1") if value else None

    @property
    def network(self) -> str | None:
        """The sender's network: /24 or /48, never its address."""
        client = self.scope.get("client")
        forwarded = self.headers.get(b"x-forwarded-for", b"")
        return _network(sender_address(client[0] if client else None, forwarded, self._settings.trusted_proxies))

    async def body(self, limit: int | None = None) -> bytes:
        """Return the body, unpacked.

        Raises:
            Refused: 413 when it is too large, 408 when it never came, 415 when its encoding is not understood.
        """
        settings = self._settings
        limit = limit or settings.body_limit
        declared = self.headers.get(b"content-length")
        try:
            raw = await limits.read_body(self._receive, declared, limit)
            return limits.unpack_body(raw, self.headers.get(b"content-encoding", b""), limit)
        except limits.TooLargeError as error:
            raise Refused(refusal(413, "too_large", f"{error}: send less at once.")) from error
        except limits.GoneError as error:
            raise Refused(refusal(408, "timeout", f"{error}.", None, CLOSE)) from error
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
