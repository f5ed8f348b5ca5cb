"""A connected store's customers and orders reach `vtex.changes`, and stay as the shop has them."""

from dataclasses import replace

import pytest

from sandbox.vtex.keys import CONNECTOR, Resource
from sandbox.vtex.serve import serving
from sandbox.vtex.shop import Shop
from tests.scenarios.vtex.shops import FAST, connect, connected, cursors, events, fill, latest, polling, truth, until

pytestmark = pytest.mark.broker


async def test_a_freshly_connected_store_is_read_and_followed(kafka):
    """Some hundred customers come by the page, no call for each; then each change, new customer and order follows."""
    shop = Shop("acme")
    ids = fill(shop, 300)
    async with serving({"acme": shop}) as url:
        store = connected(shop, url)
        await connect(kafka, store)
        async with polling(kafka):
            await until(lambda: _is(kafka, "acme", truth(shop, store)))
            assert {event["data"]["read_by"] for event in await events(kafka)} == {"scroll"}
            shop.put_customer({"id": ids[3], "homePhone": "+5511911111111"})
            [new] = fill(shop, 1, first=1000)
            shop.put_address({"userId": new, "addressName": "home", "city": "Recife", "country": "BRA"})
            order = shop.place_order({"customer": new, "items": [{"sku": "1", "price": 4200, "quantity": 1}]})
            await until(lambda: _is(kafka, "acme", truth(shop, store)))
            await until(lambda: _has(kafka, "vtex.order.changed", order))
            await until(lambda: _address(kafka, new, "Recife"))
        where = await cursors(kafka, "acme")
    assert where["customers.backfill"]["finished"]
    assert where["customers.backfill"]["done"] == 300


async def _is(kafka, store, wanted):
    return await latest(kafka, store) == wanted


async def _has(kafka, kind, subject):
    return any(event["type"] == kind and event["subject"] == subject for event in await events(kafka))


async def _address(kafka, customer, city):
    return any(
        event["subject"] == customer and (event["data"].get("address") or {}).get("city") == city
        for event in await events(kafka)
    )


async def test_without_the_right_to_a_feed_orders_come_by_lists(kafka):
    """Old ones and new ones, a little later; and the store says what it misses."""
    shop = Shop("acme", resources=CONNECTOR - {Resource.FEED_ADMIN, Resource.FEED_VIEW})
    [customer] = fill(shop, 1)
    old = shop.place_order({"customer": customer, "items": [{"sku": "1", "price": 4200, "quantity": 1}]})
    async with serving({"acme": shop}) as url:
        await connect(kafka, connected(shop, url))
        async with polling(kafka, replace(FAST, rest=1.0)):
            await until(lambda: _has(kafka, "vtex.order.changed", old))
            new = shop.place_order({"customer": customer, "items": [{"sku": "1", "price": 990, "quantity": 2}]})
            await until(lambda: _has(kafka, "vtex.order.changed", new))
            await until(lambda: _misses(kafka, "orders"))
        said = [event for event in await events(kafka) if event["type"] == "vtex.order.changed"]
    assert {(event["subject"], event["data"]["read_by"]) for event in said} == {(old, "list"), (new, "list")}
    assert shop.feeds == {}


async def _misses(kafka, reader):
    return reader in (await cursors(kafka, "acme")).get("status", {}).get("problems", {})
