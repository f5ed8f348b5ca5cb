"""The attribution agent: every order gets its one explanation, and gets it again when something is learned of it.

In: orders and customers as VTEX has them, tracking events, messages' reports and requests. Kept: the facts of
`streams/journeys/tables.py` (how long: there). Out: `attributions`, one row an order, written only when it changes.

A record is first joined into the facts (`journeys/learning.py`), which names the orders it may concern; at the end of
the batch each of these is judged once (`journeys/judging.py`), whatever the number of records that named it. So the
result is a function of the set of facts (docs/kpis.md). Nearly all tracking events are no news to any order, and are
marked as such (`journeys/news.py`).
"""

from collections import defaultdict

from schemas import topics
from streams.engine.agent import Agent, Batch, Record, Shard
from streams.journeys import learning
from streams.journeys.facts import Facts
from streams.journeys.judging import concerned_by, judge
from streams.journeys.messages import without_recipient
from streams.journeys.reading import UNREADABLE, Books, events_of, read_row, reports_of
from streams.journeys.tables import FACTS
from streams.models import name_of
from streams.stores import Stores
from streams.suppressions import SUPPRESSED, Suppressed


class AttributionAgent(Agent):
    """Explains orders."""

    name = "attribution"
    inputs = (
        topics.VTEX_ORDERS, topics.VTEX_CUSTOMERS, topics.TRACKING_EVENTS, topics.MESSAGE_REPORTS,
        topics.MESSAGE_REQUESTS,
    )  # fmt: skip
    tables = (*FACTS, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Join the records of a batch, then judge the orders they concern."""
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
            case _:
                work.orders()
        work.judge()


class _Work:
    """One batch: the facts of the stores it concerns, and the orders to judge."""

    def __init__(self, batch: Batch, shard: Shard, stores: Stores) -> None:
        self._batch = batch
        self._shard = shard
        self._books = Books(shard, stores)
        self._suppressed = Suppressed(shard)
        self._concerned: defaultdict[str, set[str]] = defaultdict(set)

    def events(self) -> None:
        """Join tracking events."""
        for record, told in events_of(self._batch):
            self._concern(record, learning.learn_event(self._books.of(record.store), told))

    def reports(self) -> None:
        """Join reports; one that was joined before is a duplicate."""
        for record, (message, told) in reports_of(self._batch):
            forgotten = self._suppressed.has(record.store, told.facts.get("recipient"))
            report = without_recipient(told) if forgotten else told
            concerned = learning.learn_report(self._books.of(record.store), message, report)
            if concerned is None:
                self._batch.duplicate(record, report.id)
            else:
                self._concern(record, concerned)

    def requests(self) -> None:
        """Join what requests tell of messages; the messages agent accounts for them."""
        for record in self._batch:
            self._batch.passed(record)
            try:
                row = read_row(record) if record.value else {}
            except UNREADABLE:
                continue
            facts = self._books.of(record.store)
            if self._suppressed.concerns(record.store) and self._suppressed.has(
                record.store, learning.recipient_of(facts, row)
            ):
                continue
            self._concern(record, learning.learn_request(facts, name_of(record), row))

    def customers(self) -> None:
        """Join customers; a version that is not higher than a known one is a duplicate."""
        for record in self._batch:
            self._learn_row(record, learning.learn_customer)

    def orders(self) -> None:
        """Join orders; likewise."""
        for record in self._batch:
            self._learn_row(record, learning.learn_order)

    def _learn_row(self, record: Record, learn: learning.Learn) -> None:
        facts, name = self._books.of(record.store), name_of(record)
        try:
            row = None if record.value is None else read_row(record)
            concerned = learn(facts, name, row)
        except UNREADABLE as error:
            self._batch.dead(record, f"unreadable: {type(error).__name__}")
            return
        if concerned is None:
            self._batch.duplicate(record, f"{name} of version {row and row['version']} or later")
        else:
            self._concern(record, concerned)

    def _concern(self, record: Record, orders: set[str]) -> None:
        if orders:
            self._concerned[record.store] |= orders

    def judge(self) -> None:
        """Judge each order that was concerned, and those that replace it, and publish what has changed."""
        for store, concerned in self._concerned.items():
            facts, waiting, judged = self._books.of(store), set(concerned), set[str]()
            while waiting:
                order = waiting.pop()
                judged.add(order)
                self._publish(facts, order)
                waiting |= concerned_by(facts, order) - judged

    def _publish(self, facts: Facts, order: str) -> None:
        changed, value = judge(facts, order)
        if changed:
            self._shard.send(topics.ATTRIBUTIONS, topics.ATTRIBUTIONS.key(facts.store, order), value)
