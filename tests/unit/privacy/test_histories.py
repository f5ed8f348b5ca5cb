"""Random lives of three people who share phones and browsers: one is forgotten, the others are as they were."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as some

from schemas import topics
from tests.unit.privacy.conftest import House

PEOPLE = ("ana", "bob", "eva")
PHONES = {"ana": "+5511987654321", "bob": "+5511987654321", "eva": "+5511911112222"}
"""Ana and Bob share one."""
SESSIONS = ("s-ana", "s-bob", "s-eva", "s-kiosk")
deeds = some.lists(
    some.tuples(
        some.sampled_from(PEOPLE), some.sampled_from(("customer", "page", "identify", "order", "message", "report")),
        some.sampled_from(SESSIONS),
    ), min_size=3, max_size=25,
)  # fmt: skip


def do(house, number, person, deed, session):
    """Let somebody do something."""
    own = session if session == "s-kiosk" else f"s-{person}"
    email, phone = f"{person}@shop.example", PHONES[person]
    house.shard.now += 60_000
    match deed:
        case "customer":
            house.customer(person, day=1 + number % 28, email=email, home_phone=phone, first_name=person.title())
        case "page":
            house.page(own, utm={"source": "hellotext", "medium": "sms", "campaign": "offer"})
        case "identify":
            house.identify(own, email=email)
        case "order":
            house.order(f"{number}00{PEOPLE.index(person)}", user=None, email=email, phone=phone)
        case "message":
            house.message(f"offer.{person}{number}", to=phone)
        case _:
            house.report(f"offer.{person}{number}", phone=phone)


def of_others(house, forgotten):
    """Return what stands of everybody else."""
    return {
        key: (row["email"], row.get("phone"))
        for key, row in house.latest(topics.VTEX_CUSTOMERS).items()
        if not row.get("deleted") and not row["email"].startswith(forgotten)
    }


def are_there(house, others):
    """Return whether Hellotext has the others and nobody else; those who share a phone it has merged into one."""
    found = {one["email[primary]"] for one in house.both.hellotext.profiles.values() if "email[primary]" in one}
    emails = {email for email, _ in others.values()}
    phones = {phone or email for email, phone in others.values()}
    return found <= emails and len(found) == len(phones)


@pytest.mark.parametrize("forgotten", ["ana", "eva"])
@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(life=deeds, again=deeds)
async def test_others_and_all_figures_are_untouched(forgotten, life, again):
    """Whatever happened, and whatever the forgotten one does afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        house = House(patch)
        for number, deed in enumerate(life):
            do(house, number, *deed)
        await house.settle()
        others, figures = of_others(house, forgotten), house.cells()

        _, remains = await house.forget(emails=f"{forgotten}@shop.example")

        assert remains.erased, remains.places
        assert (of_others(house, forgotten), house.cells()) == (others, figures)
        assert are_there(house, others)
        for number, (_, deed, session) in enumerate(again, start=len(life)):
            if session != "s-kiosk":
                do(house, number, forgotten, deed, session)
        await house.settle()
        _, remains = await house.look(emails=f"{forgotten}@shop.example")
        assert remains.erased, remains.places
        assert of_others(house, forgotten) == others
        assert are_there(house, others)
