"""The stand-in of Hellotext against contracts/hellotext CONTRACT part B, read through the product's own client too."""

import httpx
import pytest

from connectors.hellotext.client import Hellotext
from connectors.outbound import NotFound
from sandbox.hellotext.api import hellotext
from sandbox.hellotext.book import NOT_UNIQUE
from sandbox.temper import Temper
from tests.contract.destinations.conftest import client_of

ANA = {"first_name": "Ana", "email[primary]": "Ana@Shop.example", "phone[mobile]": "+5511987654321"}


def errors_of(answer: httpx.Response) -> list[tuple[str, str | None]]:
    """Type and parameter of each error; every one has its text under both names (B6)."""
    entries = answer.json()["errors"]
    assert all(entry["message"] == entry["description"] for entry in entries)
    return [(entry["type"], entry["parameter"]) for entry in entries]


class TestProfiles:
    """B1."""

    async def test_create_answers_201_and_an_id(self, private):
        """A new profile has a short id, and nothing subscribes it."""
        answer = await private.post("/profiles", json=ANA)

        assert answer.status_code == 201
        assert isinstance(answer.json()["id"], str)
        assert answer.json()["state"] == "unconfirmed"

    @pytest.mark.parametrize("again", [
        {"email": "ana@shop.example"}, {"phone": "+5511987654321"}, {"email[primary]": "ANA@shop.example "},
        {"phone[mobile]": "+5511987654321", "email": "other@shop.example"},
    ])  # fmt: skip
    async def test_a_known_email_or_phone_is_matched_in_either_key_style(self, private, again):
        """Documented and flat keys find the same profile, whatever the case of its e-mail."""
        first = (await private.post("/profiles", json=ANA)).json()["id"]
        answer = await private.post("/profiles", json=again)

        assert (answer.status_code, answer.json()["id"]) == (200, first)

    async def test_a_profile_with_neither_is_never_matched(self, private):
        """Creating is no idempotency: without e-mail and phone each call makes another one."""
        ids = {(await private.post("/profiles", json={"first_name": "Ana"})).json()["id"] for _ in range(2)}

        assert len(ids) == 2

    async def test_newest_first_and_paged(self, private):
        """The default page has 25, and the cursors go both ways."""
        made = [(await private.post("/profiles", json={"email": f"{n}@x.example"})).json()["id"] for n in range(30)]
        newest = list(reversed(made))
        first = (await private.get("/profiles")).json()
        after = (await private.get("/profiles", params={"limit": 2, "starting_after": newest[24]})).json()
        before = (await private.get("/profiles", params={"limit": 2, "ending_before": newest[5]})).json()

        assert [p["id"] for p in first] == newest[:25]
        assert [p["id"] for p in after] == newest[25:27]
        assert [p["id"] for p in before] == newest[3:5]

    async def test_patch_changes_what_is_given(self, private):
        """The rest stays."""
        made = (await private.post("/profiles", json=ANA)).json()["id"]
        answer = await private.patch(f"/profiles/{made}", json={"last_name": "Silva"})

        assert answer.status_code == 200
        assert (await private.get(f"/profiles/{made}")).json()["last_name"] == "Silva"
        assert answer.json()["email"] == "ana@shop.example"

    async def test_an_email_of_another_profile_is_refused(self, private):
        """With a uniqueness error that names the parameter."""
        await private.post("/profiles", json=ANA)
        other = (await private.post("/profiles", json={"email": "bo@shop.example"})).json()["id"]
        answer = await private.patch(f"/profiles/{other}", json={"email": "ana@shop.example"})

        assert (answer.status_code, errors_of(answer)) == (422, [(NOT_UNIQUE, "email")])

    async def test_an_email_that_was_given_up_is_free(self, private):
        """A profile that moved to another address is found under the new one only."""
        first = (await private.post("/profiles", json=ANA)).json()["id"]
        await private.patch(f"/profiles/{first}", json={"email": "new@shop.example"})
        second = await private.post("/profiles", json={"email": "ana@shop.example"})

        assert second.status_code == 201

    async def test_delete(self, private):
        """A deleted profile is unknown, and its e-mail makes a new one."""
        made = (await private.post("/profiles", json=ANA)).json()["id"]

        assert (await private.delete(f"/profiles/{made}")).is_success
        assert (await private.get(f"/profiles/{made}")).status_code == 404
        assert (await private.delete(f"/profiles/{made}")).status_code == 404
        assert (await private.post("/profiles", json=ANA)).status_code == 201

    @pytest.mark.parametrize(("body", "error"), [
        ({"email": "no address"}, ("invalid", "email")),
        ({"phone[mobile]": "11987654321"}, ("invalid", "phone[mobile]")),
        ({"property_by_id[nope]": "x"}, ("not_found", "property_by_id[nope]")),
    ])  # fmt: skip
    async def test_what_is_wrong_is_named(self, private, body, error):
        """422 tells the parameter as it was written."""
        answer = await private.post("/profiles", json=body)

        assert (answer.status_code, errors_of(answer)) == (422, [error])

    async def test_properties_are_written_after_the_answer(self, private, clock):
        """Reading back too early shows nothing; a unique value cannot be given twice."""
        color = (await private.post("/properties", json={"name": "Document", "kind": "text", "unique": True})).json()[
            "id"
        ]
        told = await private.post("/profiles", json={**ANA, f"property_by_id[{color}]": "123"})
        profile = told.json()["id"]
        clock.now += 1
        other = await private.post("/profiles", json={"email": "bo@x.example", f"property_by_id[{color}]": "123"})

        assert told.json()["property_by_id"] == {}
        assert (await private.get(f"/profiles/{profile}")).json()["property_by_id"] == {color: "123"}
        assert (other.status_code, errors_of(other)) == (422, [(NOT_UNIQUE, f"property_by_id[{color}]")])


class TestSessionsAndEvents:
    """B2, B3, A3."""

    async def test_a_session_exists_from_its_first_event_on(self, private, public):
        """Linking it before is 404; the profile in the answer is an internal number."""
        profile = (await private.post("/profiles", json=ANA)).json()["id"]
        before = await private.patch("/sessions/S1", json={"profile": profile})
        await public.post("/track/events", json={"session": "S1", "action": "page.viewed"})
        after = await private.patch("/sessions/S1", json={"profile": profile})

        assert before.status_code == 404
        assert (after.status_code, isinstance(after.json()["profile"], int)) == (200, True)

    async def test_a_session_stays_with_its_first_profile_and_the_answer_is_200(self, private, public, business):
        """A refused re-assignment looks like a success."""
        ana = (await private.post("/profiles", json=ANA)).json()["id"]
        bo = (await private.post("/profiles", json={"email": "bo@x.example"})).json()["id"]
        await public.post("/track/events", json={"session": "S1", "action": "page.viewed"})
        answers = [await private.patch("/sessions/S1", json={"profile": profile}) for profile in (ana, bo)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        assert business.sessions["S1"] == ana

    async def test_an_order_action_is_stored_once(self, private, business):
        """Of other events each repetition is another event."""
        event = {"action": "order.placed", "object_parameters": {"reference": "1"}, "amount": 9.9, "currency": "BRL"}
        answers = [await private.post("/attribution/events", json=event) for _ in range(2)]
        view = [await private.post("/attribution/events", json={"action": "page.viewed"}) for _ in range(2)]

        assert [answer.json() for answer in answers + view] == [{"status": "received"}] * 4
        assert [told["action"] for told in business.told["attribution"]] == [
            "order.placed",
            "page.viewed",
            "page.viewed",
        ]

    @pytest.mark.parametrize(("event", "error"), [
        ({}, ("parameter_missing", "action")),
        ({"action": "a", "currency": "BRL"}, ("parameter_missing", "amount")),
    ])  # fmt: skip
    async def test_events_are_validated(self, private, event, error):
        """An action, and an amount where a currency stands."""
        answer = await private.post("/attribution/events", json=event)

        assert (answer.status_code, errors_of(answer)) == (422, [error])

    async def test_profile_and_session_must_belong_together(self, private, public):
        """Else the event is refused, until they are linked."""
        profile = (await private.post("/profiles", json=ANA)).json()["id"]
        await public.post("/track/events", json={"session": "S1", "action": "page.viewed"})
        event = {"action": "page.viewed", "profile": profile, "session": "S1"}
        apart = await private.post("/attribution/events", json=event)
        await private.patch("/sessions/S1", json={"profile": profile})
        together = await private.post("/attribution/events", json=event)

        assert (apart.status_code, errors_of(apart)) == (422, [("identity_assigned", "session")])
        assert together.json() == {"status": "received"}

    async def test_pages_are_told_apart_from_back_ends(self, private, public, business):
        """The public id opens nothing private, and the token is no public id."""
        assert (await public.get("/profiles")).status_code == 401
        assert (await private.post("/track/events", json={"action": "page.viewed"})).status_code == 401
        for path, body in (("/public/acks", {"session": "S"}), ("/public/identifications", {"user_id": "u"})):
            assert (await public.post(path, json=body)).json() == {"status": "received"}
        assert (await public.get(f"/public/businesses/{business.id}")).json()["webchat"] is None
        assert business.told == {"acks": [{"session": "S"}], "identifications": [{"user_id": "u"}]}


class TestMessages:
    """B5."""

    async def test_states_follow_one_another_and_must_be_asked_for(self, private, clock):
        """Pending, routed, delivered."""
        told = {"technology": "sms", "destination": "+5511987654321", "body": "Oi"}
        message = (await private.post("/messages", json=told)).json()
        assert message["status"] == "received"
        states = []
        for wait in (0, 0.5, 1):
            clock.now += wait
            states.append((await private.get(f"/messages/{message['id']}")).json()["state"])

        assert states == ["pending", "routed", "delivered"]
        assert [m["id"] for m in (await private.get("/messages")).json()] == [message["id"]]

    async def test_some_numbers_are_never_reached(self, private, clock):
        """A last digit of 9 fails."""
        told = {"technology": "whatsapp", "destination": "+5511987654329", "template": "T"}
        message = (await private.post("/messages", json=told)).json()["id"]
        clock.now += 5

        assert (await private.get(f"/messages/{message}")).json()["state"] == "failed"

    async def test_errors_are_nested_here(self, private):
        """Some routes write `error`, nested."""
        answer = await private.post("/messages", json={"technology": "pigeon"})

        assert answer.status_code == 422
        assert answer.json()["error"]["errors"][0]["parameter"] == "technology"


class TestAccess:
    """B6."""

    @pytest.mark.parametrize("content", [b"{", b"[1]"])
    async def test_a_body_that_is_no_object_is_400(self, private, content):
        """Never a 5xx."""
        assert (await private.post("/profiles", content=content)).status_code == 400

    async def test_a_plan_may_forbid_writing_while_reading_goes_on(self, private, business):
        """So a read that succeeds proves no permission to write."""
        business.forbidden = True

        assert (await private.post("/profiles", json=ANA)).status_code == 403
        assert (await private.get("/profiles")).status_code == 200

    async def test_unknown_addresses_are_404(self, private):
        """There is no API for campaigns."""
        assert (await private.get("/campaigns")).status_code == 404


class TestTemper:
    """What a hostile Hellotext does."""

    @pytest.mark.parametrize(("temper", "applied"), [
        (Temper(errors=1.0), False), (Temper(throttled=1.0), False), (Temper(after_effect=1.0), True),
        (Temper(hangs=1.0, hang=0.0), True),
    ])  # fmt: skip
    async def test_a_failed_write_may_have_been_applied(self, business, temper, applied):
        """An error before, or after, it had its effect: only a look tells which."""
        app = hellotext({"acme": business}, temper)
        async with client_of(app, "/v1", f"Bearer {business.token}") as client:
            answer = await client.post("/profiles", json=ANA)

        assert answer.status_code in {429, 500, 502, 503, 504}
        assert bool(business.profiles) is applied
        assert sum(app.faults.values()) == 1

    async def test_429_says_when_to_come_back(self, business):
        """And calls above the budget are counted."""
        app = hellotext({"acme": business}, Temper(per_second=2, retry_after=3))
        async with client_of(app, "/v1", f"Bearer {business.token}") as client:
            answers = [await client.get("/profiles") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers["retry-after"] == "3"
        assert app.faults == {"over budget": 1}


async def test_the_products_client_reads_its_answers(business, clock):
    """One round through connectors/hellotext."""
    transport = httpx.ASGITransport(app=hellotext({"acme": business}))
    async with httpx.AsyncClient(transport=transport) as http:
        client = Hellotext(http, "http://vendor/v1", business.id, business.token)
        profile = await client.create_profile(ANA)
        await client.update_profile(profile, {"last_name": "Silva"})
        await client.track({"session": "S1", "action": "page.viewed"})
        await client.link_session("S1", profile)
        message = await client.send_message({"technology": "sms", "profile": profile, "body": "Oi"})
        clock.now += 5
        assert (await client.profile(profile))["last_name"] == "Silva"
        assert await client.message_state(message) == "delivered"
        await client.delete_profile(profile)
        with pytest.raises(NotFound):
            await client.profile(profile)
