"""Calls: whole answers or typed errors, retries, and nothing of anybody in a message."""

import asyncio
from dataclasses import replace
from email.utils import formatdate

import httpx
import pytest

from connectors.outbound import without_cookies
from connectors.vtex.budget import Urgency
from connectors.vtex.client import Call, VtexClient
from connectors.vtex.errors import (
    AccountUnknown,
    ContractChanged,
    FeedTaken,
    KeyRefused,
    ResourceMissing,
    Retryable,
    ScrollBusy,
    ScrollLost,
    Throttled,
    Unavailable,
)
from connectors.vtex.gate import Gate
from schemas.stores import VtexAccess
from tests.unit.vtex.memory import QUICK
from tests.waiting import until

SETTINGS = replace(QUICK.calls, attempts=3)
ACCESS = VtexAccess(account="acme", url="http://proxy.example/vtex/acme/", app_key="the-key", app_token="sealed")
SEARCH = Call("GET", "/api/dataentities/CL/search", "customers", Urgency.FOLLOW, {"_where": "phone=+55 11"})


def _client(*answers, now=lambda: 1_795_687_200.0):
    """Return a client whose calls get these answers, in turn, and the requests that it made."""
    waiting, requests = list(answers), []

    def answer(request):
        requests.append(request)
        found = waiting.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    gate = Gate("acme", SETTINGS, 6_000_000)
    return VtexClient(ACCESS, "the-token", gate, SETTINGS, http, now=now), requests


async def test_keys_and_query_go_as_vtex_wants_them():
    """Headers with the opened token; a base with a path; spaces as %20 and `+` as %2B (NOTES 2.1)."""
    client, requests = _client(httpx.Response(200, json=[{"id": "a"}]))
    answer = await client.call(SEARCH)
    [request] = requests
    assert answer.document == [{"id": "a"}]
    assert str(request.url) == "http://proxy.example/vtex/acme/api/dataentities/CL/search?_where=phone%3D%2B55%2011"
    assert request.headers["X-VTEX-API-AppKey"] == "the-key"
    assert request.headers["X-VTEX-API-AppToken"] == "the-token"
    assert request.headers["Accept"] == "application/json"


@pytest.mark.parametrize(
    "failure",
    [
        httpx.Response(500, text="Erro interno"), httpx.Response(503), httpx.Response(408),
        httpx.Response(200, content=b'[{"id": "a"'), httpx.ReadError("cut"), httpx.ConnectTimeout("late"),
        httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(200),
    ],
)  # fmt: skip
async def test_what_may_succeed_later_is_tried_again(failure):
    """5xx, 408, broken JSON or none, cut connections and 429."""
    client, requests = _client(failure, httpx.Response(200, json=[]))
    assert (await client.call(SEARCH)).document == []
    assert len(requests) == 2


async def test_it_gives_up_after_its_attempts():
    """The reader comes back later."""
    client, requests = _client(*[httpx.Response(502)] * 3)
    with pytest.raises(Unavailable, match="answered customers with 502"):
        await client.call(SEARCH)
    assert len(requests) == 3


async def test_a_lost_page_of_a_scroll_is_not_asked_for_again():
    """The token may be behind it already; only a 429 surely moved nothing."""
    call = replace(SEARCH, repeatable=False)
    client, requests = _client(httpx.ReadError("cut"))
    with pytest.raises(Unavailable):
        await client.call(call)
    assert len(requests) == 1
    client, requests = _client(httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(200, json=[]))
    await client.call(call)
    assert len(requests) == 2


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (httpx.Response(401), KeyRefused, "refuses the App Key"),
        (httpx.Response(403, json={"Message": "Unauthorized"}), ResourceMissing, "Read only documents"),
        (httpx.Response(403, json={"Message": "Cannot read private fields"}), ResourceMissing, "--vtex-field"),
        (httpx.Response(409), FeedTaken, "key of its own"),
        (httpx.Response(400, json={"Message": "Maximum simultaneous scrolls rate exceeded (10)"}), ScrollBusy, "ten"),
        (httpx.Response(400, json={"Message": "Operation not found for this token: 'X'"}), ScrollLost, "token"),
        (httpx.Response(400, json={"Message": "ana@shop.example is bad"}), ContractChanged, "400"),
        (httpx.Response(404), AccountUnknown, "404"),
        (httpx.Response(301, headers={"Location": "https://elsewhere"}), AccountUnknown, "redirect"),
        (httpx.Response(307), AccountUnknown, "redirect"),
        (httpx.Response(418), ContractChanged, "418"),
    ],
)  # fmt: skip
async def test_refusals_are_told_apart(answer, error, message):
    """Each says what to do; none repeats VTEX's text, a key or a person; none is tried again."""
    client, requests = _client(answer)
    with pytest.raises(error, match=message) as refused:
        await client.call(SEARCH)
    assert len(requests) == 1
    for secret in ("the-key", "the-token", "ana@", "+55"):
        assert secret not in str(refused.value)


async def test_a_cut_connection_tells_no_address():
    """Httpx's own text may carry the query."""
    client, _ = _client(*[httpx.ReadError("http://x/?email=ana@shop.example")] * 3)
    with pytest.raises(Unavailable) as failed:
        await client.call(SEARCH)
    assert "ana" not in str(failed.value)


async def test_404_is_an_answer_where_it_may_be():
    """A document that is not there; a feed without configuration."""
    client, _ = _client(httpx.Response(404), httpx.Response(204))
    missing = await client.call(replace(SEARCH, missing=True))
    assert (missing.found, missing.document) == (False, None)
    assert (await client.call(SEARCH)).document is None


@pytest.mark.parametrize(
    ("method", "status", "missing"), [("POST", 200, False), ("GET", 204, False), ("GET", 200, True)]
)
async def test_nothing_is_an_answer_where_it_may_be(method, status, missing):
    """What was written, and what need not be there, such as a feed's events."""
    client, requests = _client(httpx.Response(status))
    answer = await client.call(replace(SEARCH, method=method, missing=missing))
    assert (answer.document, len(requests)) == (None, 1)


async def test_a_429_silences_every_call_of_the_account():
    """Not only the one that met it."""
    client, _ = _client(httpx.Response(429, headers={"Retry-After": "30"}))
    calling = asyncio.create_task(client.call(SEARCH))
    await until("the account is silent", lambda: client.gate.budget.paused_for)
    assert 20 < client.gate.budget.paused_for <= 30
    assert not calling.done()
    calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)


@pytest.mark.parametrize("fast", [0, 3600, -3600])
async def test_a_date_in_retry_after_is_understood(fast):
    """HTTP allows both; it is meant by the clock of the answer's own Date, which may be far from ours."""
    there = 1_795_687_200 + fast
    later, date = (formatdate(at, usegmt=True) for at in (there + 20, there))
    headers = {"Retry-After": later} | ({"Date": date} if fast else {})
    client, _ = _client(*[httpx.Response(503, headers=headers)] * 3)
    client._settings = replace(SETTINGS, attempts=1)
    with pytest.raises(Unavailable) as failed:
        await client.call(SEARCH)
    assert failed.value.retry_after == 20


@pytest.mark.parametrize("status", [429, 503])
async def test_a_long_pause_is_its_readers_to_wait(status):
    """Who sleeps inside a call for an hour tells nobody why nothing is read."""
    client, requests = _client(httpx.Response(status, headers={"Retry-After": "1800"}))
    with pytest.raises(Retryable) as failed:
        await client.call(SEARCH)
    assert failed.value.retry_after == 1800
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("content", "document"),
    [
        (b'[{"id": "a", "firstName": "Ana \\ud83d"}]', [{"id": "a", "firstName": "Ana ?"}]),
        (b'\xef\xbb\xbf[{"id": "a"}]', [{"id": "a"}]),
        (b'[{"id": "a", "x": 1e999, "y": NaN, "z": 1.5}]', [{"id": "a", "x": None, "y": None, "z": 1.5}]),
        ('[{"firstName": "José"}]'.encode("latin-1"), [{"firstName": "José"}]),
    ],
)
async def test_one_odd_document_does_not_take_its_page_away(content, document):
    """Half a surrogate pair, a number beyond all floats, another encoding: the answer is whole all the same."""
    headers = {"Content-Type": f"application/json; charset={'utf-8' if b'id' in content else 'iso-8859-1'}"}
    client, requests = _client(httpx.Response(200, content=content, headers=headers))
    assert (await client.call(SEARCH)).document == document
    assert len(requests) == 1


async def test_slow_bytes_do_not_hold_a_place_for_ever():
    """The time-out of a silence never ends an answer that comes byte by byte."""

    class Drip(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"["
            await asyncio.Event().wait()

    client, requests = _client(httpx.Response(200, stream=Drip()), httpx.Response(200, json=[]))
    client._settings = replace(SETTINGS, timeout=0.01)
    assert (await client.call(SEARCH)).document == []
    assert len(requests) == 2


async def test_no_cookie_is_kept():
    """A proxy's or a session's cookie is nobody's business in the next call."""
    answers = [httpx.Response(200, json=[], headers={"Set-Cookie": "session=1; Path=/"}) for _ in range(2)]
    client, requests = _client(*answers)
    without_cookies(client._http)
    for _ in answers:
        await client.call(SEARCH)
    assert all("cookie" not in request.headers for request in requests)


async def test_a_token_that_no_header_can_carry_is_a_wrong_token():
    """Said as what it is, and not as a connection that broke."""
    client, requests = _client()
    client._headers["X-VTEX-API-AppToken"] = "señal"
    with pytest.raises(KeyRefused, match="connect"):
        await client.call(SEARCH)
    assert not requests


async def test_cursors_follow_vtex_clock():
    """Its Date header tells how far it is ahead of ours; within its own rounding, ours is finer."""
    answers = [httpx.Response(200, json=[], headers={"Date": formatdate(at, usegmt=True)}) for at in (
        1_795_687_200 + 5000, 1_795_687_200,
    )]  # fmt: skip
    client, _ = _client(*answers, now=lambda: 1_795_687_200.25)
    await client.call(SEARCH)
    assert client.now() == 1_795_687_200_000 + 5_000_000
    await client.call(SEARCH)
    assert client.now() == 1_795_687_200_250


@pytest.mark.parametrize("date", [
    "Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 1990 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 +99999999", "Thu", "",
])  # fmt: skip
async def test_no_cursor_follows_a_clock_that_cannot_be(date):
    """One answer of a broken proxy would end all looks of a store."""
    client, _ = _client(httpx.Response(200, json=[], headers={"Date": date}))
    await client.call(SEARCH)
    assert client.now() == 1_795_687_200_000


@pytest.mark.parametrize("url", ["acme.example", "ftp://acme.example"])
async def test_an_address_that_is_none_is_told_as_such(url):
    """Not as an account that does not answer today."""
    client, requests = _client()
    client._http = httpx.AsyncClient()
    client._base = url
    with pytest.raises(AccountUnknown, match="address"):
        await client.call(SEARCH)
    assert not requests


def test_throttled_tells_how_long():
    """For whoever schedules the next look."""
    assert Throttled("x", 7.0).retry_after == 7.0
