"""The erasure agent: forgets people, each in one transaction of their shard (DESIGN section 11, docs/privacy.md).

    privacy.requests ─▶ privacy ─▶ privacy.suppressions, tombstones, rows without them

In: who has to be forgotten, and where `hellotext-vtex forget` has found them. Out, together or not at all: their hashes
on the suppression list; tombstones for every record of a compacted topic that carries them (the tombstone in
`vtex.customers` has the profiles agent erase them at the destinations); every table's rows without them; their orders
without a buyer, the explanation settled; their calls taken back. The request itself goes last.

Whatever is told of them later, each agent leaves out (streams/suppressions.py). A request may be done twice.
"""

from typing import Final

import orjson
import structlog

from schemas import topics
from schemas.clock import to_text
from schemas.privacy import ErasureRequest, Suppression
from schemas.topics import BY_NAME, PRIVACY_REQUESTS, PRIVACY_SUPPRESSIONS, VTEX_CUSTOMERS
from streams import attribution, customers, forward, kpis, messages, orders, profiles
from streams.engine.agent import Agent, Batch, Poison, Shard, Table
from streams.engine.outbox import OUTBOX
from streams.figures.tables import VISITORS
from streams.journeys import settling
from streams.journeys.evidence import gather
from streams.journeys.facts import Facts
from streams.journeys.judging import explanation_of, judge
from streams.journeys.orders import facts_of
from streams.models import read_model
from streams.orders import publish
from streams.privacy_rules.calls import take_back
from streams.privacy_rules.person import Person
from streams.privacy_rules.tables import RULES, renamed_visitor
from streams.stores import KnownStore, Stores
from streams.suppressions import SUPPRESSED, Suppressed

log = structlog.get_logger(__name__)

_AGENTS: Final = (
    customers.CustomersAgent, orders.OrdersAgent, profiles.ProfilesAgent, attribution.AttributionAgent,
    kpis.KpisAgent, forward.ForwardAgent, messages.MessagesAgent,
)  # fmt: skip
_TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (OUTBOX, SUPPRESSED, *(one for agent in _AGENTS for one in agent.tables))
}


class ErasureAgent(Agent):
    """Forgets people, and lifts that again.

    Args:
        stores: the connected stores.
    """

    name = "privacy"
    inputs = (PRIVACY_REQUESTS,)
    tables = tuple(_TABLES.values())

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Do what is asked, and remove the request."""
        for record in batch:
            if record.value is None:
                batch.filtered(record, "", "tombstone")
                continue
            request = read_model(ErasureRequest, record)
            if request.action == "lift":
                _lift(shard, request)
            else:
                _Erasure(shard, self._stores.of(request.store), request).run()
            shard.send(PRIVACY_REQUESTS, record.key, None)
            log.info("privacy request done", store=request.store, request=request.request, action=request.action)


def _lift(shard: Shard, request: ErasureRequest) -> None:
    """Take people off the list, by any of their identifiers."""
    suppressed, store = Suppressed(shard), request.store
    for value in suppressed.together_with(store, request.hashes):
        suppressed.drop(store, value)
        shard.send(PRIVACY_SUPPRESSIONS, PRIVACY_SUPPRESSIONS.key(store, value), None)


class _Erasure:
    """One request in one transaction."""

    def __init__(self, shard: Shard, known: KnownStore, request: ErasureRequest) -> None:
        self._shard = shard
        self._store = request.store
        self._request = request
        self._person = Person(request)
        self._facts = Facts(shard, known)

    def run(self) -> None:
        """Do all of it; orders first, while what explains them is there."""
        self._suppress()
        for order in self._request.orders:
            self._settle(order)
        for key in self._request.rows.get(OUTBOX.name, ()):
            take_back(self._shard, self._own(key))
        for table, keys in self._request.rows.items():
            for key in keys:
                self._erase(table, self._own(key))
        for order in self._request.orders:
            self._publish(order)
        self._bury()

    def _suppress(self) -> None:
        suppressed, since = Suppressed(self._shard), to_text(self._shard.now)
        for value, kind in self._request.hashes.items():
            row = {"store": self._store, "hash": value, "kind": kind, "request": self._request.request, "since": since}
            if suppressed.put(Suppression.model_validate(row)):
                key = PRIVACY_SUPPRESSIONS.key(self._store, value)
                self._shard.send(PRIVACY_SUPPRESSIONS, key, orjson.dumps(row))

    def _settle(self, order: str) -> None:
        facts = self._facts
        row = facts.row(facts.orders, order)
        known = facts_of(row)
        if known is not None and "fixed" not in row:
            found = explanation_of(facts, order, known, gather(facts, order, row, known))
            facts.put(facts.orders, settling.settle(row, found), order)

    def _erase(self, name: str, key: str) -> None:
        """Write one row as it stays without the person."""
        if name == VISITORS.name:
            self._rename_visitor(key)
            return
        rule = RULES.get(name)
        if rule is None:
            return
        view = self._shard.table(_TABLES[name])
        row = view.get(key)
        if row is None:
            return
        left = rule(key.partition("/")[2], row, self._person)
        if left == row:
            return
        if name == orders.ORDERS.name:
            left = {**left, "version": left["version"] + 1}
            publish(self._shard, self._store, key.partition("/")[2], left)
        view[key] = left

    def _rename_visitor(self, key: str) -> None:
        view = self._shard.table(VISITORS)
        count = view.get(key)
        new = f"{self._store}/{renamed_visitor(key.partition('/')[2], self._person)}"
        if count is not None and new != key:
            view[new], view[key] = view.get(new, 0) + count, None

    def _publish(self, order: str) -> None:
        changed, value = judge(self._facts, order)
        if changed:
            self._shard.send(topics.ATTRIBUTIONS, topics.ATTRIBUTIONS.key(self._store, order), value)

    def _bury(self) -> None:
        wanted: dict[str, dict[bytes, None]] = {
            name: {self._own(key).encode(): None for key in keys} for name, keys in self._request.records.items()
        }
        known = wanted.setdefault(VTEX_CUSTOMERS.name, {})
        known |= {VTEX_CUSTOMERS.key(self._store, one): None for one in self._request.customers}
        for name, keys in wanted.items():
            topic = BY_NAME.get(name)
            if topic is None or "compact" not in topic.cleanup:
                raise Poison(f"{name} has no tombstones")
            for key in keys:
                self._shard.send(topic, key, None)

    def _own(self, key: str) -> str:
        """Return a key of this store.

        Raises:
            Poison: it is another's, which a request of this store must not touch.
        """
        if not key.startswith(f"{self._store}/"):
            raise Poison("the request names a row or record of another store")
        return key
