"""Infobip's client: requests as the contract has them, and answers in all their envelopes (contracts/infobip)."""

import json

import httpx
import pytest

from connectors.infobip.answers import MessageStatus, PersonResult, logged, message_status, person_results, problems
from connectors.infobip.client import Infobip
from connectors.outbound import Invalid, KeyRefused, Throttled, Unsure


def client(answer):
    """Return a client whose every request gets this answer, and the requests it made."""
    made = []

    def handle(request):
        made.append(request)
        return answer

    return Infobip(httpx.AsyncClient(transport=httpx.MockTransport(handle)), "http://x.test/", "key"), made


async def test_an_upsert_is_one_request_for_many():
    """PATCH, so that absent fields stay (CONTRACT 2)."""
    infobip, made = client(httpx.Response(207, json={"results": [{"id": 5, "index": 1, "status": "CREATED"}]}))
    results = await infobip.upsert([{"externalId": "a"}, {"externalId": "b"}])
    assert (made[0].method, made[0].url.path) == ("PATCH", "/people/3/persons/upsert")
    assert made[0].headers["authorization"] == "App key"
    assert json.loads(made[0].content) == {"persons": [{"externalId": "a"}, {"externalId": "b"}]}
    assert results == [PersonResult(None, 0), PersonResult("5", 200)]


async def test_erasing_is_by_our_id_and_tolerates_absence():
    """CONTRACT 3."""
    infobip, made = client(httpx.Response(404))
    await infobip.erase("a b")
    assert dict(made[0].url.params) == {"identifier": "a b", "type": "EXTERNAL_ID"}


async def test_a_message_that_was_taken_without_a_status_is_uncertain():
    """An answer nobody documented."""
    infobip, _ = client(httpx.Response(200, json={}))
    with pytest.raises(Unsure):
        await infobip.send_sms({})


@pytest.mark.parametrize(
    "answer",
    [
        {}, [], {"results": {}}, None,
        {"results": [{"messageId": "other", "status": {"groupId": 3}}]},
        {"results": [], "cursor": {"limit": 50, "nextCursor": "page-2"}},
    ],
)  # fmt: skip
async def test_what_is_no_log_of_the_message_proves_no_absence(answer):
    """No log; one of others, that has not heeded which id was asked for; an empty page, and more to come."""
    infobip, _ = client(httpx.Response(200, json=answer))
    with pytest.raises(Unsure):
        await infobip.sms_log("m")


def test_a_log_shows_the_message_or_proves_its_absence():
    """Also among others, and at the end of a log that has a cursor."""
    document = {"results": [{"messageId": "m", "status": {"groupId": 1}}, {"messageId": "n", "status": {"groupId": 3}}]}
    assert logged(document, "n") == MessageStatus("delivered")
    assert logged({"results": []}, "m") is None
    assert logged({"results": [], "cursor": {"limit": 50, "nextCursor": None}}, "m") is None


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ({"requestError": {"serviceException": {
            "messageId": "BAD_REQUEST", "text": "maria@example.com", "validationErrors": {"to": ["x"]}}}},
         ["BAD_REQUEST", "to"]),
        ({"code": 400103, "message": "m", "details": [{"property": "persons", "message": "m"}]},
         ["code-400103", "persons"]),
        ({"errorCode": "E400", "description": "d", "violations": [{"property": "to", "violation": "v"}]},
         ["E400", "to"]),
        ({"errors": [{"index": -1, "code": 400500, "message": "m"}], "status": 400}, ["code-400500"]),
        ("text", []),
    ],
)  # fmt: skip
def test_all_four_error_envelopes(document, wanted):
    """CONTRACT 1; texts are never read."""
    assert list(problems(document)) == wanted


@pytest.mark.parametrize(("status", "kind"), [(400, Invalid), (401, KeyRefused), (429, Throttled), (503, Unsure)])
async def test_statuses_have_their_class(status, kind):
    """NOTES 7."""
    infobip, _ = client(httpx.Response(status, json={"code": 400103}))
    with pytest.raises(kind, match=f"Infobip answered {status}: code-400103"):
        await infobip.upsert([{}])


def test_errors_are_told_by_index():
    """An index that was never sent is ignored; a code tells its status."""
    document = {
        "results": [{"id": 1, "index": 0, "status": "UPDATED"}, {"id": 2, "index": 9}, "x"],
        "errors": [{"code": 409100, "index": 1, "details": []}, {"index": 2}],
    }
    assert person_results(document, 3) == [
        PersonResult("1", 200), PersonResult(None, 409, ("code-409100",)), PersonResult(None, 400),
    ]  # fmt: skip
    assert person_results(None, 1) == [PersonResult(None, 0)]


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ({"groupId": 1, "name": "PENDING_ACCEPTED"}, MessageStatus("accepted", "PENDING_ACCEPTED")),
        ({"groupId": 3, "groupName": "DELIVERED"}, MessageStatus("delivered", "DELIVERED")),
        ({"groupId": 5, "name": "REJECTED_SOURCE"}, MessageStatus("failed", "REJECTED_SOURCE", "REJECTED_SOURCE")),
        ({}, MessageStatus("accepted")),
    ],
)
def test_status_groups(status, wanted):
    """CONTRACT 1: groups 2, 4 and 5 are failures."""
    assert message_status({"messages": [{"status": status}]}) == wanted
    assert message_status({"status": status}) == wanted
