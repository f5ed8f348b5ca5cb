"""The stand-in of Infobip against contracts/infobip CONTRACT, read through the product's own client and reader too."""

import re
from datetime import datetime

import httpx
import pytest

from connectors.infobip.client import Infobip as Client
from connectors.pixel.records import Sender
from connectors.pixel.reports import read_reports
from sandbox.infobip.account import Account
from sandbox.infobip.api import Infobip
from schemas.events import decode
from tests.contract.destinations.conftest import client_of
from tests.unit.sandbox.conftest import a_day

ANA = {
    "externalId": "c1", "type": "CUSTOMER", "firstName": "Ana", "birthDate": "1990-01-31", "preferredLanguage": "pt-BR",
    "contactInformation": [{"type": "EMAIL", "identifier": "ana@x.example"},
                           {"type": "PHONE", "identifier": "5511987654321"}],
}  # fmt: skip
OFFSET = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0100$")
SENDER = Sender(store="acme", secret=b"secret", country="BR", privacy="none", received=1_800_000_000_000)


class TestUpsert:
    """CONTRACT 2."""

    async def test_207_always_with_a_result_by_index(self, infobip):
        """Created, not modified, updated: one person."""
        answers = [await infobip.patch("/people/3/persons/upsert", json={"persons": [person]})
                   for person in (ANA, ANA, {**ANA, "lastName": "Silva"})]  # fmt: skip

        assert [answer.status_code for answer in answers] == [207, 207, 207]
        results = [answer.json()["results"][0] for answer in answers]
        assert [result["status"] for result in results] == ["CREATED", "NOT_MODIFIED", "UPDATED"]
        assert len({result["id"] for result in results}) == 1
        assert {result["index"] for result in results} == {0}

    async def test_one_bad_person_stops_only_itself(self, infobip):
        """Its error names the field by the person's index."""
        bad = {"externalId": "c2", "contactInformation": [{"type": "EMAIL", "identifier": "no address"}]}
        told = (await infobip.patch("/people/3/persons/upsert", json={"persons": [bad, ANA]})).json()

        assert [(result["index"], result["status"]) for result in told["results"]] == [(1, "CREATED")]
        (error,) = told["errors"]
        assert (error["code"], error["index"]) == (400100, 0)
        assert error["details"][0]["property"] == "persons[0].contactInformation[0].identifier"

    async def test_a_partial_update_keeps_and_a_full_one_clears(self, infobip, account):
        """PATCH and PUT."""
        await infobip.patch("/people/3/persons/upsert", json={"persons": [ANA]})
        await infobip.patch("/people/3/persons/upsert", json={"persons": [{"externalId": "c1", "lastName": "Silva"}]})
        (person,) = account.people.persons.values()
        assert (person["firstName"], person["lastName"]) == ("Ana", "Silva")
        await infobip.put("/people/3/persons/upsert", json={"persons": [{"externalId": "c1"}]})
        (person,) = account.people.persons.values()

        assert "firstName" not in person

    async def test_identifiers_of_two_persons_are_ambiguous(self, infobip):
        """Neither is changed."""
        other = {"externalId": "c2", "contactInformation": [{"type": "PHONE", "identifier": "5511911111111"}]}
        await infobip.patch("/people/3/persons/upsert", json={"persons": [ANA, other]})
        both = {"externalId": "c1", "contactInformation": other["contactInformation"]}
        told = (await infobip.patch("/people/3/persons/upsert", json={"persons": [both]})).json()

        assert (told["results"], told["errors"][0]["code"]) == ([], 409100)

    @pytest.mark.parametrize("person", [
        {"externalId": "c", "firstName": "A&B"}, {"externalId": "c", "gender": "female"}, {"firstName": "Ana"},
        {"externalId": "c", "birthDate": "1990-01-31T00:00:00Z"},
        {"externalId": "c", "preferredLanguage": "portuguese"},
        {"externalId": "c", "contactInformation": {"phone": []}}, {"externalId": "x" * 257},
        {"externalId": "c", "contactInformation": [{"type": "PHONE", "identifier": "+5511987654321"}]},
    ])  # fmt: skip
    async def test_what_the_contract_forbids(self, infobip, person):
        """Names, dates, languages, genders, contacts and lengths."""
        told = (await infobip.patch("/people/3/persons/upsert", json={"persons": [person]})).json()

        assert [error["code"] for error in told["errors"]] == [400100]

    async def test_undefined_attributes_are_refused_where_it_is_strict(self, infobip, account):
        """Until they are defined."""
        account.people.strict = True
        person = {"externalId": "c", "customAttributes": {"Tier": "gold"}}
        before = (await infobip.patch("/people/3/persons/upsert", json={"persons": [person]})).json()
        await infobip.post("/people/2/customAttributes", json={"name": "Tier", "dataType": "STRING"})
        after = (await infobip.patch("/people/3/persons/upsert", json={"persons": [person]})).json()

        assert (len(before["errors"]), after["results"][0]["status"]) == (1, "CREATED")

    @pytest.mark.parametrize(("content", "code"), [(b"{", 400103), (b"{}", 400104), (b'{"persons": []}', 400104)])
    async def test_the_whole_request_may_be_wrong(self, infobip, content, code):
        """Malformed, or without persons."""
        answer = await infobip.patch("/people/3/persons/upsert", content=content)

        assert (answer.status_code, answer.json()["code"]) == (400, code)

    async def test_five_calls_a_second(self, account):
        """The sixth gets 429 in envelope A."""
        async with client_of(Infobip({"acme": account}), "", f"App {account.key}") as client:
            answers = [await client.get("/people/2/persons?limit=1") for _ in range(6)]

        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        assert answers[5].json()["requestError"]["serviceException"]["messageId"] == "TOO_MANY_REQUESTS"


class TestPersons:
    """CONTRACT 3."""

    @pytest.mark.parametrize(("kind", "identifier"), [
        ("EXTERNAL_ID", "c1"), ("EMAIL", "ANA@x.example"), ("PHONE", "5511987654321"), ("ID", "1"),
    ])  # fmt: skip
    async def test_found_by_any_identifier_in_v2_shape(self, infobip, kind, identifier):
        """And deleted by it."""
        await infobip.patch("/people/3/persons/upsert", json={"persons": [ANA]})
        query = {"type": kind, "identifier": identifier}
        found = (await infobip.get("/people/2/persons", params=query)).json()

        assert found["contactInformation"] == {
            "phone": [{"number": "5511987654321"}], "email": [{"address": "ana@x.example"}],
        }  # fmt: skip
        assert (await infobip.delete("/people/2/persons", params=query)).is_success
        gone = await infobip.get("/people/2/persons", params=query)
        assert (gone.status_code, gone.json()["requestError"]["serviceException"]["messageId"]) == (404, "NOT_FOUND")

    async def test_a_list_has_pages(self, infobip):
        """Counted from 1."""
        people = [{"externalId": f"c{n}"} for n in range(5)]
        await infobip.patch("/people/3/persons/upsert", json={"persons": people})
        second = (await infobip.get("/people/2/persons?limit=2&page=2")).json()["persons"]

        assert [person["externalId"] for person in second] == ["c2", "c3"]


class TestAccess:
    """CONTRACT 1."""

    async def test_wrong_keys_and_missing_scopes(self, account):
        """401 and 403 are told apart."""
        async with client_of(Infobip({"acme": account}), "", "App wrong") as client:
            wrong = await client.get("/people/2/persons")
        account.scopes = frozenset({"people:read"})
        async with client_of(Infobip({"acme": account}), "", f"App {account.key}") as client:
            missing = await client.post("/sms/3/messages", json={})

        assert (wrong.status_code, missing.status_code) == (401, 403)
        told = [answer.json()["requestError"]["serviceException"]["messageId"] for answer in (wrong, missing)]
        assert told == ["UNAUTHORIZED", "FORBIDDEN"]


SMS = {"sender": "LOJA", "destinations": [{"to": "5511987654321", "messageId": "m1"}], "content": {"text": "Oi"},
       "options": {"campaignReferenceId": "c1"}, "webhooks": {"callbackData": "c1"}}  # fmt: skip
TEMPLATE = {"from": "551150000000", "to": "5511987654322", "messageId": "c2.1", "notifyUrl": "http://hook/own",
            "content": {"templateName": "offer", "language": "pt_BR"}}  # fmt: skip


class TestMessages:
    """CONTRACT 5, 6, 7."""

    async def test_an_sms_is_taken_and_reported(self, infobip, account, mailbox):
        """With price, campaign, callback data, and an offset without a colon."""
        account.reports_url = "http://hook/all"
        told = (await infobip.post("/sms/3/messages", json={"messages": [SMS]})).json()
        await account.reporter.drain()
        (message,) = told["messages"]
        (url, document) = mailbox.got[0]
        (report,) = document["results"]

        assert (message["messageId"], message["status"]["name"], message["destination"]) == (
            "m1", "PENDING_ACCEPTED", "5511987654321",
        )  # fmt: skip
        assert url == "http://hook/all"
        assert (report["status"]["groupId"], report["campaignReferenceId"], report["callbackData"]) == (3, "c1", "c1")
        assert report["price"] == {"pricePerMessage": 0.07, "currency": "BRL"}
        assert OFFSET.match(report["sentAt"])
        assert OFFSET.match(report["doneAt"])

    async def test_a_whatsapp_goes_where_it_says_and_is_seen(self, infobip, account, mailbox):
        """The message's own address wins."""
        account.reports_url = "http://hook/all"
        told = (await infobip.post("/whatsapp/1/message/template", json={"messages": [TEMPLATE]})).json()
        await account.reporter.drain()
        documents = [document["results"][0] for url, document in mailbox.got if url == "http://hook/own"]

        assert told["messages"][0]["messageId"] == "c2.1"
        assert documents[-1].keys() == {"messageId", "from", "to", "sentAt", "seenAt"}
        # A WhatsApp report carries neither callback data nor a campaign.
        assert not {"callbackData", "campaignReferenceId"} & documents[0].keys()

    async def test_a_report_is_tried_again(self, infobip, account, mailbox):
        """While the endpoint is unavailable."""
        account.reports_url, mailbox.answers = "http://hook/all", [503, 0]
        await infobip.post("/sms/3/messages", json={"messages": [SMS]})
        await account.reporter.drain()

        assert mailbox.got
        assert account.reporter.undelivered == []

    async def test_some_numbers_are_never_reached(self, infobip, account, mailbox):
        """A last digit of 9 fails, and costs nothing."""
        text = {"from": "551150000000", "to": "5511987654329", "messageId": "m9", "content": {"text": "Oi"},
                "notifyUrl": "http://hook/own"}  # fmt: skip
        told = (await infobip.post("/whatsapp/1/message/text", json=text)).json()
        await account.reporter.drain()
        report = mailbox.got[0][1]["results"][0]

        assert told["messageId"] == "m9"
        assert (report["status"]["groupName"], report["error"]["name"]) == ("UNDELIVERABLE", "EC_ABSENT_SUBSCRIBER")
        assert "price" not in report

    async def test_each_family_has_its_own_envelope(self, infobip):
        """C for SMS, A for WhatsApp."""
        sms = await infobip.post("/sms/3/messages", json={"messages": []})
        whatsapp = await infobip.post("/whatsapp/1/message/template", json={"messages": [{}]})

        assert (sms.status_code, sms.json()["errorCode"], sms.json()["violations"][0]["property"]) == (
            400, "E400", "messages",
        )  # fmt: skip
        assert whatsapp.status_code == 400
        assert whatsapp.json()["requestError"]["serviceException"]["validationErrors"]


async def test_the_products_client_reads_its_answers(account: Account):
    """One round through connectors/infobip."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=Infobip({"acme": account}))) as http:
        client = Client(http, "http://vendor", account.key)
        written, refused = await client.upsert([ANA, {"externalId": "c2", "gender": "x"}])
        assert (written.status, refused.status) == (200, 400)
        assert (await client.send_sms(SMS)).state == "accepted"
        assert (await client.sms_log("m1")).state == "accepted"
        assert await client.sms_log("m2") is None
        assert (await client.send_template(TEMPLATE)).state == "accepted"
        await client.erase("c1")
        await client.erase("c1")
        assert account.people.persons == {}


def test_the_scripted_days_reports_are_readable_and_say_what_the_facts_say():
    """Every webhook of the day, through the collector's reader: statuses, times and campaigns are the facts'."""
    day = a_day()
    told: dict[str, set] = {}
    for sending in day.stage.sendings.values():
        for webhook in sending.webhooks():
            records, refused = read_reports(webhook.document, SENDER)
            assert refused == []
            for record in records:
                data = decode(record.value)["data"]
                at = None if data["status"] == "clicked" else datetime.fromisoformat(data["at"])
                told.setdefault(data["message"], set()).add((data["status"], at, data.get("campaign")))
    facts = {
        message.id: {(r.status, None if r.status == "clicked" else r.at, message.campaign) for r in message.reports}
        for message in day.stage.facts.messages
    }

    assert told.keys() == facts.keys()
    for message, reports in facts.items():
        # A report may leave the campaign out; another one of the message tells it.
        assert {entry[:2] for entry in told[message]} == {entry[:2] for entry in reports}
        assert {entry[2] for entry in told[message]} - {None} == {entry[2] for entry in reports} - {None}
