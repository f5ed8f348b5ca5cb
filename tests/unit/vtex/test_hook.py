"""The order hook: set up where VTEX can reach the collector, set up again when VTEX has removed it, never taken."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from connectors.vtex.errors import HookUnreachable
from connectors.vtex.hints import Inbox
from connectors.vtex.hook import EVERY_S, OrderHook
from connectors.vtex.pollers import _read
from connectors.vtex.store import Readers, Surroundings
from sandbox.vtex.clock import DAY, system_clock
from sandbox.vtex.keys import CONNECTOR, Resource
from sandbox.vtex.shop import Shop
from tests.stores import a_store
from tests.unit.vtex.memory import QUICK, MemoryJournal, source_of

COLLECTOR = "https://collect.shop.example"
ADDRESS = f"{COLLECTOR}/v1/triggers/acme/orders"


class Account:
    """A shop that pings a collector, which answers as it is told."""

    def __init__(self, **more):
        self.at, self.status, self.sent = system_clock(), 200, []
        self.shop = Shop("acme", clock=lambda: self.at, sender=self._send, **more)
        self.source = source_of(self.shop, MemoryJournal())
        self.hook = OrderHook(self.source, COLLECTOR, "secret")

    async def _send(self, url, headers, body):
        self.sent.append((url, dict(headers), body))
        return self.status

    @property
    def configured(self):
        """The hook of our key."""
        return self.shop.hooks.get(self.shop.app_key)


async def test_it_is_set_up_and_let_be():
    """With the store's address and secret; VTEX's ping is answered; a second look asks only."""
    account = Account()
    assert await account.hook.look() == EVERY_S
    assert (account.configured.url, account.configured.headers["X-Hook-Secret"]) == (ADDRESS, "secret")
    order = account.shop.place_order({"email": "a@b.example", "items": [{"sku": "1", "price": 1, "quantity": 1}]})
    await account.shop.courier.drain()
    assert order.encode() in account.sent[-1][2]
    calls = account.shop.budget.calls.total()
    await account.hook.look()
    assert account.shop.budget.calls.total() == calls + 1


async def test_it_is_set_up_again_after_three_quiet_days():
    """VTEX removes it and tells nobody (NOTES 4.5)."""
    account = Account()
    await account.hook.look()
    account.at += 4 * DAY
    account.source.client._now = lambda: account.at / 10_000_000
    await account.hook.look()
    assert not account.configured.forgotten(account.at)


async def test_another_secret_is_put_right_and_another_address_left_alone():
    """What somebody configured under the same key is theirs."""
    account = Account()
    await OrderHook(account.source, COLLECTOR, "old").look()
    await account.hook.look()
    assert account.configured.headers["X-Hook-Secret"] == "secret"
    await OrderHook(account.source, "https://other.example", "secret").look()
    assert account.configured.url == ADDRESS


async def test_a_collector_that_vtex_cannot_reach_is_a_note():
    """Orders come by the feed; a key without the right says nothing twice."""
    account = Account()
    account.status = 0
    with pytest.raises(HookUnreachable, match="to be reached from outside"):
        await account.hook.look()
    denied = Account(resources=CONNECTOR - {Resource.FEED_ADMIN})
    assert await denied.hook.look() == EVERY_S
    assert denied.configured is None


def test_a_hook_secret_that_was_renewed_is_told_to_vtex():
    """The store's poller begins anew, and so sets the hook up with it; for another price list it does not."""
    before = a_store()

    assert _read(a_store(hook_secret="renewed")) != _read(before)
    assert _read(a_store(click_window_hours=1)) == _read(before)


async def test_without_a_public_address_there_is_no_hook():
    """On a machine of its own the collector is nobody's to call."""
    secrets = SimpleNamespace(unseal=lambda sealed: sealed)
    source, local = source_of(Shop("acme")), Surroundings(None, secrets, QUICK, 1, None, None)
    assert "orders.hook" not in Readers(source, Inbox(), local).looks()
    public = replace(local, settings=replace(QUICK, collector_url=COLLECTOR))
    assert "orders.hook" in Readers(source, Inbox(), public).looks()
