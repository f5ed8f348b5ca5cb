"""uvicorn's HTTP protocol, with what the open internet needs: slow senders end, and broken HTTP is answered as JSON."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from connectors.pixel.answers import CLOSE, Answer, refusal


class Protocol(HttpToolsProtocol):
    """One connection; knows since when it waits for the rest of a request."""

    waits_since: float | None = None
    _head_done = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for the first request's head."""
        super().connection_made(transport)
        self.waits_since = self.loop.time()

    def on_message_begin(self) -> None:
        """Wait for this request's head."""
        self.waits_since = self.loop.time()
        self._head_done = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait for the body; an address that is none is broken HTTP."""
        self._head_done = True
        try:
            super().on_headers_complete()
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError) as error:
            raise httptools.HttpParserError(str(error)) from error

    def on_message_complete(self) -> None:
        """Wait for nothing: what takes time now is ours."""
        self.waits_since = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._end(refusal(400, "invalid", msg, None, CLOSE), b"Bad Request")

    def too_slow(self) -> None:
        """End the connection: with an answer when a request has begun, without a word before."""
        self.waits_since = None
        if self._head_done and not self.cycle.response_started:
            self._end(refusal(408, "timeout", "The body did not come in time.", None, CLOSE), b"Request Timeout")
        else:
            self.transport.close()

    def _end(self, reply: Answer, phrase: bytes) -> None:
        head = b"HTTP/1.1 %d %s\r\n" % (reply.status, phrase)
        fields = b"".join(b"%s: %s\r\n" % pair for pair in reply.headers)
        self.transport.write(head + fields + b"\r\n" + reply.body)
        self.transport.close()


async def sweep(connections: Iterable[Any], seconds: float) -> None:
    """End connections that wait longer than `seconds` for a sender; one sweep is cheaper than a timer a request."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(seconds / 4)
        now = loop.time()
        for connection in list(connections):
            if connection.waits_since is not None and now - connection.waits_since > seconds:
                connection.too_slow()
