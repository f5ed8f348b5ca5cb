"""Reading orders whole, and what of them becomes events; the buyers whom they hide are read with them.

An order is reduced to what attribution needs before anything is kept: no card data leaves this module. One that cannot
be read as an order becomes a dead letter without its bytes, since those carry card data.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from connectors.vtex.budget import Urgency
from connectors.vtex.customer import identified
from connectors.vtex.documents import gather
from connectors.vtex.emission import content_of
from connectors.vtex.errors import ContractChanged
from connectors.vtex.instants import version_ms
from connectors.vtex.journal import Build, Step
from connectors.vtex.order import hidden_buyer, is_protected, read_order
from connectors.vtex.patience import Extra
from connectors.vtex.people import SETTLED_MS, People, Reading
from connectors.vtex.seen import Seen, Sighting
from connectors.vtex.source import Source
from schemas.clock import to_text
from schemas.events import encode
from schemas.topics import DEAD_LETTERS
from schemas.vtex import ReadBy

log = structlog.get_logger(__name__)

ACCOUNT: Final = "account"
"""What is wrong with the whole account stands under this name in the store's status."""
PROTECTED: Final = (
    "this account keeps personal data on VTEX's PII architecture (Data Protection Plus): its customers can neither be "
    "listed nor followed, and its orders hide their buyers. Orders are read without them; ask VTEX for an account "
    "without that architecture, or identify customers through the pixel."
)


@dataclass(slots=True)
class Readings:
    """Orders as they were read.

    Attributes:
        orders: order id and document.
        absent: ids of orders that VTEX does not (yet) answer, or whose status it does not know yet.
        buyers: customers whom their orders hide.
    """

    orders: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    buyers: list[Reading] = field(default_factory=list)
    read_at: int = 0


class Purchases:
    """Reads the orders of one store."""

    def __init__(self, source: Source, people: People) -> None:
        self._source = source
        self._people = people
        self._resolved = Seen(source.settings.customers.seen)
        self._extra = Extra("orders are read without their hidden buyers", store=source.name)

    async def read(self, ids: Iterable[str], urgency: Urgency) -> Readings:
        """Return orders as OMS has them now, and the customers behind hard-masked e-mails (NOTES 4.3)."""
        wanted = list(dict.fromkeys(ids))
        found = Readings(read_at=self._source.client.now())
        documents = await gather(*(self._source.oms.order(id, urgency) for id in wanted))  # noqa: A001
        for id, document in zip(wanted, documents, strict=True):  # noqa: A001
            if document is not None:
                found.orders.append((id, document))
            if document is None or document.get("status") is None:
                found.absent.append(id)
        found.buyers = await self._buyers([document for _, document in found.orders], urgency)
        return found

    async def _buyers(self, orders: list[dict[str, Any]], urgency: Urgency) -> list[Reading]:
        hidden = {profile for order in orders if (profile := hidden_buyer(order)) is not None}
        unknown = sorted(profile for profile in hidden if self._resolved.get(profile) is None)
        if not unknown:
            return []
        return await self._extra.ask(lambda: self._customers(unknown, urgency)) or []

    async def _customers(self, profiles: list[str], urgency: Urgency) -> list[Reading]:
        pages = await gather(*(
            self._source.master.search("CL", ("id",), f"userId={profile}", start=0, count=10, urgency=urgency)
            for profile in profiles
        ))  # fmt: skip
        return await self._people.read([row["id"] for page in pages for row in identified(page.rows)], urgency)

    def stage(self, readings: Readings, read_by: ReadBy) -> Build:
        """Return what adds the readings' events to a step."""
        staged = self._people.stage(readings.buyers, "order")

        def build(step: Step) -> None:
            for id, order in readings.orders:  # noqa: A001
                self._add(step, id, order, read_by, readings.read_at)
            staged(step)
            step.after.append(lambda: self._resolve(readings))

        return build

    def _add(self, step: Step, id: str, order: dict[str, Any], read_by: ReadBy, read_at: int) -> None:  # noqa: A002
        if is_protected(order):
            self._source.status.wrong(ACCOUNT, PROTECTED)
        try:
            data = read_order(order, self._source.store.currency, read_by)
        except ContractChanged as error:
            self._bury(step, id, error)
            return
        version, content = data["changed_at"], content_of(data)
        settled = read_at - (version_ms(version) or read_at) >= SETTLED_MS
        sighting = Sighting(version, content, read_at, strong=True, settled=settled)
        seen = self._source.orders.get(id)
        if seen is not None and seen.outdates(sighting):
            return
        if seen is None or seen.content != content:
            step.events.append(self._source.emitter.order(data, content, read_at))
        step.after.append(lambda: self._source.orders.note(id, sighting))

    def _bury(self, step: Step, id: str, error: ContractChanged) -> None:  # noqa: A002
        letter = f"poller/order/{id}"
        row = {
            "store": self._source.name, "letter": letter, "step": "poller", "reason": "unreadable order",
            "detail": str(error), "topic": None, "at": to_text(int(time.time() * 1000)),
        }  # fmt: skip
        step.rows.append((DEAD_LETTERS, DEAD_LETTERS.key(self._source.name, letter), encode(row)))
        log.error("an order cannot be read", store=self._source.name, order=id, reason=str(error))

    def _resolve(self, readings: Readings) -> None:
        for reading in readings.buyers:
            user = reading.document.get("userId") if reading.document is not None else None
            if isinstance(user, str):
                self._resolved.note(user, Sighting("", "", readings.read_at, strong=True, settled=True))
