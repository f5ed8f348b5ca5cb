"""A shop whose time stands still until a test moves it, and a client that holds its key; no sockets."""

from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from sandbox.vtex.api import routes
from sandbox.vtex.clock import ManualClock
from sandbox.vtex.shop import Shop


class Receiver:
    """Somebody's web hook: remembers what came, and answers what a test tells it to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200

    async def __call__(self, url, headers, body) -> int:
        self.got.append((url, dict(headers), body))
        return self.status


@pytest.fixture
def clock() -> ManualClock:
    """Return the shop's time."""
    return ManualClock()


@pytest.fixture
def receiver() -> Receiver:
    """Return who gets hooks and triggers."""
    return Receiver()


@pytest.fixture
def shop(clock, receiver) -> Shop:
    """Return a gentle, empty account."""
    return Shop("acme", clock=clock, sender=receiver)


def keys_of(shop: Shop) -> dict[str, str]:
    """Return the headers of the shop's key."""
    return {"X-VTEX-API-AppKey": shop.app_key, "X-VTEX-API-AppToken": shop.app_token}


@pytest.fixture
async def client(shop) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client at the account's host."""
    app = Starlette(routes=[Mount("/vtex", routes=routes({shop.account: shop}))])
    base = f"http://vtex/vtex/{shop.account}"
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=keys_of(shop)) as client:
        yield client
