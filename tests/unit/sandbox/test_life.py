"""The planned day: the same from the same seed, in the past, and with an outcome that its roles say."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.ledger import Ledger
from sandbox.life import evening
from sandbox.stage import HOURS, Scene
from sandbox.steps import Call, ShopChange, Webhook
from sandbox.verdicts import Court
from tests.unit.sandbox.conftest import NOW, a_day

EXPECTED = {
    "buys after a click": "click", "buys after a delivery": "delivery", "buys by phone": "delivery",
    "comes from elsewhere": "external:google", "buys unprompted": "no touch in window", "identifies late": "click",
    "reads the newsletter": "click", "blocks the pixel": "click", "has an old cookie": "no touch in window",
    "refuses consent": "delivery", "clicks twice": "click", "leaves a cart": "click",
    "was told early": "no touch in window", "gets it twice": "click", "buys as a guest": "click",
    "stays unknown": "click",
}  # fmt: skip


def test_each_role_ends_as_it_says():
    """The rule that explains each order is the one for which its role was written."""
    day = a_day()
    court, found = Court(day.stage.facts), defaultdict(set)
    for purchase, story in day.stage.bought:
        found[story.title].add(court.judge(purchase).rule)

    assert found.pop("changes the order") == {"delivery", "replacement:delivery"}
    assert dict(found) == {title: {rule} for title, rule in EXPECTED.items()}


def test_a_seed_is_a_day():
    """Steps and figures are the same for the same seed and moment, and others for another seed."""
    one, same, other = a_day(), a_day(), a_day(seed=8)

    assert one.stage.stories == same.stage.stories
    assert Ledger(one.stage.facts).document() == Ledger(same.stage.facts).document()
    assert one.stage.stories != other.stage.stories
    assert not {m.id for m in one.stage.facts.messages} & {m.id for m in other.stage.facts.messages}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    now=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001  the zone is given
    country=st.sampled_from(("BR", "CL", "MX", "CO")),
)
def test_every_day_is_unambiguous(seed, now, country):
    """Whatever the seed and hour: all has happened before now, and no cell holds nothing."""
    now = now.replace(microsecond=0)
    day = a_day(seed=seed, now=now, country=country, customers=30)
    facts = day.stage.facts
    oldest = now - timedelta(hours=HOURS)

    assert all(oldest <= purchase.at < now for purchase in facts.purchases)
    assert all(at < now for visit in facts.visits for at in visit.landings.values())
    reports = [report for message in facts.messages for report in message.reports if report.status != "clicked"]
    assert all(report.at < now for report in reports)
    for cell in Ledger(facts).cells():
        assert any(cell[name] for name in ("sent", "clicks", "conversions", "cost_micros"))
    explained = Counter(v["explanation"] for v in Ledger(facts).document()["verdicts"].values())
    assert set(explained) == {"campaign", "external", "none"}


def test_messages_without_a_campaign_stand_in_no_cell():
    """One-time codes are sent and reported, and nobody's figure."""
    facts = a_day(customers=200).stage.facts

    assert [message for message in facts.messages if message.campaign is None]
    assert None not in {cell["campaign"] for cell in Ledger(facts).cells()}


def test_the_counts_of_people():
    """Who has a phone or an e-mail has a profile, two who share a phone have one."""
    day = a_day()
    steps = [step for story in day.stage.stories for step in story.steps if isinstance(step, ShopChange)]
    put = [step.arguments[0] for step in steps if step.method == "put_customer"]
    made = {document["id"] for document in put if "email" in document}
    facts = day.stage.facts

    assert facts.customers == 20 + len(made) - facts.deleted
    assert facts.reachable == facts.customers - 2  # the pair is one, and one left neither phone nor e-mail
    assert len(facts.guests) == 2  # whose orders told who they are
    assert Ledger(facts).document()["profiles"] == facts.reachable + 2


def test_interfaces_see_duplicates_disorder_and_machines():
    """The day is no tidy one: what the product must recognise is in it."""
    steps = [step for story in a_day().stage.stories for step in story.steps]
    counts = Counter(name for step in steps if isinstance(step, Call | Webhook) for name in step.counts)

    assert min(counts[name] for name in ("duplicates", "redelivered", "machines", "reports", "identifications")) > 0
    changes = Counter(step.method for step in steps if isinstance(step, ShopChange))
    assert min(
        changes[name] for name in ("cancel_order", "return_order", "delete_customer", "browse", "put_address")
    ) > 0  # fmt: skip


@pytest.mark.parametrize("country", ["BR", "CL"])
def test_the_evening_is_explained_by_a_reported_click(country):
    """A click report tells no time, so only an order placed after it was handed over can be its."""
    day = a_day(country=country, customers=120)
    scene = day.stage.scene
    later = Scene(scene.store, scene.business, scene.origin, scene.country, scene.timezone, scene.currency, scene.seed,
                  NOW + timedelta(minutes=1))  # fmt: skip
    (story,) = evening(day, later)
    purchase = day.stage.facts.purchases[-1]

    assert story.title == "buys in the evening"
    assert Court(day.stage.facts).judge(purchase).rule == "click"


def test_around_midnight_there_is_no_evening():
    """Nobody could say on which day the click was reported."""
    midnight = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)  # in São Paulo
    day = a_day(now=midnight - timedelta(seconds=20), customers=120)

    assert evening(day, day.stage.scene) == []
