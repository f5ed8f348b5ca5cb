"""The kpis agent: what each campaign sent, was answered with, brought and cost, by day and in all.

In: messages' reports and requests, tracking events, customers, campaigns as imported, and the attributions of orders.
Kept: the facts that the attribution agent joins before it in the same transaction (`streams/journeys/tables.py`), how
each fact was counted, and the cells (`streams/figures/tables.py`). Out: `kpi.campaigns`, a row for each cell that
changed, once a batch.

A batch names the landings, messages and orders whose part of the cells may have changed. Each is looked at as it is
now; its old part is taken out of the cells and its new one put in (docs/kpis.md). A landing whose message is known
counts through that message.
"""

from collections import defaultdict
from typing import Any

from schemas import topics
from schemas.money import exponent, is_currency
from streams.engine.agent import Agent, Batch, NotYet, Poison, Record, Shard
from streams.figures.costs import Tariff
from streams.figures.ledger import Ledger
from streams.figures.recount import Recount
from streams.figures.tables import CAMPAIGNS, FIGURES, STORES
from streams.journeys.limits import digest
from streams.journeys.reading import Books, events_of, read_row, readable, reports_of
from streams.journeys.tables import FACTS
from streams.models import name_of
from streams.stores import KnownStore, Stores


class KpisAgent(Agent):
    """Keeps the campaigns' figures."""

    name = "kpis"
    inputs = (
        topics.ATTRIBUTIONS, topics.MESSAGE_REPORTS, topics.MESSAGE_REQUESTS, topics.TRACKING_EVENTS,
        topics.VTEX_CUSTOMERS, topics.CAMPAIGNS,
    )  # fmt: skip
    tables = (*FACTS, *FIGURES)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Count anew what the records of a batch may have changed."""
        work = _Work(batch, shard, self._stores)
        match batch.topic.name:
            case topics.TRACKING_EVENTS.name:
                work.events()
            case topics.MESSAGE_REPORTS.name:
                work.reports()
            case topics.MESSAGE_REQUESTS.name:
                work.requests()
            case topics.VTEX_CUSTOMERS.name:
                work.customers()
            case topics.CAMPAIGNS.name:
                work.campaigns()
            case _:
                work.attributions()
        work.count()

    def tick(self, now: int, shard: Shard) -> None:  # noqa: ARG002  the shard has the time
        """Reckon costs anew where a store's prices or rates have changed."""
        reckoned = shard.table(STORES)
        for store, used in list(reckoned.items()):
            try:
                known = self._stores.of(store)
            except NotYet:  # disconnected: its figures stand
                continue
            if _tariff_mark(known) != used and is_currency(known.connection.currency):
                _reckon_anew(shard, known)
                reckoned[store] = _tariff_mark(known)


class _Work:
    """One batch: what it may have changed, by store."""

    def __init__(self, batch: Batch, shard: Shard, stores: Stores) -> None:
        self._batch = batch
        self._shard = shard
        self._books = Books(shard, stores)
        self._recounts: dict[str, Recount] = {}

    def events(self) -> None:
        """Note the sessions that told something, and the landings."""
        noted: defaultdict[str, set[str]] = defaultdict(set)
        for record, told in events_of(self._batch):
            if told.session is None:
                continue
            noted[record.store].add(told.session)  # also an order or a cart: one too many makes it a machine
            if told.landing:
                self._recount(record).note_landing(told.session, told.landing.campaign)
        for store, sessions in noted.items():
            recount = self._of(store)
            for session in sorted(sessions):
                recount.note_session(session)

    def reports(self) -> None:
        """Note the messages; a report that was noted before is a duplicate."""
        for record, (message, report) in reports_of(self._batch):
            if not self._recount(record).note_report(message, report):
                self._batch.duplicate(record, report.id)

    def requests(self) -> None:
        """Note the messages, whose campaign a request may tell; the messages agent accounts for requests."""
        for record in self._batch:
            self._batch.passed(record)
            self._recount(record).note_message(name_of(record))

    def customers(self) -> None:
        """Note the customers whose hashes have changed."""
        for record in self._batch:
            self._recount(record).note_customer(name_of(record))

    def campaigns(self) -> None:
        """Take over what was imported."""
        for record, row in readable(self._batch, _read_campaign):
            self._recount(record).ledger.set_row(name_of(record), row)

    def attributions(self) -> None:
        """Count orders as they are explained now."""
        for record, row in readable(self._batch, _read_attribution):
            self._recount(record).count_order(name_of(record), row)

    def _recount(self, record: Record) -> Recount:
        return self._of(record.store)

    def _of(self, store: str) -> Recount:
        recount = self._recounts.get(store)
        if recount is None:
            facts = self._books.of(store)
            if not is_currency(facts.known.connection.currency):
                raise Poison("the store's currency is none that we know: connect it again with another one")
            recount = self._recounts[store] = Recount(self._shard, facts)
            reckoned = self._shard.table(STORES)
            if store not in reckoned:
                reckoned[store] = _tariff_mark(facts.known)
        return recount

    def count(self) -> None:
        """Count, and write the cells."""
        for recount in self._recounts.values():
            recount.count()


_OPTIONAL = ("channel", "recipients", "deliveries", "cost_micros", "currency")


def _read_campaign(record: Record) -> dict[str, Any] | None:
    if record.value is None:
        return None
    row = read_row(record)
    if row.get("currency") is not None:
        exponent(row["currency"])
    return {"day": row["day"], **{name: row.get(name) for name in _OPTIONAL}}


def _read_attribution(record: Record) -> dict[str, Any] | None:
    return None if record.value is None else read_row(record)


def _tariff_mark(known: KnownStore) -> str:
    return digest(repr(Tariff.of(known.connection)))


def _reckon_anew(shard: Shard, known: KnownStore) -> None:
    store = known.connection.store
    ledger = Ledger(shard, store, Tariff.of(known.connection))
    for place, _ in list(shard.table(CAMPAIGNS).items(f"{store}/")):
        ledger.reckon_anew(place.partition("/")[2])
    ledger.write()
