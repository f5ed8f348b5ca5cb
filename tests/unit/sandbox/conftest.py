"""A small shop's day, planned and never played."""

from datetime import UTC, datetime

from sandbox.facts import Facts
from sandbox.life import Day, Shopkeeping, plan_day
from sandbox.people import COUNTRIES, People
from sandbox.stage import Scene

NOW = datetime(2026, 11, 26, 15, 0, tzinfo=UTC)


def a_day(*, seed: int = 7, now: datetime = NOW, country: str = "BR", customers: int = 40) -> Day:
    """Plan the day of a shop that has twenty customers already."""
    place = COUNTRIES[country]
    people = People("acme", place, seed)
    scene = Scene("acme", "BID123", "https://shop.example", place, place.timezone, place.currency, seed, now)
    facts = Facts("acme", place.timezone, place.currency)
    return plan_day(scene, Shopkeeping(people, [people.customer() for _ in range(20)]), facts, customers)
