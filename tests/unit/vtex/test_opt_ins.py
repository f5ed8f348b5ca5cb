"""Opt-ins that a store keeps in a data entity of its own: read with their customers, followed, and never in the way."""

from dataclasses import replace

import pytest

from connectors.vtex.backfill import Backfill
from connectors.vtex.budget import Urgency
from connectors.vtex.errors import EntityAbsent
from connectors.vtex.follow import OptInFollower
from connectors.vtex.hints import Inbox
from connectors.vtex.people import People
from connectors.vtex.store import Readers, Surroundings, _opted, _scrolled
from sandbox.vtex.clock import SECOND, system_clock
from sandbox.vtex.keys import Call
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import QUICK, MemoryJournal, customers, source_of
from tests.unit.vtex.reading import fill

CHOSEN = {"opt_in_entity": "NL", "opt_in_field": "newsletter", "opt_in_email": "mail"}


class Reading:
    """A shop whose opt-ins stand in NL, and its readers."""

    def __init__(self, shop=None):
        self.shop, self.journal = shop or Shop("acme"), MemoryJournal()
        self.shop.add_entity("NL", "mail", "newsletter")
        self.source = source_of(self.shop, self.journal, customers(), **CHOSEN)
        self.people = People(self.source)
        self.follow = OptInFollower(self.source, self.people, "NL")

    def say(self, email, value, **more):
        """Write an opt-in, as the store's own form does; returns the document's id."""
        return self.shop.put_document("NL", {"mail": email, "newsletter": value, **more})

    async def backfill(self):
        """Read customers, then opt-ins."""
        fields, scrolled = self.people.fields, _scrolled(self.source, self.people)
        await Backfill(self.source, "CL", fields, scrolled, "customers.backfill").run()
        fields, opted = self.people.opt_ins.fields, _opted(self.source, self.people)
        await Backfill(self.source, "NL", fields, opted, "optins.backfill").run()

    def told(self):
        """Return the opt-in told last of each customer, by e-mail."""
        return {data["email"]: data.get("newsletter_opt_in") for data in self.journal.latest().values() if data}


async def test_the_first_reading_tells_every_opt_in():
    """The document that changed last counts, whatever the case of its e-mail; who is not in it was never asked."""
    reading = Reading()
    fill(reading.shop, 60)
    for number in range(30):
        reading.say(f"C{number}@Shop.example", str(number % 2 == 0))
    reading.say("c0@shop.example", "false")
    reading.say("nobody@shop.example", "true")
    reading.say("x) OR (id is not null", "true")
    await reading.backfill()
    told = reading.told()
    assert [told[f"c{n}@shop.example"] for n in range(4)] == [False, False, True, False]
    assert {told[f"c{n}@shop.example"] for n in range(30, 60)} == {None}
    assert "isNewsletterOptIn" not in reading.people.fields


async def test_a_changed_opt_in_tells_its_customer():
    """It moves no customer's time; and a customer read for another reason is read with it."""
    reading = Reading()
    ids = fill(reading.shop, 3)
    await reading.backfill()
    await reading.follow.look()
    one = reading.say("c1@shop.example", "true")
    await reading.follow.look()
    assert reading.told() == {"c0@shop.example": None, "c1@shop.example": True, "c2@shop.example": None}
    reading.say("c1@shop.example", "false", id=one)
    await reading.people.emit([ids[1]], "hint", Urgency.HINT)
    assert reading.told()["c1@shop.example"] is False
    before = len(reading.journal.records)
    await reading.follow.look()
    assert len(reading.journal.records) == before


async def test_an_opt_in_of_nobody_is_looked_up_once():
    """Forms take any e-mail; looks go back an hour and more, and each would ask for its customer again."""
    at = [system_clock() - 60 * SECOND]
    reading, calls = Reading(Shop("acme", clock=lambda: at[0])), []
    reading.source.settings = replace(QUICK, save=3600.0)
    await reading.follow.look()
    reading.say("nobody@shop.example", "true")
    at[0] += 60 * SECOND
    for _ in range(3):
        before = reading.shop.budget.calls.total()
        await reading.follow.look()
        calls.append(reading.shop.budget.calls.total() - before)
    assert calls[0] > calls[1] == calls[2]


@pytest.mark.parametrize("way", ["closed", "absent"])
async def test_an_entity_that_cannot_be_read_is_in_nobodys_way(way):
    """Customers are read without; once it answers, what it says is told."""
    reading = Reading()
    [customer] = fill(reading.shop, 1)
    reading.say("c0@shop.example", "true")
    entity, key = reading.shop.entities["NL"], reading.shop.keyring.keys[reading.shop.app_key]
    if way == "closed":
        key.closed.add((Call.READ, "NL"))
    else:
        del reading.shop.entities["NL"]
    await reading.people.emit([customer], "hint", Urgency.HINT)
    assert reading.told() == {"c0@shop.example": None}
    asked = reading.shop.budget.calls.total()
    assert await reading.people.opt_ins.of(["c0@shop.example"], Urgency.HINT) == {}
    assert reading.shop.budget.calls.total() == asked
    reading.shop.entities["NL"] = entity
    key.closed.clear()
    await reading.follow.look()
    assert reading.told() == {"c0@shop.example": True}


async def test_it_is_read_where_it_was_chosen_and_nowhere_else():
    """A store without an entity of its own has no such reader; one that names an entity which is none is told."""
    around = Surroundings(None, None, QUICK, 1, None, None)
    shop = Shop("acme")
    assert "optins" not in Readers(source_of(shop), Inbox(), around).looks()
    looks = Readers(source_of(shop, **CHOSEN), Inbox(), around).looks()
    fill(shop, 1)
    await looks["customers.backfill"]()
    with pytest.raises(EntityAbsent, match="stores set --opt-in-entity"):
        await looks["optins"]()
