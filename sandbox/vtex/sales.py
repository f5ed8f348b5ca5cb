"""What happens to orders: placed, approved, invoiced, changed, returned, cancelled; and who is told (NOTES 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.vtex.clock import SECOND, order_time, parse
from sandbox.vtex.feed import Change, Feed
from sandbox.vtex.hook import Hook
from sandbox.vtex.masking import Mask
from sandbox.vtex.order_book import OrderBook
from sandbox.vtex.order_document import CURRENCIES, TITLES, Order, Purchase, parts
from sandbox.vtex.order_parts import cancellation_part, change_part, package_part
from sandbox.vtex.records import Records
from sandbox.vtex.world import World

SHORT: Final = frozenset({
    "customer", "email", "phone", "firstName", "lastName", "items", "shipping", "discount", "tax", "marketing",
    "payment", "currency", "mask", "status", "origin", "orderFormId", "optinNewsLetter",
})  # fmt: skip
"""Names of a short description; every other name is a field of VTEX's own document."""
_FIRST_SEQUENCE: Final = 502_556


@dataclass(slots=True)
class Sales:
    """The orders of one account, its feeds and its hooks.

    Attributes:
        currency: of orders that name none.
        mask: how orders show the buyer's e-mail; VTEX's default tells nothing.
        feeds: by application key.
        hooks: by application key.
        late: what orders get later, by the tick at which they get it.
    """

    world: World
    records: Records
    currency: str = "BRL"
    mask: Mask = Mask.HARD
    book: OrderBook = field(default_factory=OrderBook)
    feeds: dict[str, Feed] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    late: list[tuple[int, str, Mapping[str, Any]]] = field(default_factory=list)
    _placed: int = 0

    def place(self, order: Mapping[str, Any]) -> str:
        """Place an order; return the id of its first part."""
        purchase = self._purchase(order)
        self.book.emails.setdefault(purchase.group, purchase.email)
        made = [self._spoiled(part) for part in parts(purchase)]
        for part in made:
            self._publish(part, None)
        if purchase.buyer and self.world.dice.falls("wipe", self.world.hostility.wipes):
            self.records.wipe(str(purchase.buyer["id"]))
        return str(made[0]["orderId"])

    def change(self, order_id: str, **fields: Any) -> None:
        """Change fields of an order; `lastChange` moves, and a new status is told to feeds and hooks.

        Raises:
            KeyError: when there is no such order.
        """
        before = self.book.orders[order_id]
        after = {**before, "lastChange": order_time(self.world.now()), **fields}
        if "status" in fields and "statusDescription" not in fields:
            after["statusDescription"] = TITLES.get(after["status"], after["status"])
        self._publish(after, before)

    def approve(self, order_id: str) -> None:
        """The payment has come."""
        self.change(order_id, status="payment-approved", authorizedDate=order_time(self.world.now()))

    def invoice(self, order_id: str, number: str | None = None) -> None:
        """Invoice the whole order."""
        order, now = self.book.orders[order_id], self.world.now()
        package = package_part("Output", number or f"NF{order_id}", order["value"], now)
        self.change(order_id, status="invoiced", invoicedDate=order_time(now), packageAttachment=_with(order, package))

    def give_back(self, order_id: str, value: int, number: str | None = None) -> None:
        """Register a return invoice of so many hundredths; the status stays, so FromWorkflow feeds hear nothing."""
        order, now = self.book.orders[order_id], self.world.now()
        count = len(order["packageAttachment"]["packages"])
        package = package_part("Input", number or f"DEV{order_id}-{count}", value, now, refund=value)
        twice = self.world.dice.falls("double return", self.world.hostility.double_returns)
        self.change(order_id, packageAttachment=_with(order, *([package, package] if twice else [package])))

    def cancel(self, order_id: str, reason: str = "Desistência", by: str = "User") -> None:
        """Cancel; the reason may arrive some time after the status (NOTES 4.2)."""
        told = {"cancelReason": reason, "cancellationData": cancellation_part(reason, by, self.world.now())}
        wait = self.world.hostility.late_reason
        self.change(order_id, status="canceled", **({} if wait else told))
        if wait:
            self.late.append((self.world.clock() + round(wait * SECOND), order_id, told))

    def amend(self, order_id: str, *, discount: int = 0, increment: int = 0, reason: str = "Troca de item") -> None:
        """Change the value after the purchase, in hundredths (`changesAttachment`)."""
        order = self.book.orders[order_id]
        known = (order["changesAttachment"] or {}).get("changesData", [])
        receipt = self.world.new_id()
        entry = change_part(order_id, reason, self.world.now(), discount=discount, increment=increment, receipt=receipt)
        attachment = {"id": "changeAttachment", "changesData": [*known, entry]}
        self.change(order_id, value=order["value"] + increment - discount, changesAttachment=attachment)

    def settle(self) -> None:
        """Let what was late arrive: it changes the order without an event."""
        now = self.world.clock()
        for _, order_id, fields in [entry for entry in self.late if entry[0] <= now]:
            self._keep({**self.book.orders[order_id], **fields})
        self.late = [entry for entry in self.late if entry[0] > now]

    def real_email(self, order: Order) -> str:
        """Return the buyer's address, which the order does not show."""
        known = self.book.emails.get(order["orderGroup"])
        if known:
            return known
        profile = order["clientProfileData"]
        found = self.records.find("CL", "userId", str(profile.get("userProfileId") or "-"))
        return str((found or {}).get("email") or profile["email"])

    def _purchase(self, order: Mapping[str, Any]) -> Purchase:
        self._placed += 1
        described = {name: value for name, value in order.items() if name in SHORT}
        given = {name: value for name, value in order.items() if name not in SHORT or name in {"status", "items"}}
        given |= {name: order[name] for name in ("origin", "orderFormId") if name in order}
        buyer = self.records.entities["CL"].get(str(order["customer"])) if order.get("customer") else None
        return Purchase(
            account=self.world.account,
            group=str(order.get("orderGroup") or f"{1_415_461_000_000 + self._placed * 7919}"),
            sequence=int(order.get("sequence") or _FIRST_SEQUENCE + self._placed),
            now=self.world.now(),
            description=described,
            given=given,
            buyer={} if buyer is None else buyer.document,
            currency=CURRENCIES[order.get("currency", self.currency)],
            mask=Mask(order.get("mask", self.mask)),
            numbers=self.world.numbers,
        )

    def _spoiled(self, order: Order) -> Order:
        """Return the order as the platform sometimes garbles it: asterisks where the buyer should be (NOTES 2.5)."""
        if not self.world.dice.falls("asterisks", self.world.hostility.asterisks):
            return order
        stars = {"firstName": "***", "lastName": "***", "document": "***", "phone": "***"}
        return order | {"clientProfileData": order["clientProfileData"] | stars}

    def _keep(self, order: Order) -> None:
        self.book.put(order, self.world.clock() + round(self.world.hostility.list_lag * SECOND))

    def _publish(self, after: Order, before: Order | None) -> None:
        """Keep a version and tell feeds and hooks."""
        self._keep(after)
        now, moved = self.world.clock(), before is None or before["status"] != after["status"]
        change = _change(after, before, now)
        for feed in self.feeds.values():
            twice = self.world.dice.falls("feed duplicate", self.world.hostility.feed_duplicates)
            feed.offer(after, change, now, moved=moved, twice=twice)
        for hook in self.hooks.values():
            self.world.tell(hook.parcel(after, change, now, moved=moved))


def _change(after: Order, before: Order | None, now: int) -> Change:
    domain = "Marketplace" if after["origin"] == "Marketplace" else "Fulfillment"
    last = before or {"status": "", "lastChange": after["lastChange"]}
    return Change(
        after["orderId"], domain, str(after["status"]), str(last["status"] or ""), parse(last["lastChange"]), now
    )


def _with(order: Order, *packages: Mapping[str, Any]) -> dict[str, Any]:
    return {"packages": [*(order.get("packageAttachment") or {"packages": []})["packages"], *packages]}
