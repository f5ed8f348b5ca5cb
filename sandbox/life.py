"""A day in the life of a shop: who plays which role, how its customers change, and what becomes of its orders.

`plan_day` makes the whole day from a seed: stories for the interfaces and facts for the ledger. Nothing has happened
yet when it returns; day.py plays it.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import cycle
from typing import Final

from sandbox.aftermath import settle_orders
from sandbox.facts import CampaignRow, Facts, Price
from sandbox.people import People, Person, address_document, customer_document
from sandbox.roles import GUEST_ROLES, ROLES, buys_by_phone
from sandbox.sendings import Outcome
from sandbox.stage import Scene, Stage
from sandbox.steps import ShopChange, Story
from sandbox.verdicts import Court

_MACHINES: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "WhatsApp/2.23.20.0 A",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "TelegramBot (like TwitterBot)",
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/129.0 Safari/537.36",
)
_OUTCOMES: Final[tuple[Outcome, ...]] = (*("delivered",) * 16, "failed", "failed", "pending", "late")
_WRITTEN_TO: Final = 6
"""People on the campaigns' lists for each customer."""
_PLAYING_SHARE: Final = 0.6
_QUIET_SHARE: Final = 0.35
"""Customers without a role who get no message either."""


@dataclass(slots=True)
class Shopkeeping:
    """A shop's people.

    Attributes:
        people: makes more of them.
        known: customers whose documents stand in VTEX already.
        aside: those among them who play no role: they share a phone with somebody, or cannot be reached.
    """

    people: People
    known: list[Person] = field(default_factory=list)
    aside: set[Person] = field(default_factory=set)


@dataclass(slots=True)
class Day:
    """A planned day of one store.

    Attributes:
        stage: its stories, to be played side by side, each in its own order, and its facts.
        customers: all customers there are when it is over.
        aside: those among them who play no role.
    """

    stage: Stage
    customers: list[Person]
    aside: set[Person]


def plan_day(scene: Scene, shop: Shopkeeping, facts: Facts, customers: int) -> Day:
    """Return a store's day.

    Args:
        scene: the store, and when.
        shop: its people; not changed.
        facts: those of former days of the store; the day's are added.
        customers: how many there are to be: new ones register during the day.
    """
    stage = Stage(scene, shop.people, facts)
    new = [shop.people.customer() for _ in range(max(customers - len(shop.known), 4))]
    pair, elusive = _double_up(shop, new), _elusive(shop)
    arriving = [*new, pair[1], *elusive]
    everyone, aside = [*shop.known, *arriving], {*pair, *elusive, *shop.aside}
    cast = [person for person in everyone if person not in aside]
    stage.chance.shuffle(cast)
    _register(stage, arriving)
    _play(stage, cast)
    _strangers(stage)
    _audience(stage, _WRITTEN_TO * customers)
    buys_by_phone(stage, pair[1])
    _changes(stage, cast)
    _newsletter_double(stage, cast)
    _machines(stage)
    settle_orders(stage)
    _rows(stage)
    _report(stage)
    facts.customers, facts.deleted = len(everyone), facts.deleted + 1
    facts.reachable = _reachable(everyone)
    return Day(stage, everyone, aside)


def evening(day: Day, scene: Scene) -> list[Story]:
    """Return what happens after the day, at `scene.now`: a shopper whose click was reported during the day buys.

    A click's report tells no time, so only an order placed after the report was handed over can be explained by it.
    """
    court, facts = Court(day.stage.facts), day.stage.facts
    if court.day(day.stage.scene.now - timedelta(minutes=1)) != court.day(scene.now + timedelta(minutes=1)):
        return []  # around midnight nobody can say on which day the click was reported
    stage = Stage(replace(scene, seed=scene.seed + 1_000_000), day.stage.people, facts)
    busy = {visit.told for visit in facts.visits} | {purchase.buyer for purchase in facts.purchases}
    clicked = {message.phone for message in facts.messages if message.times("clicked")}
    for person in day.customers:
        if person.phone in clicked and person.key not in busy and person not in day.aside:
            checkout = replace(stage.checkout(person, scene.now), at=scene.now)
            stage.buy(stage.story("buys in the evening"), checkout)
            break
    return stage.stories


def _double_up(shop: Shopkeeping, new: list[Person]) -> list[Person]:
    """Two customers with one phone: the vendors merge them, which is shown as a conflict. Both stay out of the roles.

    Returns:
        The owner of the phone and the other one.
    """
    owner = new[0]
    return [owner, shop.people.customer(phone=owner.phone)]


def _elusive(shop: Shopkeeping) -> list[Person]:
    """Customers who left no phone, or neither phone nor e-mail: nobody can have a profile without one of them."""
    without = replace(shop.people.customer(), phone=None)
    return [without, replace(shop.people.customer(), phone=None, email=None)]


def _register(stage: Stage, new: list[Person]) -> None:
    country = stage.scene.country
    for person in new:
        story = stage.story("registers", first=True)
        story.add(ShopChange("put_customer", (customer_document(person, country, stage.chance),)))
        if stage.chance.random() < 0.6:  # noqa: PLR2004  a share
            story.add(ShopChange("put_address", (address_document(person, country, stage.chance),)))


def _play(stage: Stage, cast: list[Person]) -> None:
    """Give out the roles; who has none may still get a message, open it, or ignore it."""
    players = max(len(ROLES), round(len(cast) * _PLAYING_SHARE))
    for role, person in zip(cycle(ROLES), cast[:players], strict=False):
        role(stage, person)
    for person in cast[players:]:
        if stage.chance.random() < _QUIET_SHARE:
            continue
        outcome = stage.chance.choice(_OUTCOMES)
        which = stage.chance.choice(("offer", "coupon", "codes"))
        message = stage.send(which, person, outcome, seen=stage.chance.random() < 0.5)  # noqa: PLR2004  a share
        if outcome == "delivered" and which != "codes" and stage.chance.random() < 0.25:  # noqa: PLR2004  a share
            stage.click(which, message)


def _audience(stage: Stage, count: int) -> None:
    """The rest of the list: people who are written to and do nothing, as most do."""
    for number in range(count):
        which = "offer" if number % 3 else "coupon"
        outcome = stage.chance.choice(_OUTCOMES)
        message = stage.send(which, stage.people.guest(), outcome, seen=stage.chance.random() < 0.4)  # noqa: PLR2004  a share
        if outcome == "delivered" and stage.chance.random() < 0.04:  # noqa: PLR2004  a share
            stage.click(which, message)


def _strangers(stage: Stage) -> None:
    for role in GUEST_ROLES:
        role(stage, stage.people.guest())


def _changes(stage: Stage, cast: list[Person]) -> None:
    """Browsing noise for many, a new name, address or opt-in for some; never of what identifies them."""
    country = stage.scene.country
    for person in cast:
        story = stage.story("changes")
        for _ in range(stage.chance.choice((0, 1, 2))):
            story.add(ShopChange("browse", (person.customer,)))
        kind = stage.chance.random()
        if kind < 0.15:  # noqa: PLR2004  a share
            name = {"id": person.customer, "lastName": f"{person.last_name} Filho"}
            story.add(ShopChange("put_customer", (name,)))
        elif kind < 0.3:  # noqa: PLR2004  a share
            opted = {"id": person.customer, "isNewsletterOptIn": stage.chance.choice((True, False))}
            story.add(ShopChange("put_customer", (opted,)))
        elif kind < 0.45:  # noqa: PLR2004  a share
            story.add(ShopChange("put_address", (address_document(person, country, stage.chance),)))


def _newsletter_double(stage: Stage, cast: list[Person]) -> None:
    """The newsletter form makes a second document for an e-mail that has one; the merchant deletes it again."""
    owner = stage.chance.choice(cast)
    double = stage.people.customer()
    story = stage.story("newsletter double")
    document = {"id": double.customer, "userId": double.user, "email": owner.email, "isNewsletterOptIn": True}
    story.add(ShopChange("put_customer", (document,)), ShopChange("delete_customer", (double.customer,)))


def _machines(stage: Stage) -> None:
    story = stage.story("machines")
    for agent in _MACHINES:
        stage.visit_by_machine(story, agent, stage.name(stage.chance.choice(("offer", "news"))))


def _rows(stage: Stage) -> None:
    """The merchant's list of campaigns: names for all, figures only for what Hellotext sent without telling."""
    court, facts = Court(stage.facts), stage.facts
    for sending in stage.sendings.values():
        if sending.campaign is not None and sending.sent:
            facts.rows.append(CampaignRow(sending.campaign, sending.name, sending.channel, court.day(sending.at)))
    recipients = stage.chance.randrange(180, 400)
    cost = Price(recipients * stage.sendings["offer"].price.amount, stage.scene.currency)
    facts.rows.append(
        CampaignRow(
            stage.name("news"), "Novidades (Hellotext)", "whatsapp", court.day(stage.after(2)), recipients,
            recipients - stage.chance.randrange(5, 30), cost,
        )
    )  # fmt: skip


def _report(stage: Stage) -> None:
    for sending in stage.sendings.values():
        webhooks = sending.webhooks()
        for number in range(0, len(webhooks), 4):
            stage.story(f"reports of {sending.campaign or 'codes'}").add(*webhooks[number : number + 4])


def _reachable(customers: list[Person]) -> int:
    """Return how many profiles customers make: one for each who can be reached, one for two who share a phone."""
    return len({person.phone or person.email for person in customers} - {None})
