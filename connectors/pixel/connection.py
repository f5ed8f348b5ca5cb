"""One HTTP/1.1 connection: httptools' parser in front, the collector's answers behind it.

There is no ASGI between them: a request is taken whole and bounded, handed over in one task, and answered in one
write. What the open internet sends ends here: slow senders, endless heads and bodies, broken HTTP, deep pipelines.
Why it is our own: docs/decisions/0008.
"""

import asyncio
from collections import deque
from contextlib import suppress
from functools import lru_cache
from typing import Final, Literal, Protocol
from urllib.parse import unquote

import httptools

from connectors.pixel.answers import Answer, refusal
from connectors.pixel.request import Refused, Request

_HEAD_LIMIT: Final = 64 * 1024
_REMEMBERED: Final = 128  # letters: the addresses that all pages share are short
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BROKEN: Final = refusal(400, "invalid", "This is no HTTP/1.1 request.")
_HEAD_TOO_LARGE: Final = refusal(431, "too_large", f"The request's head has more than {_HEAD_LIMIT} bytes.")
_TOO_SLOW: Final = refusal(408, "timeout", "The body did not come in time.")

_FORWARDED: Final = b"x-forwarded-for"
_LONGEST_TARGET: Final = 0xFFFF  # of the parser of addresses

Phase = Literal["head", "body", "idle", "leaving"]


class _Nowhere(dict[bytes, bytes]):
    """Where trailers go: they come after the body, without end if their sender likes, and replace no header."""

    def __setitem__(self, _name: bytes, _value: bytes) -> None:
        """Keep nothing."""


_NOWHERE: Final = _Nowhere()


class Application(Protocol):
    """What answers."""

    async def answer(self, request: Request) -> Answer:
        """Return the one answer to a request, whatever happens."""

    def body_limit(self, path: str) -> int:
        """Return how many bytes a request to a path may bring."""


class Host(Protocol):
    """What a connection needs of `server.Server`."""

    application: Application

    def welcome(self, connection: "Connection") -> None:
        """Count a connection in."""

    def forget(self, connection: "Connection") -> None:
        """Count a connection out, with its last answer."""


class Connection(asyncio.Protocol):
    """Takes requests one after the other and answers them in their order."""

    _transport: asyncio.Transport

    def __init__(self, host: Host) -> None:
        self._host = host
        self._application = host.application
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._address: str | None = None
        self._phase: Phase = "head"
        self._quiet = 0  # sweeps since the sender was heard, or was answered
        self._deaf = False  # whatever still comes is not read
        self._stopping = False  # the last answer under way ends the connection
        self._lost = False
        self._waiting: deque[Request | Answer] = deque()
        self._work: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None  # for more answers, while the sender reads none
        self._head_size = self._piece = 0

    # What asyncio calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvloop's is no subclass
        """Wait for the first request."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._address = peer[0] if isinstance(peer, tuple) else None
        self._host.welcome(self)

    def data_received(self, data: bytes) -> None:
        """Parse; requests that are whole are answered in tasks."""
        rest: bytes | None = data
        self._piece = len(data)
        try:
            while rest is not None and not self._deaf:
                rest = self._feed(rest)
        except httptools.HttpParserError as error:
            reason = error.__context__
            self._refuse(reason.answer if isinstance(reason, Refused) else _BROKEN)
        if self._phase == "head":
            self._head_size += self._piece
            if self._head_size > _HEAD_LIMIT:
                self._refuse(_HEAD_TOO_LARGE)

    def pause_writing(self) -> None:
        """The sender reads its answers too slowly: make no more of them."""
        self._room = self._loop.create_future()
        self._quiet = 0

    def resume_writing(self) -> None:
        """The sender has read its answers."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def eof_received(self) -> bool:
        """The sender sends no more; it may still wait for its answer."""
        self._deaf = self._stopping = True
        return self._work is not None

    def connection_lost(self, _exc: Exception | None) -> None:
        """Finish what is under way: the event may be durable by now, though nobody hears of it."""
        self._lost = self._deaf = True
        del self._parser  # it refers to this connection
        self._waiting.clear()
        self.resume_writing()
        if self._work is None:
            self._host.forget(self)

    # What the parser calls. A `Refused` comes out of `feed_data` as the context of its own error.

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        self._phase = "head"
        self._quiet = 0
        self._head_size = -self._piece  # it may have come behind other requests: its first piece is not counted
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: bytes | bytearray = b""

    def on_url(self, url: bytes) -> None:
        """Take the address, or a part of it."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of a repeated one the last counts, but proxies each write their own `X-Forwarded-For`."""
        name = name.lower()
        if name in self._headers and name == _FORWARDED:
            value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Wait for the body, unless it says that it is too large."""
        self._phase = "body"
        self._quiet = 0
        self._head, self._headers = self._headers, _NOWHERE
        self._target = _target(self._url) if len(self._url) <= _REMEMBERED else _parse(self._url)
        self._limit = self._application.body_limit(self._target[0])
        declared = self._head.get(b"content-length")
        if declared is not None and int(declared) > self._limit:
            raise Refused(_too_large(self._limit))
        if b"expect" in self._head and self._work is None and not (self._parser.should_upgrade() or self._is_old()):
            self._transport.write(_CONTINUE)

    def on_body(self, part: bytes) -> None:
        """Take a part of the body; most come in one."""
        if not self._body:
            self._body = part
            if len(part) <= self._limit:
                return
        elif isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += part
        if len(self._body) > self._limit:
            raise Refused(_too_large(self._limit))

    def on_message_complete(self) -> None:
        """Hand the request over; while another is being answered it waits for its turn."""
        parser = self._parser
        self._method = parser.get_method().decode("ascii")
        if parser.should_upgrade() and self._method != "CONNECT":
            return  # see _feed
        self._phase = "idle"
        # Who keeps a connection in HTTP/1.0 waits to be told so in its words; to end it is right in any version.
        keep_alive = parser.should_keep_alive() and not (b"connection" in self._head and self._is_old())
        self._queue(
            Request(
                self._method, self._target, self._head, bytes(self._body),
                limit=self._limit, address=self._address, keep_alive=keep_alive,
            )
        )  # fmt: skip

    # What the server calls.

    def sweep(self, patience: int, idle: int) -> None:
        """Notice that a sender has been quiet for one sweep more; end what takes too long.

        One sweep over all connections now and then costs less than a timer for each request (1.6 us).

        Args:
            patience: sweeps that a head, a body, and the reading of answers may take.
            idle: sweeps that a connection may be kept between two requests.
        """
        self._quiet += 1
        if self._quiet > patience and (self._room is not None or self._transport.is_closing()):
            self._transport.abort()  # its answers are not read, and would be waited for without end
        elif self._work is not None or self._quiet <= (idle if self._phase == "idle" else patience):
            return
        elif self._phase == "body":
            self._refuse(_TOO_SLOW)
        else:
            self._transport.close()

    def stop(self) -> None:
        """End the connection after the answers under way."""
        self._stopping = True
        if self._work is None and self._phase != "body":
            self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # Our own.

    def _feed(self, data: bytes) -> bytes | None:
        """Feed the parser; returns what is to be fed next, if anything.

        An offer of another protocol (Java's client makes one of HTTP/2 with every first request) is declined by an
        answer in HTTP/1.1. The parser leaves the body of such a request unread, so it is fed again without the offer.
        """
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._method == "CONNECT":
                self._deaf = self._stopping = True  # what follows is no HTTP
                return None
            del self._head[b"upgrade"]
            version = self._parser.get_http_version()
            lines = [b"%s: %s" % header for header in self._head.items()]
            self._parser = httptools.HttpRequestParser(self)
            head = f"{self._method} ".encode() + self._url + f" HTTP/{version}".encode()
            return b"\r\n".join((head, *lines, b"", data[upgrade.args[0] :]))
        return None

    def _is_old(self) -> bool:
        return self._parser.get_http_version() == "1.0"

    def _queue(self, item: Request | Answer) -> None:
        self._waiting.append(item)
        if self._work is None:
            self._work = self._loop.create_task(self._answer_all())
        else:
            self._transport.pause_reading()  # a pipeline is answered before more of it is read

    def _refuse(self, answer: Answer) -> None:
        """Answer what is no request, in its turn, and read no more."""
        if not self._deaf:
            self._deaf = True
            self._queue(answer)

    async def _answer_all(self) -> None:
        transport = self._transport
        try:
            while self._waiting:
                item = self._waiting.popleft()
                if isinstance(item, Answer):
                    transport.write(item.raw(last=True))
                    self._leave()
                    return
                reply = await self._application.answer(item)
                last = not item.keep_alive or (self._stopping and not self._waiting)
                if transport.is_closing():
                    return
                transport.write(reply.raw(last=last, bare=item.method == "HEAD"))
                if last:
                    self._deaf = True
                    transport.close()
                    return
                if self._room is not None:
                    await self._room
            if self._stopping:  # since the last answer was written, while its sender read it
                transport.close()
            elif not (transport.is_reading() or transport.is_closing()):
                transport.resume_reading()
        finally:
            self._work = None
            self._quiet = 0
            if self._lost:
                self._host.forget(self)

    def _leave(self) -> None:
        """Let the sender read the answer: to close while it is still sending would take it away."""
        self._phase = "leaving"
        self._transport.resume_reading()
        with suppress(OSError):  # it may be gone, and its end not told to us yet
            self._transport.write_eof()


def _too_large(limit: int) -> Answer:
    return refusal(413, "too_large", f"The body has more than {limit} bytes: send less at once.")


def _parse(url: bytes) -> tuple[str, bytes, bytes]:
    """Return path, the path as it was sent, and query.

    Raises:
        Refused: 400 when it is no address, 431 when it is longer than any may be.
    """
    if len(url) > _LONGEST_TARGET:
        raise Refused(_HEAD_TOO_LARGE)
    try:
        parsed = httptools.parse_url(url)
        raw_path = parsed.path or b"/"
        path = raw_path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        raise Refused(_BROKEN) from None
    return unquote(path) if "%" in path else path, raw_path, parsed.query or b""


_target = lru_cache(maxsize=1024)(_parse)
