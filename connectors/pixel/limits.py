"""Bounds: how fast a store may send, and how much a body may hold."""

import time
import zlib


class TooLargeError(ValueError):
    """The body passes the limit, as sent or unpacked."""


class BadEncodingError(ValueError):
    """The body is not what `Content-Encoding` says."""


class Bucket:
    """A token bucket: `rate` a second, `burst` at once."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = time.monotonic()

    def take(self, count: int = 1) -> float:
        """Take tokens and return 0, or take none and return the seconds until there are enough."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        needed = min(count, self._burst)  # more than that there never is: the rest is owed
        if self._tokens >= needed:
            self._tokens -= count
            return 0.0
        return (needed - self._tokens) / self._rate


def unpack_body(body: bytes, encoding: bytes, limit: int) -> bytes:
    """Return a body without its `Content-Encoding` (gzip, deflate or identity), never more than `limit` bytes.

    Raises:
        TooLargeError: when it unpacks to more.
        BadEncodingError: when the encoding is unknown or the bytes are broken.
    """
    name = encoding.strip().lower()
    if name in {b"", b"identity"}:
        return body
    if name not in {b"gzip", b"x-gzip", b"deflate"}:
        raise BadEncodingError("content-encoding is not gzip, deflate or identity")
    unpacker = zlib.decompressobj(47)  # 15 bits of window, plus 32: gzip or zlib by its head
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadEncodingError("the body is not the gzip or deflate that content-encoding says") from error
    if len(plain) > limit:
        raise TooLargeError(f"the body unpacks to more than {limit} bytes")
    if not unpacker.eof:
        raise BadEncodingError("the compressed body is cut")
    if unpacker.unused_data:
        raise BadEncodingError("more follows the compressed body: compress it in one piece")
    return plain
