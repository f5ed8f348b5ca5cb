"""Hellotext's client: requests as the contract has them, and every answer in its class (contracts/hellotext B)."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connectors.hellotext.answers import id_of, problems, shows, state_of
from connectors.hellotext.client import Hellotext
from connectors.outbound import (
    CallError,
    Invalid,
    KeyRefused,
    NotApplied,
    NotFound,
    NotPermitted,
    Throttled,
    Unsure,
    retry_after_ms,
)  # fmt: skip


def client(answer):
    """Return a client whose every request gets this answer, and the requests it made."""
    made = []

    def handle(request):
        made.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return Hellotext(http, "http://hellotext.test/v1/", "BID", "private"), made


CALLS = {
    "create_profile": (({"first_name": "Ana"},), "POST /v1/profiles", "private"),
    "update_profile": (("a/b", {"first_name": "Ana"}), "PATCH /v1/profiles/a%2Fb", "private"),
    "profile": (("P1",), "GET /v1/profiles/P1", "private"),
    "delete_profile": (("P1",), "DELETE /v1/profiles/P1", "private"),
    "link_session": (("S 1", "P1"), "PATCH /v1/sessions/S%201", "private"),
    "track": (({"action": "x.y"},), "POST /v1/track/events", "BID"),
    "acknowledge": (({},), "POST /v1/public/acks", "BID"),
    "identify": (({},), "POST /v1/public/identifications", "BID"),
    "send_message": (({"body": "x"},), "POST /v1/messages", "private"),
    "message_state": (("M1",), "GET /v1/messages/M1", "private"),
}


@pytest.mark.parametrize("name", CALLS)
async def test_requests_are_those_of_the_contract(name):
    """Path, credential and accepted type; the private token and the public id are never mixed."""
    arguments, wanted, bearer = CALLS[name]
    hellotext, made = client(httpx.Response(200, json={"id": "P1", "state": "Routed"}))
    await getattr(hellotext, name)(*arguments)
    assert f"{made[0].method} {made[0].url.raw_path.decode()}" == wanted
    assert made[0].headers["authorization"] == f"Bearer {bearer}"
    assert made[0].headers["accept"] == "application/json"


async def test_bodies_are_sent_as_json():
    """Bracketed keys are literal (B1)."""
    hellotext, made = client(httpx.Response(201, json={"id": 7}))
    assert await hellotext.create_profile({"email[primary]": "a@b.co"}) == "7"
    assert json.loads(made[0].content) == {"email[primary]": "a@b.co"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Invalid), (400, Invalid), (401, KeyRefused), (403, NotPermitted), (404, NotFound), (408, Unsure),
        (409, Invalid), (422, Invalid), (429, Throttled), (500, Unsure), (502, Unsure), (503, Unsure), (504, Unsure),
    ],
)  # fmt: skip
async def test_every_status_has_its_class(status, kind):
    """B6: what will never succeed, what was not applied, and what nobody knows."""
    hellotext, _ = client(httpx.Response(status, text="<html>maria@example.com"))
    with pytest.raises(CallError) as raised:
        await hellotext.update_profile("P1", {})
    assert type(raised.value) is kind
    assert raised.value.status == status
    assert str(raised.value) == f"Hellotext answered {status}"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("x"), NotApplied), (httpx.ConnectTimeout("x"), NotApplied),
        (httpx.PoolTimeout("x"), NotApplied), (httpx.ReadTimeout("x"), Unsure), (httpx.WriteError("x"), Unsure),
        (httpx.RemoteProtocolError("x"), Unsure), (httpx.ReadError("x"), Unsure),
    ],
)  # fmt: skip
async def test_a_request_that_left_is_uncertain_one_that_did_not_is_not(error, kind):
    """Only before the request is sent can it be known that nothing was applied."""
    hellotext, _ = client(error)
    with pytest.raises(kind) as raised:
        await hellotext.create_profile({})
    assert type(error).__name__ in str(raised.value)


@pytest.mark.parametrize("url", ["not a url", "ftp://x", "http://exa mple:port"])
async def test_an_address_that_is_none_is_said_so(url):
    """It is in the store's connection that it has to be corrected."""
    hellotext = Hellotext(httpx.AsyncClient(), url, "B", "t")
    with pytest.raises(NotFound, match="correct it") as raised:
        await hellotext.profile("P1")
    assert raised.value.status == 404


async def test_a_created_profile_without_an_id_is_uncertain():
    """It exists, and nobody knows where: matched by repeating."""
    hellotext, _ = client(httpx.Response(201, json={"status": "created"}))
    with pytest.raises(Unsure, match="did not tell its id"):
        await hellotext.create_profile({})


async def test_deleting_what_is_gone_succeeds():
    """404 is what was wanted."""
    hellotext, made = client(httpx.Response(404))
    await hellotext.delete_profile("P1")
    assert [(request.method, request.url.path) for request in made] == [
        ("DELETE", "/v1/profiles/P1"), ("GET", "/v1/profiles/P1"),
    ]  # fmt: skip


async def test_a_deletion_that_is_not_known_is_no_deletion():
    """The call is assumed (B1): where the profile can still be read after a 404, nothing was deleted."""
    answers = {"DELETE": httpx.Response(404, json={}), "GET": httpx.Response(200, json={"id": "P1"})}
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: answers[request.method]))

    with pytest.raises(Invalid, match="still there"):
        await Hellotext(http, "http://hellotext.test/v1", "BID", "private").delete_profile("P1")


async def test_reasons_name_fields_and_kinds_but_no_values():
    """A vendor may quote a value anywhere: what could be one is left out."""
    errors = [
        {"type": "parameter_invalid", "parameter": "phone[mobile]", "message": "+5511987654321 is bad"},
        {"type": "maria@example.com", "parameter": "5511987654321"},
    ]
    hellotext, _ = client(httpx.Response(422, json={"errors": errors}))
    with pytest.raises(Invalid, match=r"^Hellotext answered 422: parameter_invalid, phone\[mobile\]$"):
        await hellotext.create_profile({})


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b'{"id": "P'])
async def test_a_success_that_is_no_json_is_no_success(body):
    """A proxy's page with 200 has updated nobody, and an answer cut short says nothing; an empty one is fine."""
    hellotext, _ = client(httpx.Response(200, content=body))
    with pytest.raises(Unsure, match="something else than JSON"):
        await hellotext.update_profile("P1", {"first_name": "Ana"})
    hellotext, _ = client(httpx.Response(200, content=b""))
    await hellotext.update_profile("P1", {"first_name": "Ana"})


@pytest.mark.parametrize("name", ["create_profile", "update_profile", "link_session", "track", "send_message"])
@pytest.mark.parametrize(
    "document",
    [
        {"errors": [{"type": "invalid", "parameter": "destination", "message": "+5511987654321"}]},
        {"error": {"type": "invalid", "parameter": "destination"}},
    ],
)
async def test_a_success_that_tells_an_error_is_no_success(name, document):
    """Nobody knows what it has done."""
    hellotext, _ = client(httpx.Response(200, json=document))
    with pytest.raises(Unsure, match=r"^Hellotext answered a success that tells an error: invalid, destination$"):
        await getattr(hellotext, name)(*CALLS[name][0])


async def test_a_failed_message_that_tells_its_errors_is_read():
    """They are the message's, not the answer's; nor is an `id` beside errors nothing."""
    hellotext, _ = client(httpx.Response(200, json={"state": "failed", "errors": [{"type": "invalid"}]}))
    assert await hellotext.message_state("M1") == "failed"
    hellotext, _ = client(httpx.Response(200, json={"id": "M1", "errors": [{"type": "invalid"}]}))
    assert await hellotext.send_message({}) == "M1"


async def test_a_token_that_no_header_can_carry_is_a_wrong_token():
    """Not an answer that never came: nobody would look at the token."""
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={})))
    with pytest.raises(KeyRefused, match="token") as refused:
        await Hellotext(http, "http://hellotext.test/v1", "BID", "señal").create_profile({})
    assert "señal" not in str(refused.value)


class TestRetryAfter:
    """`Retry-After` in either of its forms."""

    @pytest.mark.parametrize(
        ("value", "wanted"),
        [
            ("7", 7_000),
            ("1.5", 1_500),
            (" 0 ", 0),
            ("999999", 3_600_000),
            ("9" * 400, 3_600_000),
            ("soon", None),
            ("-5", None),
            (None, None),
            ("", None),
        ],
    )
    def test_seconds(self, value, wanted):
        """Bounded by an hour; nonsense is no pause."""
        assert retry_after_ms(value) == wanted

    def test_a_date(self):
        """Counted from now; the past is at once."""
        later = retry_after_ms(format_datetime(datetime.now(UTC) + timedelta(seconds=30)))
        assert 10_000 < later <= 30_000
        assert retry_after_ms("Wed, 21 Oct 2015 07:28:00 GMT") == 0

    def test_a_date_by_the_clock_of_the_answer(self):
        """A server whose clock is an hour off means by its own `Date` what it writes."""
        for hours in (-1, 1):
            there = datetime.now(UTC) + timedelta(hours=hours)
            later = format_datetime(there + timedelta(seconds=30))
            assert retry_after_ms(later, format_datetime(there)) == 30_000

    async def test_it_reaches_the_caller(self):
        """With 429 and with 503."""
        for status in (429, 503):
            hellotext, _ = client(httpx.Response(status, headers={"retry-after": "3"}))
            with pytest.raises(CallError) as raised:
                await hellotext.track({})
            assert raised.value.retry_after_ms == 3_000


class TestAnswers:
    """Shapes that are not documented are read tolerantly (NOTES 7)."""

    @pytest.mark.parametrize(
        ("document", "wanted"),
        [({"id": "P1"}, "P1"), ({"profile": {"id": 3}}, "3"), ({"id": True}, None), ([], None), ({"id": ""}, None)],
    )
    def test_ids(self, document, wanted):
        """At the top or one level below."""
        assert id_of(document) == wanted

    def test_states(self):
        """`state`, else `status`."""
        assert (state_of({"message": {"state": "Failed"}}), state_of({"status": "ok"}), state_of(None)) == (
            "failed", "ok", None,
        )  # fmt: skip

    def test_nested_errors(self):
        """Some routes nest (B6)."""
        assert list(problems({"error": {"type": "a", "errors": [{"parameter": "b"}]}})) == ["a", "b"]
        assert list(problems({"errors": "text"})) == []

    @pytest.mark.parametrize(
        ("document", "wanted"),
        [
            ({"email[primary]": "a@b.co", "first_name": "A"}, True),
            ({"email": {"primary": "a@b.co"}, "first_name": "A"}, True),
            ({"profile": {"email": "a@b.co", "first_name": "A"}}, True),
            ({"email": "a@b.co", "first_name": "B"}, False),
            ({"email": ["a@b.co"], "first_name": "A"}, False),
            ({}, False),
        ],
    )
    def test_what_a_profile_shows(self, document, wanted):
        """What cannot be seen counts as different."""
        assert shows(document, {"email[primary]": "a@b.co", "first_name": "A"}) is wanted
