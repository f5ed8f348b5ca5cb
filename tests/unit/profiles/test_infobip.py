"""Customers as persons at Infobip: gathered into few requests, refused one by one."""

import httpx
import pytest

from tests.destinations import Calls, StandInInfobip
from tests.unit.profiles.conftest import INFOBIP, World, a_customer


class Both:
    """A client for both destinations."""

    def __init__(self, hellotext, infobip):
        self.hellotext, self.infobip = hellotext, infobip

    def __call__(self, request):
        return (self.infobip if request.url.host == "infobip.test" else self.hellotext)(request)


class InfobipWorld(World):
    """A store that is connected to both."""

    def __init__(self, **store):
        super().__init__(**{"infobip": INFOBIP, **store})
        self.infobip = StandInInfobip()
        http = httpx.AsyncClient(transport=httpx.MockTransport(Both(self.hellotext, self.infobip)))
        self.calls = Calls(self.shard, self.stores, http)


@pytest.fixture
def world():
    """A store that is connected to both."""
    return InfobipWorld()


async def test_a_customer_becomes_a_person(world):
    """With our id, digits without plus, and a name that Infobip takes."""
    await world.feed(a_customer(phone="+5511987654321", first_name='Ana "Bia" <b>', locale="pt-BR", gender="female"))
    await world.settle()
    assert world.infobip.requests[0][:3] == ("PATCH", "/people/3/persons/upsert", "App key")
    assert world.infobip.persons == {
        "c1": {
            "externalId": "c1", "type": "CUSTOMER", "firstName": "Ana Bia b", "gender": "FEMALE",
            "preferredLanguage": "pt-BR",
            "contactInformation": [
                {"type": "PHONE", "identifier": "5511987654321"}, {"type": "EMAIL", "identifier": "c1@shop.example"},
            ],
        }
    }  # fmt: skip
    assert (world.at("c1", "infobip").state, world.at("c1", "infobip").id) == ("synced", "1000")


async def test_without_any_contact_there_is_still_a_person(world):
    """Our id is enough for Infobip, and too little for Hellotext."""
    await world.feed(a_customer(email=None))
    await world.settle()
    assert (world.at("c1", "infobip").state, world.at().state) == ("synced", "unreachable")


async def test_one_refused_person_stops_only_itself(world):
    """207: results by index; the reason names the field and holds no value."""
    world.infobip.errors = {"c1": 400100}
    await world.feed(a_customer(), a_customer("c2"))
    await world.settle()
    assert (world.at("c1", "infobip").state, world.at("c2", "infobip").state) == ("failed", "synced")
    (letter,) = world.shard.dead_letters()
    assert letter["reason"] == (
        "Infobip answered 400 for this person: code-400100, persons[0].contactInformation[0].identifier"
    )
    assert world.at().state == "synced"


async def test_an_unsure_person_is_sent_again(world):
    """500100: an upsert converges, so it is repeated."""
    world.infobip.errors = {"c1": 500100}
    await world.feed(a_customer())
    await world.calls.once()
    assert world.at("c1", "infobip").state == "uncertain"
    world.infobip.errors = {}
    await world.settle()
    assert world.at("c1", "infobip").state == "synced"


async def test_infobip_connected_later_gets_everybody(world):
    """A destination that is new to the store starts a sweep; Hellotext hears nothing of it."""
    world.connect()
    await world.feed(a_customer("c1"), a_customer("c2"))
    await world.settle()
    await world.shard.tick(1_000)
    calls = len(world.hellotext.requests)
    world.connect(infobip=INFOBIP)
    await world.shard.tick(1_000)
    await world.settle()
    assert set(world.infobip.persons) == {"c1", "c2"}
    assert len(world.hellotext.requests) == calls


async def test_a_closed_hellotext_stops_no_person(world):
    """A bad destination stops only itself."""
    world.hellotext.answers(401)
    await world.feed(a_customer("c1"))
    await world.settle()
    await world.feed(a_customer("c2"))
    await world.settle()
    assert set(world.infobip.persons) == {"c1", "c2"}


async def test_a_forgotten_customer_is_erased_at_both(world):
    """By our id at Infobip."""
    await world.feed(a_customer())
    await world.settle()
    await world.forget("c1")
    await world.settle()
    assert (world.infobip.persons, world.hellotext.profiles, world.state()) == ({}, {}, None)
