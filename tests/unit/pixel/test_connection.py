import asyncio
import contextlib
import errno
import inspect
import socket
from collections.abc import AsyncIterator

import orjson
import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.pixel.answers import OPEN, Answer, answer
from connectors.pixel.connection import Connection
from connectors.pixel.request import Request
from connectors.pixel.serve import url
from connectors.pixel.server import Server
from connectors.pixel.settings import CollectorSettings

LIMIT = 1000
BODY = b"GET /%s HTTP/1.1\r\n\r\n"
PIECES = (
    b"\r\n", b"POST / HTTP/1.1\r\n", b"content-length: 3\r\n", b"transfer-encoding: chunked\r\n",
    b"GET /%zz HTTP/1.1\r\n\r\n", b"upgrade: h2c\r\nconnection: upgrade\r\n", b"CONNECT a:1 HTTP/1.1\r\n\r\n",
    b"expect: 100-continue\r\n", b"GET http://[ HTTP/1.1\r\n\r\n",
)  # fmt: skip


class Mirror:
    """Answers with what it was asked, when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.size = 0

    def body_limit(self, _path: str) -> int:
        return LIMIT

    async def answer(self, request: Request) -> Answer:
        await self.may.wait()
        body = request.body()
        told = {"method": request.method, "path": request.path, "query": request.query, "body": body.decode("latin-1")}
        return answer(200, {**told, "padding": "x" * self.size})


class Listening:
    """A server on a real socket."""

    def __init__(self, mirror: Mirror, server: Server, port: int) -> None:
        self.mirror, self.server, self.port = mirror, server, port

    @property
    def connections(self) -> set[Connection]:
        return self.server._connections

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def all_of(self, sent: bytes) -> bytes:
        """Send, say that this was all, and return everything that comes until the connection is closed."""
        reader, writer = await self.open()
        writer.write(sent)
        writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 60)
        finally:
            writer.close()

    def sweep(self, times: int) -> None:
        """Let so many sweeps pass; a sender has 4 for a head or a body, and 12 between requests."""
        for _ in range(times):
            for connection in list(self.connections):
                connection.sweep(4, 12)

    async def until(self, connections: int) -> None:
        """Wait until so many connections are open."""
        async with asyncio.timeout(60):
            while len(self.connections) != connections:  # noqa: ASYNC110  the sockets tell
                await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Listening]:
    """A server, until the block ends."""
    mirror = Mirror()
    server = Server(mirror, read_timeout=60, idle_timeout=60)
    listener = socket.create_server(("127.0.0.1", 0))
    await server.start(listener)
    try:
        yield Listening(mirror, server, listener.getsockname()[1])
    finally:
        mirror.may.set()
        await server.stop(0.1)


def replies(raw: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Cut bytes into HTTP answers; there is nothing between or after them."""
    found = []
    while raw:
        head, gap, raw = raw.partition(b"\r\n\r\n")
        assert gap
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = dict(line.split(": ", 1) for line in lines)
        length = int(headers.get("content-length", "0"))
        found.append((int(status), headers, raw[:length]))
        raw = raw[length:]
    return found


async def one(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """Read one answer."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    (reply,) = replies(head + await reader.readexactly(length))
    return reply


def paths(raw: bytes) -> list[str]:
    """Which requests were answered."""
    return [orjson.loads(body)["path"] for _, _, body in replies(raw)]


class TestRequests:
    async def test_one_connection_takes_one_request_after_the_other(self):
        """It is kept between them."""
        async with listening() as host:
            reader, writer = await host.open()
            for name in (b"a", b"b?x=1&x=2"):
                writer.write(b"POST /" + name + b" HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi")
                status, headers, body = await one(reader)
                assert (status, headers["access-control-allow-origin"]) == (200, "*")
            writer.close()

        assert orjson.loads(body) == {"method": "POST", "path": "/b", "query": {"x": "2"}, "body": "hi", "padding": ""}

    async def test_a_pipeline_is_answered_in_its_order(self):
        """What is no HTTP at its end is told last, not before the answers that are under way."""
        names = [f"/{number}" for number in range(300)]
        sent = b"".join(BODY % name[1:].encode() for name in names)
        async with listening() as host:
            raw = await host.all_of(sent + b"\x16\x03 hello\r\n\r\n" + sent)

        *good, (status, headers, body) = replies(raw)
        assert [orjson.loads(body)["path"] for _, _, body in good] == names
        assert (status, headers["connection"]) == (400, "close")
        assert orjson.loads(body)["errors"][0]["type"] == "invalid"

    async def test_the_body_comes_in_pieces(self):
        """Chunked, and cut anywhere."""
        chunked = b"POST /c HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n5;x=y\r\ndefgh\r\n0\r\n\r\n"
        async with listening() as host:
            reader, writer = await host.open()
            for number in range(len(chunked)):
                writer.write(chunked[number : number + 1])
                await writer.drain()
                await asyncio.sleep(0)
            _, _, body = await one(reader)
            writer.close()

        assert orjson.loads(body)["body"] == "abcdefgh"

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(
        st.lists(st.integers(1, 400), max_size=12),
        st.sampled_from((b"", b"\x00junk\r\n\r\n", b"GET /cut HTTP/1.1\r\nx")),
    )
    async def test_how_the_bytes_are_cut_does_not_matter(self, cuts, rest):
        """The same stream gives the same answers, whatever the network makes of it."""
        sent = (
            b"POST /a?b=c HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"
            b"POST /x%20y HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            b"HEAD /h HTTP/1.1\r\n\r\nGET /last HTTP/1.1\r\nx: " + b"y" * 300 + b"\r\n\r\n" + rest
        )
        async with listening() as host:
            wires = []
            for pieces in ([len(sent)], cuts):
                wires.append(wire := Recorder())
                connection = Connection(host.server)
                connection.connection_made(wire)
                start = 0
                for size in (*pieces, len(sent)):
                    connection.data_received(sent[start : start + size])
                    start += size
                    await asyncio.sleep(0)
                async with asyncio.timeout(60):
                    while connection._work is not None:  # noqa: ASYNC110  its own task ends
                        await asyncio.sleep(0)
                connection.connection_lost(None)

        assert wires[0].written == wires[1].written
        assert wires[0].written.count(b"HTTP/1.1 200 OK") == 4

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(st.lists(st.binary(max_size=60) | st.sampled_from(PIECES), max_size=12))
    def test_any_bytes_get_answers_or_nothing(self, pieces):
        """Whatever comes is answered as HTTP, and never fails us."""
        failures = []

        async def exchange() -> bytes:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
            async with listening() as host:
                raw = await host.all_of(b"".join(pieces))
                await host.until(0)
            return raw

        raw = uvloop.run(exchange())

        assert {status for status, _, _ in replies(raw.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""))} <= {200, 400}
        assert failures == []

    @pytest.mark.parametrize(
        ("head", "kept"),
        [
            (b"GET / HTTP/1.1", True),
            (b"GET / HTTP/1.0", False),
            (b"GET / HTTP/1.0\r\nconnection: keep-alive", False),
            (b"GET / HTTP/1.1\r\nconnection: close", False),
        ],
    )
    async def test_a_connection_ends_when_its_sender_says_so(self, head, kept):
        """And the answer says it, too."""
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(head + b"\r\n\r\n")
            _, headers, _ = await one(reader)
            assert headers.get("connection") == (None if kept else "close")
            if not kept:
                assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()

    async def test_a_head_alone_is_answered_with_one(self):
        """A probe's `HEAD` gets no body that the next answer would begin with."""
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(b"HEAD / HTTP/1.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(BODY % b"next")
            _, _, body = await one(reader)
            writer.close()

        assert int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]) > 0
        assert orjson.loads(body)["path"] == "/next"

    async def test_an_offer_of_http_2_is_declined(self):
        """As Java's client makes it with its first request; the connection goes on in HTTP/1.1."""
        offer = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIA\r\n"
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(b"POST /a HTTP/1.1\r\n" + offer + b"content-length: 2\r\n\r\nhi")
            first = await one(reader)
            writer.write(BODY % b"b")
            second = await one(reader)
            writer.close()

        assert [(told["path"], told["body"]) for told in (orjson.loads(first[2]), orjson.loads(second[2]))] == [
            ("/a", "hi"),
            ("/b", ""),
        ]

    @pytest.mark.parametrize("offer", [b"", b"connection: upgrade\r\nupgrade: h2c\r\n"])
    async def test_who_expects_100_continue_is_told_to(self, offer):
        """As curl waits for it before it sends a body; once."""
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\n" + offer + b"content-length: 2\r\n\r\n")
            told = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"hi")
            status, _, body = await one(reader)
            writer.close()

        assert (told, status) == (b"HTTP/1.1 100 Continue\r\n\r\n", 200)
        assert orjson.loads(body)["body"] == "hi"

    async def test_nobody_is_told_to_continue_in_http_1_0(self):
        """It has no such answer: the sender would take it for the only one."""
        sent = b"POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\nhi"
        async with listening() as host:
            assert paths(await host.all_of(sent)) == ["/"]

    async def test_what_comes_behind_a_body_is_no_header(self):
        """A proxy passes trailers on as they were sent: they replace nothing, and nothing is kept of them."""
        trailers = b"content-encoding: gzip\r\n" + b"x: y\r\n" * 30_000
        sent = b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n" + trailers + b"\r\n"
        async with listening() as host:
            raw = await host.all_of(sent + BODY % b"b")

        assert [orjson.loads(body)["body"] for _, _, body in replies(raw)] == ["hi", ""]

    async def test_who_sends_no_more_still_gets_the_answer(self):
        """A half-closed connection is not a lost one."""
        async with listening() as host:
            assert paths(await host.all_of(BODY % b"a")) == ["/a"]

    async def test_a_sender_that_leaves_is_forgotten(self):
        """In the middle of a head, of a body, and of our answer."""
        async with listening() as host:
            host.mirror.may.clear()
            writers = []
            for sent in (b"POST / HT", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhi", BODY % b"a"):
                _, writer = await host.open()
                writer.write(sent)
                await writer.drain()
                writers.append(writer)
            await host.until(3)
            for writer in writers:
                writer.transport.abort()
            await host.until(1)
            (answered,) = host.connections
            assert answered._work is not None  # it is still being answered
            host.mirror.may.set()
            await host.until(0)
            assert (await host.all_of(BODY % b"b")).startswith(b"HTTP/1.1 200")

    async def test_a_sender_that_is_gone_before_its_refusal_fails_nobody(self):
        """Its end may be told to us only later."""

        class Gone(Recorder):
            def write_eof(self) -> None:
                raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

        async with listening() as host:
            connection = Connection(host.server)
            connection.connection_made(Gone())
            connection.data_received(b"BAD\r\n\r\n")
            work = connection._work
            assert work is not None
            await work
            connection.connection_lost(None)
            assert host.connections == set()


class TestBounds:
    async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(self):
        """And its sender can read why, even if it sends all of it first."""
        head = b"POST / HTTP/1.1\r\ncontent-length: 8000000\r\n\r\n"
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(head)
            early = await one(reader)
            writer.close()
            reader, writer = await host.open()
            writer.write(head + b"x" * 8_000_000)
            await writer.drain()
            late = await one(reader)
            writer.close()

        assert early == late
        assert (early[0], early[1]["connection"], orjson.loads(early[2])["errors"][0]["type"]) == (
            413,
            "close",
            "too_large",
        )

    async def test_a_body_without_a_length_is_bounded(self):
        """It could go on for ever."""
        async with listening() as host:
            chunk = b"1F4\r\n" + b"x" * 500 + b"\r\n"
            fits = await host.all_of(
                b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 2 + b"0\r\n\r\n"
            )
            too_large = await host.all_of(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + chunk * 3)

        assert [status for status, _, _ in replies(fits) + replies(too_large)] == [200, 413]

    async def test_a_head_is_bounded(self):
        """64 kB are more than any browser sends."""
        async with listening() as host:
            reader, writer = await host.open()
            with contextlib.suppress(ConnectionError):
                writer.write(b"POST / HTTP/1.1\r\n")
                for number in range(200):
                    writer.write(b"x%d: " % number + b"y" * 1000 + b"\r\n")
                    await writer.drain()
            status, _, _ = await one(reader)
            writer.close()

        assert status == 431

    async def test_a_target_is_bounded(self):
        """In one piece with its head, too."""
        async with listening() as host:
            raw = await host.all_of(BODY % (b"a" * 70_000))

        assert [(status, headers["connection"]) for status, headers, _ in replies(raw)] == [(431, "close")]

    async def test_a_last_answer_that_nobody_reads_is_not_waited_for(self):
        """Such connections would use up all that there may be."""
        async with listening() as host:
            connection, wire = await self._answered(
                host, BODY.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") % b"a"
            )
            assert wire.closed
            for number in range(5):
                assert wire.aborted == 0, number
                connection.sweep(4, 12)
            assert wire.aborted == 1
            connection.connection_lost(None)

    async def test_who_is_told_to_stop_while_an_answer_is_read_stops_behind_it(self):
        """And so does who has said meanwhile that it sends no more."""
        for ends in (Connection.stop, Connection.eof_received):
            async with listening() as host:
                connection = Connection(host.server)
                connection.connection_made(wire := Recorder())
                connection.pause_writing()
                connection.data_received(BODY % b"a")
                async with asyncio.timeout(60):
                    while not wire.written:  # noqa: ASYNC110  its own task writes
                        await asyncio.sleep(0)
                ends(connection)
                assert not wire.closed
                connection.resume_writing()
                async with asyncio.timeout(60):
                    while connection._work is not None:  # noqa: ASYNC110  its own task ends
                        await asyncio.sleep(0)
                assert wire.closed
                connection.connection_lost(None)

    @staticmethod
    async def _answered(host: Listening, sent: bytes) -> tuple[Connection, "Recorder"]:
        connection = Connection(host.server)
        connection.connection_made(wire := Recorder())
        connection.data_received(sent)
        async with asyncio.timeout(60):
            while connection._work is not None:  # noqa: ASYNC110  its own task ends
                await asyncio.sleep(0)
        return connection, wire

    async def test_a_head_behind_a_long_pipeline_is_not_taken_for_a_long_head(self):
        """They come in one piece, larger than any head may be."""
        names = [f"/{number}-{'x' * 300}" for number in range(300)]
        async with listening() as host:
            connection = Connection(host.server)
            connection.connection_made(wire := Recorder())
            connection.data_received(b"".join(BODY % name[1:].encode() for name in names) + b"GET /la")
            connection.data_received(b"st HTTP/1.1\r\n\r\n")
            async with asyncio.timeout(60):
                while connection._work is not None:  # noqa: ASYNC110  its own task ends
                    await asyncio.sleep(0)
            connection.connection_lost(None)

        assert paths(wire.written) == [*names, "/last"]

    async def test_a_slow_head_ends_without_a_word(self):
        """Nobody was promised anything; neither was one who says nothing at all."""
        async with listening() as host:
            reader, writer = await host.open()
            silent_reader, silent = await host.open()
            writer.write(b"POST / HT")
            await host.until(2)
            async with asyncio.timeout(60):
                while not any(connection._piece for connection in host.connections):  # noqa: ASYNC110  as `until`
                    await asyncio.sleep(0.001)
            host.sweep(4)
            assert len(host.connections) == 2
            host.sweep(1)
            assert await asyncio.wait_for(reader.read(), 60) == await asyncio.wait_for(silent_reader.read(), 60) == b""
            writer.close()
            silent.close()

    async def test_a_slow_body_is_408(self):
        """And the rest of it is not waited for."""
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhi")
            await self._in(host, "body")
            host.sweep(5)
            status, headers, _ = await one(reader)
            assert await asyncio.wait_for(reader.read(), 60) == b""
            host.sweep(5)
            await host.until(0)
            writer.close()

        assert (status, headers["connection"]) == (408, "close")

    async def test_an_idle_connection_ends_later(self):
        """Pages come back; a connection that is being answered is not idle."""
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(BODY % b"a")
            await one(reader)
            host.mirror.may.clear()
            writer.write(BODY % b"b")
            async with asyncio.timeout(60):
                while not any(connection._work for connection in host.connections):  # noqa: ASYNC110  as `until`
                    await asyncio.sleep(0.001)
            host.sweep(30)
            host.mirror.may.set()
            _, _, body = await one(reader)
            await self._in(host, "idle")
            host.sweep(12)
            assert len(host.connections) == 1
            host.sweep(1)
            assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()

        assert orjson.loads(body)["path"] == "/b"

    async def test_who_reads_no_answers_gets_no_more_of_them(self):
        """A pipeline of large answers does not fill our memory, and its sender is cut off in the end."""
        async with listening() as host:
            host.mirror.size = 4 << 20
            _, writer = await host.open()
            writer.write(BODY % b"a" * 100)
            async with asyncio.timeout(60):
                while not any(connection._room for connection in host.connections):  # noqa: ASYNC110  as `until`
                    await asyncio.sleep(0.001)
            (connection,) = host.connections
            await asyncio.sleep(0)
            assert len(connection._waiting) > 90
            host.sweep(5)
            await host.until(0)
            writer.close()

    @staticmethod
    async def _in(host: Listening, phase: str) -> None:
        async with asyncio.timeout(60):
            while {(c._phase, c._work) for c in host.connections} != {(phase, None)}:  # noqa: ASYNC110  as `until`
                await asyncio.sleep(0.001)

    def test_a_balancers_connection_is_not_ended_before_it_does_so_itself(self):
        """AWS's and nginx's keep theirs for 60 s: a request on its way to a closed one would be a 502."""
        assert CollectorSettings().idle_timeout > 60


class TestStop:
    async def test_what_has_come_is_answered(self):
        """An idle connection ends at once, a busy one with its answer, and a new one is not accepted."""
        async with listening() as host:
            idle_reader, idle = await host.open()
            idle.write(BODY % b"a")
            await one(idle_reader)
            host.mirror.may.clear()
            reader, writer = await host.open()
            writer.write(BODY % b"b" + BODY % b"c")
            async with asyncio.timeout(60):
                while not any(connection._waiting for connection in host.connections):  # noqa: ASYNC110  as `until`
                    await asyncio.sleep(0.001)
            stopping = asyncio.create_task(host.server.stop(10))
            assert await asyncio.wait_for(idle_reader.read(), 60) == b""
            host.mirror.may.set()
            raw = await asyncio.wait_for(reader.read(), 60)
            await stopping
            with pytest.raises(ConnectionError):
                await host.open()
            idle.close()
            writer.close()

        assert paths(raw) == ["/b", "/c"]
        assert [headers.get("connection") for _, headers, _ in replies(raw)] == [None, "close"]

    async def test_it_does_not_wait_for_ever(self):
        """A body that never comes is given up."""
        async with listening() as host:
            reader, writer = await host.open()
            writer.write(b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhi")
            await TestBounds._in(host, "body")
            await host.server.stop(0.01)
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 60) == b""
            writer.close()


class Recorder(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written = b""
        self.closed = False
        self.aborted = 0

    def write(self, data) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted += 1


@pytest.mark.parametrize(("host", "told"), [("127.0.0.1", "http://127.0.0.1:80"), ("::1", "http://[::1]:80")])
def test_the_address_that_is_told_can_be_called(host, told):
    """An IPv6 address stands in brackets."""
    assert url(host, 80) == told


def test_nothing_that_was_sent_to_us_begins_a_line_of_an_answer():
    """Whatever is echoed (an origin, a header's name) stays inside its line."""
    with pytest.raises(ValueError, match="line break"):
        Answer(200, b"", (*OPEN, (b"x", b"a\r\nset-cookie: b"))).raw()


ALONE = [
    getattr(cls(), name)
    for cls in (TestRequests, TestBounds, TestStop)
    for name, test in vars(cls).items()
    if inspect.iscoroutinefunction(test)
    and not hasattr(test, "hypothesis")
    and len(inspect.signature(test).parameters) == 1
]


@pytest.mark.parametrize("scenario", ALONE, ids=lambda scenario: scenario.__name__)
def test_on_the_loop_that_the_collector_runs_on(scenario):
    """The same as above: uvloop's transports are not asyncio's."""

    async def loop() -> type:
        await scenario()
        return type(asyncio.get_running_loop())

    assert uvloop.run(loop()) is uvloop.Loop
