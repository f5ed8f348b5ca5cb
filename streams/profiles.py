"""Customers become profiles at Hellotext and persons at Infobip: each once, and always the newest state last.

    vtex.customers ─────▶ profiles ─▶ profiles (where each customer stands at each destination)
    pixel.identities ───▶     ┆
                              ┆ outbox ▶ Hellotext, Infobip; outcomes come back

In: a customer's new state, or its deletion, or a tombstone, by which it is forgotten; what sessions told of who they
are; outcomes of calls. Kept: each customer's last state, what was sent of it, and what is under way. Out: ProfileState.
The rules stand in `profile_rules/`: `destination.py` (when to call), `mapping.py` (what is sent), `sharing.py` (merged
customers), `stores.py` (budget, closed destinations, sweeps) and `sessions.py` (sessions).
"""

from collections.abc import Iterable
from typing import Final

from schemas.fates import EffectOutcome
from schemas.pixel import HASHES, Identification
from schemas.topics import PIXEL_IDENTITIES, VTEX_CUSTOMERS
from schemas.vtex import Customer
from streams.engine.agent import Agent, Batch, NotYet, Record, Shard
from streams.models import name_of, read_model
from streams.profile_rules.book import CUSTOMERS, Book, Entry
from streams.profile_rules.mapping import destinations, fingerprint
from streams.profile_rules.sessions import KIND, PEOPLE, SESSIONS, TOLD, Sessions, hashes_of
from streams.profile_rules.sharing import SHARING
from streams.profile_rules.stores import BUCKET, GATE_RETRY_MS, ROSTER, STORES, StoreBook, StoreState
from streams.profile_rules.syncing import Syncing, access_mark
from streams.stores import KnownStore, Stores
from streams.suppressions import FORGOTTEN, SUPPRESSED, Suppressed
from streams.vtex_rules.versions import ticks

BUCKETS_A_TICK: Final = 5
_TOLD: Final = {"session", *HASHES}


class ProfilesAgent(Agent):
    """Keeps destinations in step with VTEX's customers.

    Args:
        stores: the connected stores.
    """

    name = "profiles"
    inputs = (VTEX_CUSTOMERS, PIXEL_IDENTITIES)
    tables = (CUSTOMERS, SHARING, STORES, ROSTER, SESSIONS, TOLD, PEOPLE, SUPPRESSED)

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def process(self, batch: Batch, shard: Shard) -> None:
        """Take in customers, or what sessions told."""
        step = _Step(self._stores, shard)
        if batch.topic == PIXEL_IDENTITIES:
            step.identities(batch)
        else:
            step.customers(batch)
        step.flush()

    def outcome(self, outcome: EffectOutcome, shard: Shard) -> None:
        """Hear what a call ended with, and make the next."""
        step = _Step(self._stores, shard)
        if outcome.kind == KIND:
            step.sessions.outcome(outcome)
        else:
            step.outcome(outcome)
        step.flush()

    def tick(self, now: int, shard: Shard) -> None:
        """Try closed destinations again, notice changed connections, and go on with sweeps."""
        step = _Step(self._stores, shard)
        for store in step.stores.names():
            known = self.known(store)
            if known is not None:
                step.look_after(known, step.stores.get(store), now)
        step.flush()

    def known(self, store: str) -> KnownStore | None:
        """Return a store, or None when it is not connected any more."""
        try:
            return self._stores.of(store)
        except NotYet:
            return None


class _Step:
    """One step of a turn, with what it has read."""

    def __init__(self, connected: Stores, shard: Shard) -> None:
        self._connected = connected
        self._shard = shard
        self._suppressed = Suppressed(shard)
        self.book = Book(shard)
        self.stores = StoreBook(shard)
        self.sessions = Sessions(shard, self.book)
        self.syncing = Syncing(shard, self.book, self.stores, self._settled, self.sessions.known_by)

    def flush(self) -> None:
        """Write and publish what has changed."""
        self.book.flush()
        self.stores.flush()

    def customers(self, batch: Batch) -> None:
        """Take in new states first, then call once for each customer, whatever the batch told of it."""
        touched: dict[tuple[str, str], Entry] = {}
        for record in batch:
            known = self._connected.of(record.store)
            entry = self._forgotten(record) if record.value is None else self._changed(known, batch, record)
            if entry is not None:
                touched[entry.store, entry.customer] = entry
        for entry in list(touched.values()):
            self._hand_over(entry)
        for entry in touched.values():
            self.syncing.everywhere(self._connected.of(entry.store), entry)

    def identities(self, batch: Batch) -> None:
        """Link sessions to profiles."""
        for record in batch:
            known = self._connected.of(record.store)
            if record.value is None:
                self.sessions.forget(record.store, name_of(record))
                continue
            said = read_model(Identification, record)
            if self._suppressed.told(known, said.model_dump(include=_TOLD)):
                batch.filtered(record, said.event_id, FORGOTTEN)
                self._shard.send(PIXEL_IDENTITIES, record.key, None)
            elif not self.sessions.told(known, said):
                batch.duplicate(record, said.event_id)

    def outcome(self, outcome: EffectOutcome) -> None:
        """Go on with the customer whom a call was about."""
        _, destination, rest = outcome.effect.split("/", 2)
        entry = self.book.get(outcome.store, rest.rpartition("/")[0])
        if entry is None:
            return
        try:
            known: KnownStore | None = self._connected.of(outcome.store)
        except NotYet:
            known = None
        self.syncing.outcome(known, entry, destination, outcome)
        if known is not None:
            self._sweep(known, self.stores.get(outcome.store), most=1)

    def look_after(self, known: KnownStore, state: StoreState, now: int) -> None:
        """Do what is due for a store."""
        options = _options(known)
        if state.options != options:
            state.options = options
            for destination in destinations(known.connection):
                state.want_sweep(destination)
        if known.connection.paused:
            return
        for destination, gate in list(state.gates.items()):
            if destination not in destinations(known.connection):
                state.open(destination)
            elif now >= gate.retry_at or gate.access != access_mark(known, destination):
                self._try(known, state, destination)
        self._sweep(known, state, BUCKETS_A_TICK)

    def _try(self, known: KnownStore, state: StoreState, destination: str) -> None:
        """Have one customer try a closed destination; when there is nothing to try with, open it."""
        gate = state.gates[destination]
        gate.retry_at = self._shard.now + GATE_RETRY_MS
        gate.access = access_mark(known, destination)
        entry = self.book.get(known.connection.store, gate.customer)
        if entry is not None and entry.sync(destination).sending is not None:
            return
        if entry is None or not self.syncing.advance(known, entry, destination, forced=True):
            state.open(destination)

    def _sweep(self, known: KnownStore, state: StoreState, most: int) -> None:
        """Look at the customers of the next buckets, as far as there is room for their calls."""
        store = known.connection.store
        for destination in list(state.sweeps) * most:
            sweep = state.sweeps.get(destination)
            if sweep is None or state.room(destination) < BUCKET or known.connection.paused:
                continue
            for customer in self.stores.members(store, sweep.bucket):
                entry = self.book.get(store, customer)
                if entry is not None and destination in destinations(known.connection):
                    self.syncing.advance(known, entry, destination)
            state.swept(destination)

    def _changed(self, known: KnownStore, batch: Batch, record: Record) -> Entry | None:
        """Take in a customer's state; None when it is not news."""
        customer = read_model(Customer, record)
        entry = self.book.get(customer.store, customer.customer)
        if entry is None:
            entry = self.book.add(customer.store, customer.customer)
        elif customer.version < entry.version or (customer.version == entry.version and not _redriven(entry)):
            batch.duplicate(record, f"{customer.customer}@{customer.version}")
            return None
        if entry.bucket < 0:
            entry.bucket = self.stores.enroll(customer.store, customer.customer)
        old = hashes_of(known, entry.content)
        entry.content, entry.version, entry.deleted, entry.gone = customer, customer.version, customer.deleted, False
        entry.at = _changed_at(customer)
        new = set() if customer.deleted else hashes_of(known, customer)
        self.sessions.know(entry, old, new)
        for destination in entry.syncs:
            entry.gave[destination] = sorted({*entry.gave.get(destination, []), *old} - new)
        return entry

    def _hand_over(self, entry: Entry) -> None:
        """Give the profiles of a buyer whom only orders knew to the customer that they turned out to be.

        That one's row may come later: until then its entry holds nothing but the profiles.
        """
        heir = entry.content.replaced_by if entry.content else None
        if heir is None or not any(sync.id for sync in entry.syncs.values()):
            return
        other = self.book.get(entry.store, heir)
        if other is None:
            other = self.book.add(entry.store, heir)
            other.deleted = True
        for destination, sync in entry.syncs.items():
            theirs = other.sync(destination)
            if sync.id is not None and theirs.id is None and theirs.sending is None and theirs.first is None:
                other.syncs[destination] = theirs.inheriting(sync)

    def _forgotten(self, record: Record) -> Entry | None:
        """Forget a customer: nothing of it is kept but what its erasure at the destinations needs."""
        entry = self.book.get(record.store, name_of(record))
        if entry is None:
            return None
        self.sessions.know(entry, hashes_of(self._connected.of(record.store), entry.content), ())
        entry.content, entry.deleted, entry.gone = None, True, True
        return entry

    def _settled(self, entry: Entry) -> None:
        self.sessions.settled(self._connected.of(entry.store), entry)


def _changed_at(customer: Customer) -> int:
    """Return when VTEX changed the customer, in ticks; when we learnt of it, where VTEX's word is no instant."""
    return ticks(customer.source_version) or ticks(customer.updated_at.isoformat())


def _redriven(entry: Entry) -> bool:
    """Say whether the customer was refused somewhere: its record coming again means that a person wants it tried."""
    refused = [name for name, sync in entry.syncs.items() if sync.refused is not None]
    for name in refused:
        entry.syncs[name] = entry.syncs[name].released()
    return bool(refused)


def _options(known: KnownStore) -> str:
    """Return a hash of everything in the connection that changes what is sent, or where to."""
    connection = known.connection
    rows: Iterable[str] = [access_mark(known, name) for name in destinations(connection)]
    return fingerprint(known.hash_secret, "options", {
        "access": list(rows), "erase": connection.erase_deleted, "paused": connection.paused,
    })  # fmt: skip
