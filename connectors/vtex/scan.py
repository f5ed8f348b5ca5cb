"""Anti-entropy: all ids of the shop beside all that are known, to find what was missed and what was deleted.

Deletes leave no trace in reads (contracts/vtex NOTES 2.7), and a document may be missed by every window (NOTES 2.3). A
scan costs a call for each thousand customers, at the lowest urgency, and one for each difference. A customer counts as
deleted only when `/documents/{id}` answers 404.
"""

from collections.abc import Sequence

import structlog

from connectors.kafka.connection import KafkaConnection
from connectors.vtex.backfill import Backfill, Handler
from connectors.vtex.budget import Urgency
from connectors.vtex.customer import ID_FIELDS, customer_id
from connectors.vtex.errors import Unreliable
from connectors.vtex.instants import version_of
from connectors.vtex.inventory import Inventory, load
from connectors.vtex.journal import Build
from connectors.vtex.masterdata import Row
from connectors.vtex.people import CHUNK, People
from connectors.vtex.source import Source

log = structlog.get_logger(__name__)

RESOURCE = "customers.scan"


class Scan:
    """Compares a store's customers with the shop's.

    Args:
        source: the store.
        people: reads and writes customers.
        connection: to the broker, for what is known.
        partitions: N, of every topic.
    """

    def __init__(self, source: Source, people: People, connection: KafkaConnection, partitions: int) -> None:
        self._source = source
        self._people = people
        self._connection = connection
        self._partitions = partitions

    def due_in(self) -> float:
        """Return seconds until the next scan; the first is due some time after the backfill."""
        settings, position = self._source.settings.customers, self._source.position(RESOURCE)
        last = position.get("at")
        if last is None:
            began = self._source.position("customers.backfill").get("ended", self._source.client.now())
            return max(0.0, int(began) / 1000 + settings.scan_first - self._source.client.now() / 1000)
        return max(0.0, int(last) / 1000 + settings.scan_every - self._source.client.now() / 1000)

    async def run(self) -> int:
        """Scan once; returns the number of events written.

        Raises:
            Unreliable: the shop shows no customer at all, though some are known.
        """
        before = self._source.journal.events
        began = self._source.client.now()
        with Inventory() as inventory:
            await load(inventory, self._connection, self._source.name, self._partitions, self._source.turns)
            known = inventory.size
            # What a scan had compared before it was stopped is not known any more: it begins anew.
            at = self._source.position(RESOURCE).get("at")
            self._source.positions[RESOURCE] = {} if at is None else {"at": at}
            reading = Backfill(
                self._source, "CL", ID_FIELDS, self._comparing(inventory), RESOURCE, urgency=Urgency.SCAN
            )
            await reading.run()
            scanned = int(self._source.position(RESOURCE).get("done", 0))
            if not scanned and known:
                raise Unreliable(f"account {self._source.client.account} shows no customers, though {known} are known")
            missing = await self._missing(inventory)
        written = self._source.journal.events - before
        position = {**self._source.position(RESOURCE), "at": began, "known": known, "missing": missing}
        await self._source.move(RESOURCE, position)
        log.info(
            "customers were scanned", store=self._source.name, scanned=scanned, known=known, missing=missing,
            events=written,
        )  # fmt: skip
        return written

    def _comparing(self, inventory: Inventory) -> Handler:
        async def handle(rows: list[Row]) -> Build:
            found = await self._source.turns.each(rows, compared)
            news = [one for part in found for one in part]
            readings = []
            for at in range(0, len(news), CHUNK):
                readings += await self._people.read(news[at : at + CHUNK], Urgency.SCAN, spare=True)
            return self._people.stage(readings, "scan")

        def compared(rows: Sequence[Row]) -> list[str]:
            return inventory.compare((customer_id(row), version_of(row)) for row in rows)

        return handle

    async def _missing(self, inventory: Inventory) -> int:
        missing = 0
        for ids in inventory.unseen():
            missing += len(ids)
            await self._people.emit(ids, "scan", Urgency.SCAN, spare=True)
        return missing
