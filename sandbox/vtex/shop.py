"""One VTEX account: what it holds, and what happens in it; tests and the scripted day act on it through this."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.vtex.budget import Budget
from sandbox.vtex.clock import Clock, system_clock
from sandbox.vtex.courier import Courier, Sender
from sandbox.vtex.entity import Entity
from sandbox.vtex.faults import Faults
from sandbox.vtex.feed import Feed
from sandbox.vtex.hook import Hook
from sandbox.vtex.hostility import GENTLE, Dice, Hostility
from sandbox.vtex.keys import CONNECTOR, Keyring, Resource
from sandbox.vtex.masking import Mask
from sandbox.vtex.order_book import OrderBook
from sandbox.vtex.order_document import Order
from sandbox.vtex.records import Records
from sandbox.vtex.sales import Sales
from sandbox.vtex.scrolls import Scrolls
from sandbox.vtex.triggers import Trigger
from sandbox.vtex.world import World


class Shop:
    """One account's state.

    Attributes:
        account: VTEX's name of it.
        app_key, app_token: a key with what a connector needs.
        keyring: that key and others; roles may be taken away and given at any time.
        budget: how many calls a second are allowed, and the record of those above.
        faults: counts of the faults that happened.
        scrolls: the open scrolls.
        private_fields: fields that no key may read: 403 (NOTES 1).
        wildcards: searches with `*` or `_keyword` so far.
    """

    def __init__(
        self,
        account: str,
        *,
        app_key: str | None = None,
        app_token: str | None = None,
        resources: Iterable[Resource] = CONNECTOR,
        hostility: Hostility = GENTLE,
        budget: Budget | None = None,
        clock: Clock = system_clock,
        sender: Sender | None = None,
        currency: str = "BRL",
        mask: Mask = Mask.HARD,
    ) -> None:
        self.account = account
        self.app_key = app_key or f"vtexappkey-{account}-SNDBOX"
        self.app_token = app_token or f"SANDBOX{account.upper()}TOKEN"
        self.world = World(account, clock, hostility)
        if sender is not None:
            self.world.courier.sender = sender
        self.keyring = Keyring(account, clock)
        self.keyring.add(self.app_key, self.app_token, resources)
        self.budget = budget or Budget()
        self.faults = Faults(self.world.dice, self.budget)
        self.records = Records(self.world)
        self.sales = Sales(self.world, self.records, currency, mask)
        self.scrolls = Scrolls(self.world.numbers)
        self.private_fields: frozenset[str] = frozenset()
        self.wildcards = 0

    @property
    def hostility(self) -> Hostility:
        """How badly VTEX behaves now."""
        return self.world.hostility

    @hostility.setter
    def hostility(self, hostility: Hostility) -> None:
        self.world.hostility = hostility

    @property
    def clock(self) -> Clock:
        """The account's time."""
        return self.world.clock

    @property
    def dice(self) -> Dice:
        """Where faults are drawn."""
        return self.world.dice

    @property
    def courier(self) -> Courier:
        """Who carries hook notifications and trigger calls."""
        return self.world.courier

    @property
    def entities(self) -> dict[str, Entity]:
        """CL and AD by acronym."""
        return self.records.entities

    @property
    def customers(self) -> Entity:
        """CL: `customers.all()` is the truth that a connector must arrive at."""
        return self.records.entities["CL"]

    @property
    def addresses(self) -> Entity:
        """AD."""
        return self.records.entities["AD"]

    @property
    def book(self) -> OrderBook:
        """The orders."""
        return self.sales.book

    @property
    def feeds(self) -> dict[str, Feed]:
        """Feeds by application key."""
        return self.sales.feeds

    @property
    def hooks(self) -> dict[str, Hook]:
        """Hooks by application key."""
        return self.sales.hooks

    def put_customer(self, document: Mapping[str, Any]) -> str:
        """Create a customer, or change the one whose `id` is given; return the id.

        Fields that are not given keep their values. `createdIn` and `updatedIn` (null until the first change) are set.
        """
        return self.records.put("CL", document)

    def delete_customer(self, id: str) -> bool:  # noqa: A002  VTEX's name
        """Delete a customer; whether there was one."""
        return self.records.delete("CL", id)

    def touch(self, acronym: str, id: str) -> None:  # noqa: A002
        """Let a document's `updatedIn` move at once, as browsing does, with no profile field changed."""
        self.records.touch(acronym, id, at_once=True)

    def browse(self, id: str) -> None:  # noqa: A002
        """Let a customer browse: `updatedIn` moves, the index hears of it later."""
        self.records.touch("CL", id)

    def wipe_customer(self, id: str) -> None:  # noqa: A002
        """Let the platform blank a customer's name and phones."""
        self.records.wipe(id)

    def put_address(self, document: Mapping[str, Any]) -> str:
        """Create or change an address; `userId` is the customer's document id (NOTES 2.5). Return its id.

        Without `id`, an address of the same customer and `addressName` is changed.
        """
        if not document.get("id") and document.get("addressName"):
            known = self.records.address(str(document.get("userId")), str(document["addressName"]))
            document = document if known is None else {**document, "id": known}
        return self.records.put("AD", document)

    def add_entity(self, acronym: str, *names: str) -> None:
        """Define a data entity of the store's own with some fields, as stores do for opt-ins (NOTES 2.5)."""
        self.records.define(acronym, names)

    def put_document(self, acronym: str, document: Mapping[str, Any]) -> str:
        """Create a document of any entity, or change the one whose `id` is given; return the id."""
        return self.records.put(acronym, document)

    def add_trigger(self, trigger: Trigger) -> None:
        """Set up a Master Data trigger, as the admin's screen does: there is no API for it (NOTES 2.8)."""
        self.records.triggers.append(trigger)

    def place_order(self, order: Mapping[str, Any]) -> str:
        """Place an order from a short description, from VTEX's own fields, or from both; return its `orderId`.

        Short names: `customer` (id of the CL document), `email`, `phone`, `firstName`, `lastName`, `items`
        (`sku`, `price` in hundredths, `quantity`, `seller`, `name`), `shipping`, `discount`, `tax`, `marketing`
        (`utmSource`, `coupon`, ...), `payment` (Pix, Visa, ...), `currency`, `mask` (hard, soft, none, protected),
        `optinNewsLetter`. Any other name is a field of the order document and wins; objects are merged. Items of
        several sellers become several parts, unless `orderId` is given; the first part's id is returned.
        """
        return self.sales.place(order)

    def change_order(self, order_id: str, **fields: Any) -> None:
        """Set fields of an order; `lastChange` moves, a new status is told to feeds and hooks."""
        self.sales.change(order_id, **fields)

    def approve_order(self, order_id: str) -> None:
        """The payment has come."""
        self.sales.approve(order_id)

    def invoice_order(self, order_id: str, number: str | None = None) -> None:
        """Invoice the whole order."""
        self.sales.invoice(order_id, number)

    def return_order(self, order_id: str, value: int, number: str | None = None) -> None:
        """Register a return invoice of so many hundredths; no status changes."""
        self.sales.give_back(order_id, value, number)

    def cancel_order(self, order_id: str, reason: str = "Desistência", by: str = "User") -> None:
        """Cancel an order."""
        self.sales.cancel(order_id, reason, by)

    def amend_order(self, order_id: str, *, discount: int = 0, increment: int = 0) -> None:
        """Change an order's value after the purchase, in hundredths."""
        self.sales.amend(order_id, discount=discount, increment=increment)

    def order(self, order_id: str) -> Order:
        """Return an order as it is now."""
        self.sales.settle()
        return self.book.orders[order_id]
