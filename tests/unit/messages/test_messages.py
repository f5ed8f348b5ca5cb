"""The messages agent against stand-in vendors: each message once for ever, and what became of it."""

import httpx
import orjson
import pytest

from schemas import topics
from schemas.messages import MessageReport, MessageRequest
from schemas.personal import hash_value
from schemas.stores import InfobipAccess
from streams.engine.testing import MemoryShard
from streams.message_forms import placeholders, vendor_of
from streams.messages import MessagesAgent
from streams.stores import Stores
from tests.destinations import Calls, StandInHellotext, StandInInfobip
from tests.stores import GivenDirectory, a_store

INFOBIP = {"url": "http://infobip.test", "api_key": "key", "sms_sender": "Acme", "whatsapp_sender": "+5511900000000"}
DAY_MS = 86_400_000


def a_request(message="C1.m1", **changes):
    """Return a requested SMS."""
    values = {
        "store": "acme", "message": message, "campaign": "C1", "channel": "sms", "to": "+5511987654321",
        "text": "Olá", "requested_at": "2026-02-01T10:00:00Z", **changes,
    }  # fmt: skip
    return MessageRequest(**values)


class World:
    """A store, its vendor, and the agent."""

    def __init__(self, vendor, **store):
        self.vendor = vendor
        stores = Stores(GivenDirectory(a_store(**store)), lambda sealed: sealed)
        self.shard = MemoryShard([MessagesAgent(stores)])
        self.calls = Calls(self.shard, stores, vendor.client())

    async def ask(self, *requests):
        """Feed requests."""
        rows = [(topics.MESSAGE_REQUESTS.key("acme", one.message), one.model_dump_json().encode()) for one in requests]
        await self.shard.feed(topics.MESSAGE_REQUESTS, *rows)

    def reports(self):
        """Return the reports so far."""
        rows = [orjson.loads(value) for _, value in self.shard.outputs(topics.MESSAGE_REPORTS)]
        return [MessageReport.model_validate(row["data"]) for row in rows]

    def statuses(self):
        """Return their statuses."""
        return [report.status for report in self.reports()]


@pytest.fixture
def infobip():
    """A store that sends by Infobip."""
    return World(StandInInfobip(), infobip=INFOBIP)


@pytest.fixture
def hellotext():
    """A store that sends by Hellotext."""
    return World(StandInHellotext())


class TestInfobip:
    """SMS and WhatsApp, with our own message id."""

    async def test_an_sms_carries_our_id_and_the_campaign(self, infobip):
        """So that the reports name both (contracts/infobip CONTRACT 7)."""
        await infobip.ask(a_request())
        await infobip.calls.settle()
        assert infobip.vendor.requests[0][1:3] == ("/sms/3/messages", "App key")
        assert infobip.vendor.sent == [{
            "sender": "Acme", "destinations": [{"to": "5511987654321", "messageId": "C1.m1"}],
            "content": {"text": "Olá"}, "options": {"campaignReferenceId": "C1"},
        }]  # fmt: skip
        (report,) = infobip.reports()
        recipient = hash_value(b"hash-secret-of-acme", "phone", "+5511987654321")
        assert (report.status, report.recipient, report.campaign) == ("accepted", recipient, "C1")
        assert (report.vendor, report.channel) == ("infobip", "sms")

    async def test_a_whatsapp_template_has_its_placeholders_in_order(self, infobip):
        """The tenth comes after the second."""
        parameters = {"2": "b", "10": "c", "1": "a"}
        await infobip.ask(a_request(channel="whatsapp", template="hello", text=None, parameters=parameters))
        await infobip.calls.settle()
        assert infobip.vendor.requests[0][1] == "/whatsapp/1/message/template"
        assert infobip.vendor.sent == [{
            "from": "5511900000000", "to": "5511987654321", "messageId": "C1.m1", "callbackData": "C1",
            "content": {
                "templateName": "hello", "language": "pt_BR",
                "templateData": {"body": {"placeholders": ["a", "b", "c"]}},
            },
        }]  # fmt: skip

    async def test_a_text_by_whatsapp_is_free_form(self, infobip):
        """Inside the customer-service window (CONTRACT 6)."""
        await infobip.ask(a_request(channel="whatsapp"))
        await infobip.calls.settle()
        assert infobip.vendor.requests[0][1] == "/whatsapp/1/message/text"

    async def test_a_message_refused_at_once_has_failed(self, infobip):
        """Status group 5 in a 200 answer (CONTRACT 1)."""
        infobip.vendor.group = 5
        await infobip.ask(a_request())
        await infobip.calls.settle()
        (report,) = infobip.reports()
        assert (report.status, report.error) == ("failed", "REJECTED_NETWORK")

    async def test_an_sms_that_was_taken_is_found_and_not_sent_again(self, infobip):
        """After a lost answer the log is looked at."""
        infobip.vendor.lost = 1.0
        await infobip.ask(a_request())
        await infobip.calls.once()
        assert infobip.statuses() == []
        infobip.vendor.heals()
        await infobip.calls.settle()
        assert (len(infobip.vendor.sent), infobip.statuses()) == (1, ["accepted"])

    async def test_an_sms_whose_absence_is_proved_is_sent_again(self, infobip):
        """Two looks, half a minute and two minutes later, show nothing."""
        infobip.vendor.answers(500)
        await infobip.ask(a_request())
        await infobip.calls.once()
        infobip.vendor.heals()
        await infobip.calls.settle()
        paths = [path.partition("?")[0] for path in infobip.vendor.paths()]
        assert paths == ["POST /sms/3/messages", "GET /sms/3/logs", "GET /sms/3/logs", "POST /sms/3/messages"]
        assert (len(infobip.vendor.sent), infobip.statuses()) == (1, ["accepted"])

    async def test_a_log_that_cannot_be_read_proves_nothing(self, infobip):
        """The message stays uncertain, and people are told."""
        infobip.vendor.lost = 1.0
        await infobip.ask(a_request())
        await infobip.calls.once()
        infobip.vendor.answers(200, json={"unexpected": True})
        await infobip.calls.settle()
        (letter,) = infobip.shard.dead_letters()
        assert letter["reason"].startswith("uncertain, so not sent again: ")
        assert "request it under another message id" in letter["obstacle"]
        assert (len(infobip.vendor.sent), infobip.statuses()) == (1, [])

    async def test_a_whatsapp_message_with_an_uncertain_end_is_never_repeated(self, infobip):
        """There is no log to look it up."""
        infobip.vendor.lost = 1.0
        await infobip.ask(a_request(channel="whatsapp"))
        await infobip.calls.settle()
        assert len(infobip.vendor.sent) == 1
        assert len(infobip.shard.dead_letters()) == 1


class TestHellotext:
    """No webhook: states are asked for."""

    async def test_a_message_is_followed_until_it_is_delivered(self, hellotext):
        """`pending`, `routed`, then `delivered` (contracts/hellotext B5)."""
        await hellotext.ask(a_request(channel="whatsapp", template="T1", parameters={"shortlinks": {"a": "b"}}))
        await hellotext.calls.once()
        assert hellotext.vendor.requests[0][3] == {
            "technology": "whatsapp", "destination": "+5511987654321",
            "template": {"id": "T1", "shortlinks": {"a": "b"}},
        }  # fmt: skip
        assert hellotext.statuses() == ["accepted"]
        hellotext.shard.now += 5_000
        await hellotext.calls.once()
        hellotext.vendor.messages["M1"] = "delivered"
        await hellotext.calls.settle()
        assert hellotext.statuses() == ["accepted", "delivered"]

    async def test_a_failed_message_is_reported(self, hellotext):
        """With its vendor."""
        await hellotext.ask(a_request())
        await hellotext.calls.once()
        hellotext.vendor.messages["M1"] = "failed"
        await hellotext.calls.settle()
        assert [(one.status, one.vendor) for one in hellotext.reports()][1] == ("failed", "hellotext")

    async def test_a_message_without_news_is_let_be(self, hellotext):
        """After two days of asking."""
        await hellotext.ask(a_request())
        await hellotext.calls.settle()
        assert hellotext.statuses() == ["accepted"]

    async def test_a_lost_answer_leaves_it_uncertain(self, hellotext):
        """Nothing tells whether it was sent."""
        hellotext.vendor.lost = 1.0
        await hellotext.ask(a_request())
        await hellotext.calls.settle()
        assert len(hellotext.vendor.messages) == 1
        assert len(hellotext.shard.dead_letters()) == 1


class TestUnsent:
    """What surely was not sent is told, with what to do."""

    @pytest.mark.parametrize(
        ("vendor", "status", "reason"),
        [
            ("infobip", 400, "Infobip answered 400"),
            ("hellotext", 403, "Hellotext answered 403; the token may not do this: check its permissions and the plan"),
            ("hellotext", 404, "Hellotext answered 404"),
            ("infobip", 302, "Infobip answered 302; the address sends calls elsewhere: correct the URL"),
        ],
    )
    async def test_a_refused_message_is_a_dead_letter(self, vendor, status, reason, request):
        """Its `failed` report is a figure only: nobody would read why. A 404 may be about a template."""
        world = request.getfixturevalue(vendor)
        world.vendor.answers(status)
        await world.ask(a_request())
        await world.calls.settle()
        (letter,) = world.shard.dead_letters()
        assert (letter["step"], letter["detail"]) == ("messages", "message C1.m1")
        assert letter["reason"].removesuffix(" in the store's connection") == reason
        assert "it was not sent" in letter["obstacle"]
        assert "under another message id" in letter["obstacle"]
        assert world.statuses() == ["failed"]

    @pytest.mark.parametrize("vendor", ["infobip", "hellotext"])
    async def test_a_renewed_key_is_waited_for(self, vendor, request):
        """A token that has expired for minutes costs no message."""
        world = request.getfixturevalue(vendor)
        world.vendor.answers(401)
        await world.ask(a_request())
        for _ in range(3):
            assert await world.calls.once() == 1
            world.shard.now += 60_000
        world.vendor.heals()
        await world.calls.settle()
        assert world.statuses()[0] == "accepted"
        assert world.shard.dead_letters() == []

    async def test_a_key_that_nobody_renews_is_told(self, infobip):
        """After a quarter of an hour: a message is for now."""
        infobip.vendor.answers(401)
        asked = infobip.shard.now
        await infobip.ask(a_request())
        await infobip.calls.settle()
        assert 15 * 60_000 < infobip.shard.now - asked < 30 * 60_000
        (letter,) = infobip.shard.dead_letters()
        assert letter["reason"] == (
            "Infobip answered 401; the token is not accepted: connect the store again with a new one"
        )
        assert infobip.statuses() == ["failed"]

    async def test_a_lost_sms_is_looked_for_when_the_key_is_renewed(self, infobip):
        """An expired key proves nothing, and is no reason to call it uncertain for ever."""
        infobip.vendor.lost = 1.0
        await infobip.ask(a_request())
        await infobip.calls.once()
        infobip.vendor.answers(401)
        for _ in range(5):
            infobip.shard.now += 120_000
            await infobip.calls.once()
        infobip.vendor.heals()
        await infobip.calls.settle()
        assert (len(infobip.vendor.sent), infobip.statuses()) == (1, ["accepted"])


class TestOnce:
    """A message id is sent once for ever."""

    async def test_a_repeated_request_is_a_duplicate(self, infobip):
        """In the same batch, after it was sent, and a year later."""
        await infobip.ask(a_request(), a_request())
        await infobip.calls.settle()
        infobip.shard.restart()
        infobip.shard.now += 365 * DAY_MS
        await infobip.ask(a_request(text="other"))
        await infobip.calls.settle()
        assert len(infobip.vendor.sent) == 1
        assert infobip.shard.fates()["duplicate"] == 2

    async def test_calls_are_claimed_before_they_are_made(self, infobip):
        """A worker that dies meanwhile leaves it uncertain; it is not made twice."""
        await infobip.ask(a_request())
        assert not infobip.shard.effects()[0].repeatable

    async def test_a_call_that_never_arrived_is_made_again(self, infobip):
        """A refused connection has sent nothing."""
        infobip.vendor.raises(httpx.ConnectError("no"))
        await infobip.ask(a_request())
        await infobip.calls.once()
        infobip.vendor.heals()
        await infobip.calls.settle()
        assert infobip.statuses() == ["accepted"]

    async def test_reports_ids_are_made_of_what_they_say(self, infobip):
        """The same report twice is one event."""
        ids = set()
        for world in (infobip, World(StandInInfobip(), infobip=INFOBIP)):
            await world.ask(a_request())
            await world.calls.settle()
            ids |= {orjson.loads(value)["id"] for _, value in world.shard.outputs(topics.MESSAGE_REPORTS)}
        assert len(ids) == 1


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (a_request(to="nobody"), "the recipient is no phone number"),
        (a_request(text=None), "the message has neither text nor template"),
        (a_request(text=None, template="T"), "an SMS has a text"),
        (
            a_request("x" * 201),
            "the message id is longer than the 200 letters that Infobip takes: give it a shorter one",
        ),
    ],
)
async def test_what_cannot_be_sent_is_a_dead_letter(infobip, request_, reason):
    """With its reason; the others go on."""
    await infobip.ask(request_, a_request("C1.m2"))
    await infobip.calls.settle()
    assert [letter["reason"] for letter in infobip.shard.dead_letters()] == [reason]
    assert infobip.statuses() == ["accepted"]


def test_who_sends():
    """The store's choice, else Infobip where it can, else Hellotext."""
    plain, full = InfobipAccess(url="http://i", api_key="k"), InfobipAccess(**INFOBIP)
    assert vendor_of(a_store(), "sms") == "hellotext"
    assert (vendor_of(a_store(infobip=plain), "sms"), vendor_of(a_store(infobip=plain), "whatsapp")) == (
        "infobip", "hellotext",
    )  # fmt: skip
    assert vendor_of(a_store(infobip=full), "whatsapp") == "infobip"
    assert vendor_of(a_store(infobip=full, messages_by="hellotext"), "sms") == "hellotext"


def test_placeholders_may_be_a_list():
    """In its order, as texts."""
    assert placeholders({"placeholders": ["a", 1]}) == ["a", "1"]
