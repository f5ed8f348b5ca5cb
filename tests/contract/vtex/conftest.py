"""A shop with something of everything, and a client that holds its key."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.vtex.api import routes
from sandbox.vtex.bulk import fill
from sandbox.vtex.clock import ManualClock
from sandbox.vtex.keys import Resource
from sandbox.vtex.shop import Shop


async def answering(url, headers, body) -> int:
    """Answer every hook with 200."""
    return 200


@pytest.fixture
def shop() -> Shop:
    """Return an account with generated and other customers, addresses and orders in every state."""
    shop = Shop("acme", clock=ManualClock(), sender=answering, resources=set(Resource))
    fill(shop, 50, addresses=20)
    buyer = shop.put_customer({"email": "ana@x.example", "firstName": "Ana", "lastName": "Lima", "campaign": "maio"})
    shop.put_address({"userId": buyer, "addressName": "trabalho", "addressType": "commercial", "city": "Recife"})
    shop.world.clock.advance(60)
    shop.put_customer({"id": buyer, "homePhone": "+5511987654321"})
    items = [{"sku": "1", "price": 1990, "quantity": 2}, {"sku": "2", "price": 500, "seller": "moda"}]
    order = {"customer": buyer, "items": items, "shipping": 1500, "discount": 300}
    shop.place_order(order)
    approved = shop.place_order({**order, "marketing": {"utmSource": "whatsapp"}, "payment": "Visa"})
    shop.approve_order(approved)
    returned = shop.place_order({**order, "mask": "soft"})
    shop.approve_order(returned)
    shop.invoice_order(returned)
    shop.return_order(returned, 500)
    shop.amend_order(returned, discount=100)
    cancelled = shop.place_order({"email": "guest@x.example"})
    shop.cancel_order(cancelled)
    return shop


@pytest.fixture
async def client(shop) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the account's host."""
    app = Starlette(routes=[Mount("/vtex", routes=routes({"acme": shop}))])
    keys = {"X-VTEX-API-AppKey": shop.app_key, "X-VTEX-API-AppToken": shop.app_token}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://vtex/vtex/acme", headers=keys) as client:
        yield client
