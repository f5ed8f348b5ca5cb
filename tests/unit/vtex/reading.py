"""Shops and readers for this folder's tests of reading customers."""

from connectors.vtex.backfill import Backfill
from connectors.vtex.customer import read_customer
from connectors.vtex.follow import Follower
from connectors.vtex.people import People
from connectors.vtex.store import _scrolled
from sandbox.vtex.clock import SECOND, system_clock
from sandbox.vtex.shop import Shop
from tests.unit.vtex.memory import customers, source_of

SMALL = customers(slice=40, scroll_size=10, page=7, window=60, overlap=3600)


def grown(count):
    """Return a shop that has grown for weeks, a customer an hour."""
    at = [system_clock() - count * 3600 * SECOND]
    shop = Shop("acme", clock=lambda: at[0])
    for number in range(count):
        fill(shop, 1, first=number)
        at[0] += 3600 * SECOND
    return shop


def fill(shop, count, first=0):
    """Put customers in; returns their ids."""
    return [
        shop.put_customer({"email": f"c{n}@shop.example", "firstName": f"Ana {n}"}) for n in range(first, first + count)
    ]


def readers(shop, journal, settings=SMALL):
    """Return an opened store with its readers of customers."""
    source = source_of(shop, journal, settings)
    people = People(source)
    backfill = Backfill(source, "CL", people.fields, _scrolled(source, people), "customers.backfill")
    return source, people, backfill, Follower(source, people)


def difference(shop, source, journal):
    """Return the customers of whom the last event says something else than the shop."""
    there = {one: _said(data) for one, data in journal.latest().items() if data is not None}
    wanted = {one["id"].lower(): _said(read_customer(one, source.store.vtex, "search")) for one in shop.customers.all()}
    return {one for one in there.keys() | wanted.keys() if there.get(one) != wanted.get(one)}


def _said(data):
    return {name: value for name, value in data.items() if name not in {"read_by", "source_version", "address"}}
