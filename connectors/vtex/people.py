"""Reading customers: their documents and addresses, and what of it becomes events.

Content comes from `/documents/{id}`, which is strongly consistent (NOTES 2.3); from an index only in backfills. What
is staged passes one rule (`Sighting.outdates`), with every earlier step of the store committed: a reading that another
one has overtaken is left out, so the last event of a customer in `vtex.changes` is the latest reading.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.vtex.budget import Urgency
from connectors.vtex.conditions import one_of, plain_ids
from connectors.vtex.customer import (
    ADDRESS_FIELDS,
    customer_fields,
    customer_id,
    identified,
    latest_address,
    read_customer,
)
from connectors.vtex.documents import Documents, gather
from connectors.vtex.emission import content_of
from connectors.vtex.instants import version_ms, version_of
from connectors.vtex.journal import Build, Step, in_turn
from connectors.vtex.masterdata import Row
from connectors.vtex.opt_ins import OptIns
from connectors.vtex.patience import Extra
from connectors.vtex.seen import DELETED, Sighting
from connectors.vtex.source import Source
from connectors.vtex.texts import email_of
from schemas.clock import to_text
from schemas.vtex import ReadBy

CHUNK: Final = 100
"""Customers read for one transaction."""
OWNERS: Final = 25
IDS: Final = 50
"""Ids in one condition: its address stays under some 3 kB."""
SETTLED_MS: Final = 3000
"""Timestamps may be as coarse as a second, and VTEX's clock is known to a second: a document read sooner after its own
version may change again under the same version, and is read again."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A customer, read.

    Attributes:
        document: None where storage has none.
        read_at: when the reading began, VTEX's Unix milliseconds.
        strong: whether it was read from storage.
        opt_in: from the store's own entity, where it has one and it was read.
    """

    id: str
    document: Row | None
    address: Row | None
    read_at: int
    strong: bool
    opt_in: bool | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    id: str
    sighting: Sighting
    key: bytes
    value: bytes
    complete: bool


class People:
    """Reads the customers of one store."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._access = source.store.vtex
        self._fields = customer_fields(source.store.vtex)
        self._overlap_ms = int(source.settings.customers.overlap * 1000)
        self._extra = Extra("customers are read without addresses", store=source.name)
        self._documents = Documents(source, self._fields)
        self.opt_ins = OptIns(source.master, self._access)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of CL that are read."""
        return self._fields

    async def read(self, ids: Iterable[str], urgency: Urgency, *, spare: bool = False) -> list[Reading]:
        """Return customers as storage has them now, with the address that changed last.

        Args:
            ids: of the customers.
            urgency: of the calls.
            spare: whether those whom VTEX cannot answer may be left out, who are asked for again.
        """
        wanted, now = list(dict.fromkeys(map(str.lower, ids))), self._source.client.now()
        documents = await self._documents.read(wanted, urgency, spare=spare)
        there = [one for one, document in documents.items() if document is not None]
        addresses = await self.addresses(there, urgency)
        opt_ins = await self.opt_ins.of((row.get("email") for row in documents.values() if row is not None), urgency)
        return [
            Reading(one, row, addresses.get(one), now, strong=True, opt_in=_told(opt_ins, row))
            for one, row in documents.items()
        ]

    async def addresses(self, owners: Sequence[str], urgency: Urgency) -> dict[str, Row]:
        """Return the latest address of each owner who has one, as the index knows it (AD.userId = CL.id, NOTES 2.5)."""
        known = plain_ids(owners)
        parts = [known[at : at + OWNERS] for at in range(0, len(known), OWNERS)]
        found = await self._extra.ask(lambda: gather(*(self._addresses(part, urgency) for part in parts)))
        of: dict[str, list[Row]] = {}
        for row in (row for rows in found or () for row in rows):
            of.setdefault(str(row.get("userId", "")).lower(), []).append(row)
        return {owner: latest for owner, rows in of.items() if (latest := latest_address(rows)) is not None}

    async def _addresses(self, owners: list[str], urgency: Urgency) -> list[Row]:
        size = self._source.settings.customers.page
        return await self._source.master.all_rows(
            "AD", ADDRESS_FIELDS, one_of("userId", owners), size=size, urgency=urgency
        )

    def owners(self, rows: Iterable[Row]) -> list[str]:
        """Return the owners of addresses; VTEX has shown these, so it can be asked."""
        self._extra.answers()  # an owner told without the address that made us read them would never be told with it
        owners = (str(row.get("userId") or "").lower() for row in rows)
        return [owner for owner in dict.fromkeys(owners) if owner]

    async def indexed(self, ids: Sequence[str], urgency: Urgency) -> list[Reading]:
        """Return customers as the index has them, a hundred times cheaper; whom it does not have, from storage."""
        now = self._source.client.now()
        known = plain_ids(ids)
        parts = [known[at : at + IDS] for at in range(0, len(known), IDS)]
        pages = await gather(*(
            self._source.master.search(
                "CL", self._fields, one_of("id", part), start=0, count=2 * IDS, urgency=urgency
            )
            for part in parts
        ))  # fmt: skip
        rows = {customer_id(row): row for page in pages for row in sorted(identified(page.rows), key=version_of)}
        addresses = await self.addresses(list(rows), urgency)
        opt_ins = await self.opt_ins.of((row.get("email") for row in rows.values()), urgency)
        found = [
            Reading(one, row, addresses.get(one), now, strong=False, opt_in=_told(opt_ins, row))
            for one, row in rows.items()
        ]
        return found + await self.read([one for one in ids if one not in rows], urgency)

    def scrolled(self, rows: Iterable[Row]) -> list[Reading]:
        """Return the rows of a scroll's page as readings."""
        now = self._source.client.now()
        return [Reading(customer_id(row), row, None, now, strong=False) for row in rows]

    def stage(self, readings: Iterable[Reading], read_by: ReadBy) -> Build:
        """Return what adds the readings' events to a step; the work is done before, outside the journal's lock."""
        prepared = [self._prepare(reading, read_by) for reading in readings]

        def build(step: Step) -> None:
            for each in prepared:
                self._add(step, each)

        return build

    def _prepare(self, reading: Reading, read_by: ReadBy) -> _Prepared:
        if reading.document is None:
            # Whatever an index still says of it is older than this; who comes back is created later.
            gone = to_text(reading.read_at - SETTLED_MS)
            known = self._source.customers.get(reading.id)
            version = max(gone, known.version) if known is not None else gone
            sighting = Sighting(version, DELETED, reading.read_at, reading.strong, settled=True)
            key, value = self._source.emitter.deleted(reading.id, read_by, reading.read_at)
            return _Prepared(reading.id, sighting, key, value, complete=True)
        data = read_customer(reading.document, self._access, read_by, reading.address, reading.opt_in)
        version, content = data["source_version"], content_of(data)
        at = version_ms(version)
        quiet = SETTLED_MS if reading.strong else self._overlap_ms
        settled = at is not None and reading.read_at - at >= quiet
        key, value = self._source.emitter.customer(data, content, reading.read_at)
        sighting = Sighting(version, content, reading.read_at, reading.strong, settled)
        looked = reading.address is not None or reading.opt_in is not None
        return _Prepared(reading.id, sighting, key, value, complete=reading.strong or looked)

    def _add(self, step: Step, each: _Prepared) -> None:
        seen, sighting = self._source.customers.get(each.id), each.sighting
        if seen is not None:
            if seen.outdates(sighting) or (seen.version == sighting.version and not each.complete):
                return
            if seen.content == sighting.content:
                step.after.append(lambda: self._source.customers.note(each.id, sighting))
                return
        step.events.append((each.key, each.value))
        step.after.append(lambda: self._source.customers.note(each.id, sighting))

    async def emit(
        self, ids: Iterable[str], read_by: ReadBy, urgency: Urgency, last: Build | None = None, *,
        spare: bool = False,
    ) -> int:  # fmt: skip
        """Read customers and write their events, a chunk at a time; returns the number of events.

        Args:
            ids: of the customers.
            read_by: what made us read them.
            urgency: of the calls.
            spare: as of `read`.
            last: adds to the last step, such as the cursor that may move once everything before it is written.
        """
        wanted = list(dict.fromkeys(ids))
        written = 0
        for at in range(0, max(len(wanted), 1), CHUNK):
            readings = await self.read(wanted[at : at + CHUNK], urgency, spare=spare)
            if read_by == "address":
                # Who an address names need not be a customer: it may even be an e-mail, which no key may hold.
                readings = [reading for reading in readings if reading.document is not None]
            stage = self.stage(readings, read_by)
            final = last if at + CHUNK >= len(wanted) else None
            step = await self._source.journal.write(in_turn(stage, final))
            written += len(step.events)
        return written


def _told(opt_ins: dict[str, bool], document: Row | None) -> bool | None:
    email = None if document is None else email_of(document.get("email"))
    return None if email is None else opt_ins.get(email)
