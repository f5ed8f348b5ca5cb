"""`audit`: proves from the topics that every accepted record has one fate (DESIGN section 3.2), while workers run.

1. The group's committed offsets are taken first: what is committed later is in flight.
2. Then the ends of `event.fates`, high watermarks and not last stable offsets: a transaction that was open at 1 and
   committed since stands before them, and reading waits until it is decided. So all fates below 1 are seen.
3. Then the ends of the topics: nothing that was committed at 1 lies behind them.
4. Each partition's fates are read in order, and beside them, up to the same offsets, the records that they speak of:
   memory holds one batch of each topic, however long the topics are.
5. What became older than the oldest fates that are kept is not judged. A topic whose beginning moved meanwhile, as
   retention does it, makes the whole be done again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog

from connectors.kafka.audit_reading import Auditor, Cursor, open_snapshot
from connectors.kafka.audit_rules import Account, Balance, Summary, store_in
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.dead_letters import count_letters
from connectors.kafka.errors import BrokerUnreachable
from schemas import topics

log = structlog.get_logger(__name__)

ACCOUNTABLE: Final = {
    topics.PIXEL_EVENTS.name: frozenset({"tracking"}),
    topics.PIXEL_IDENTITIES.name: frozenset({"profiles"}),
    topics.VTEX_CHANGES.name: frozenset({"customers", "orders"}),
    topics.MESSAGE_REPORTS.name: frozenset({"kpis"}),
    topics.MESSAGE_REQUESTS.name: frozenset({"messages"}),
}
"""Topics that take in what the outside world says, and the agents who together account for each record once."""
TRIES: Final = 3


@dataclass(slots=True)
class AuditReport:
    """What became of everything.

    Attributes:
        stores: store to topic to balance, of the topics that take in what the outside world says.
        agents: agent to topic to balance over all stores, of the topics between agents.
        letters: store to number of dead letters that wait.
        spool_bytes: accepted by the collector and not yet in Kafka; None when nobody told.
    """

    stores: dict[str, dict[str, Balance]] = field(default_factory=dict)
    agents: dict[str, dict[str, Balance]] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)
    spool_bytes: int | None = None

    @property
    def balanced(self) -> bool:
        """Whether nothing was lost or doubled anywhere."""
        parts = [*self.stores.values(), *self.agents.values()]
        return all(balance.balanced for part in parts for balance in part.values())

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "balanced": self.balanced,
            "stores": {store: self._store(store) for store in sorted(self.stores)},
            "agents": {
                agent: {topic: balance.as_json() for topic, balance in sorted(read.items())}
                for agent, read in sorted(self.agents.items())
            },
            "letters": dict(sorted(self.letters.items())),
            "spool_bytes": self.spool_bytes,
        }

    def _store(self, store: str) -> dict[str, Any]:
        total = Balance()
        for balance in self.stores[store].values():
            total.add(balance)
        read = sorted(self.stores[store].items())
        return {**total.as_json(), "topics": {topic: balance.as_json() for topic, balance in read}}

    def add(self, store: str, topic: str, reader: str | None, balance: Balance) -> None:
        """Add the balance of one store in one partition; `reader` is None where the accountable agents are meant."""
        rows = self.stores.setdefault(store, {}) if reader is None else self.agents.setdefault(reader, {})
        rows.setdefault(topic, Balance()).add(balance)


async def audit(
    connection: KafkaConnection, *, partitions: Iterable[int] | None = None, spool_bytes: int | None = None
) -> AuditReport:
    """Return what became of every accepted record, as of now; workers may go on meanwhile.

    Args:
        connection: to the broker.
        partitions: shards to look at; all by default.
        spool_bytes: of the collector's spool, where the caller can see it; only passed on.

    Raises:
        TopicMissing: the topics were not provisioned.
        BrokerUnreachable: no broker answered, reading does not get on, or the topics' beginnings keep moving.
    """
    wanted = None if partitions is None else frozenset(partitions)
    for _ in range(TRIES):
        async with open_snapshot(connection, wanted) as auditor:
            report = AuditReport(spool_bytes=spool_bytes)
            for number in auditor.partitions:
                await _Shard(auditor, number, report).run()
            if not await auditor.beginnings_moved():
                report.letters = await count_letters(connection, partitions=wanted)
                return report
        log.info("audit: retention removed records meanwhile, reading again")
    raise BrokerUnreachable(
        f"the beginnings of the topics at {connection.bootstrap_servers} moved during each of {TRIES} audits: "
        "retention removes faster than they can be read; run it again, or lengthen retention.ms"
    )


class _Shard:
    """One partition number: its fates, and the topics that they speak of."""

    def __init__(self, auditor: Auditor, number: int, report: AuditReport) -> None:
        self._auditor = auditor
        self._number = number
        self._report = report
        self._books: dict[str, _Book] = {}

    async def run(self) -> None:
        for topic in ACCOUNTABLE:
            (await self._book(topic)).add_reader(None)
        fates = await self._auditor.fates(self._number)
        async for record in fates.rest():
            summary = Summary.of(record.key, orjson.loads(record.value))
            if summary.topic in topics.BY_NAME and self._auditor.exists(summary.topic):
                await self._take(summary)
        for topic, book in self._books.items():
            await book.read_to(self._auditor.snapshot.end(topic, self._number))
            book.close(topic, self._report)
        self._auditor.leave(self._number)

    async def _take(self, summary: Summary) -> None:
        agents = ACCOUNTABLE.get(summary.topic)
        if agents is not None and summary.agent not in agents:
            return  # it reads along, and accounts for nothing
        reader = None if agents is not None else summary.agent
        book = await self._book(summary.topic)
        book.add_reader(reader)
        await book.read_to(summary.last + 1)
        book.summary(reader, summary)

    async def _book(self, topic: str) -> "_Book":
        book = self._books.get(topic)
        if book is None:
            book = self._books[topic] = await _Book.open(self._auditor, topic, self._number)
        return book


class _Book:
    """One topic in one partition: its records, read as far as the fates have come, and the accounts of its readers."""

    def __init__(self, records: Cursor, account: Account) -> None:
        self._records = records
        self._fresh = account
        self._accounts: dict[str | None, Account] = {}

    @classmethod
    async def open(cls, auditor: Auditor, topic: str, number: int) -> "_Book":
        records, committed = await auditor.records(topic, number), auditor.snapshot.committed(topic, number)
        return cls(records, Account(records.start, committed, compacted="compact" in topics.BY_NAME[topic].cleanup))

    def add_reader(self, reader: str | None) -> None:
        if reader not in self._accounts:
            # Records that a reader found unsettled are a newcomer's as well: both write their fates in one turn.
            known = next(iter(self._accounts.values()), self._fresh)
            self._accounts[reader] = known.beside()

    async def read_to(self, offset: int) -> None:
        async for record in self._records.before(offset):
            store = store_in(record.key)
            for account in self._accounts.values():
                account.of(store).record(record.offset)

    def summary(self, reader: str | None, summary: Summary) -> None:
        self._accounts[reader].of(summary.store).summary(summary)

    def close(self, topic: str, report: AuditReport) -> None:
        for reader, account in self._accounts.items():
            for store, balance in account.close().items():
                report.add(store, topic, reader, balance)
