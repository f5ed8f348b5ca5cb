"""Bringing customers and destinations together: one call at a time for each, until what is wanted stands.

Everything that may need a call comes through `advance`: a changed customer, an outcome, a sweep. It decides by the
rules of `destination.py` and stages at most one effect.
"""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import structlog

from schemas.fates import EffectOutcome
from schemas.topics import VTEX_CUSTOMERS
from streams.engine.agent import Effect, Shard
from streams.letters import bury
from streams.profile_rules.book import Book, Entry
from streams.profile_rules.destination import Call, Sync, Wanted, advice, blocks, decide, heard, wait, yield_to
from streams.profile_rules.mapping import (
    HELLOTEXT,
    access_of,
    destinations,
    fields_for,
    fingerprint,
    reachable,
    target_of,
)
from streams.profile_rules.sharing import Group, Sharing
from streams.profile_rules.stores import GATE_RETRY_MS, Gate, StoreBook
from streams.stores import KnownStore

log = structlog.get_logger(__name__)

KINDS: Final = {"hellotext": "hellotext.profile", "infobip": "infobip.person"}
FORGETS: Final = {"hellotext": "hellotext.forget", "infobip": "infobip.forget"}
_ERASE: Final = "erase"


class Syncing:
    """One turn's step.

    Args:
        shard: the turn.
        book: its customers.
        stores: its stores.
        on_id: told of a customer whose Hellotext profile has become known.
        known_by: returns the customers who are known by one of the hashes.
    """

    def __init__(
        self, shard: Shard, book: Book, stores: StoreBook, on_id: Callable[[Entry], None],
        known_by: Callable[[str, list[str]], set[str]],
    ) -> None:  # fmt: skip
        self._shard = shard
        self._book = book
        self._stores = stores
        self._sharing = Sharing(shard)
        self._on_id = on_id
        self._known_by = known_by

    def everywhere(self, known: KnownStore, entry: Entry) -> None:
        """Advance a customer at every destination of its store."""
        for destination in destinations(known.connection):
            self.advance(known, entry, destination)

    def advance(self, known: KnownStore, entry: Entry, destination: str, *, forced: bool = False) -> bool:
        """Do what is next for a customer at a destination; say whether that was a call.

        Args:
            known: the customer's store.
            entry: the customer.
            destination: where.
            forced: also while the destination is closed or the budget is used up.
        """
        sync = entry.sync(destination)
        if sync.sending is not None:
            return False
        sync, wanted = self._in_its_group(known, entry, destination, sync)
        after, call = (sync, None) if wanted is None else decide(sync, wanted, self._shard.now)
        if call is not None and not forced and not self._may_call(known, entry.store, destination):
            gate = self._stores.get(entry.store).gates.get(destination)
            after, call = wait(sync, gate.reason if gate else None, self._shard.now), None
        if after != entry.sync(destination):
            entry.syncs[destination] = after
        if call is not None:
            self._stage(entry, destination, call)
        self._let_go_of(entry)
        return call is not None

    def outcome(self, known: KnownStore | None, entry: Entry, destination: str, outcome: EffectOutcome) -> None:
        """Hear what a call ended with, and go on from there.

        Args:
            known: the customer's store; None when it is not connected any more.
            entry: the customer.
            destination: where.
            outcome: of the call under way.
        """
        sync = entry.sync(destination)
        made = sync.sending
        if made is None:
            return
        state = self._stores.get(entry.store)
        state.ended(destination)
        if outcome.status == "uncertain" or blocks(outcome, made):
            state.troubled(destination, advice(outcome), self._shard.now)
        else:
            state.answered(destination)
        after = entry.syncs[destination] = heard(sync, outcome, self._shard.now)
        touched = self._regroup(entry, destination, sync.id, after, done=outcome.status == "done")
        if after.refused is not None and after.refused != sync.refused:
            self._bury(entry, destination, after, outcome)
        if known is None:
            return
        self._gate(known, entry, destination, outcome if blocks(outcome, made) else None)
        if destination == HELLOTEXT and after.id is not None and after.id != sync.id:
            self._on_id(entry)
        if outcome.status == "done":
            touched += self._released(entry, destination)
        for other in touched:
            self.advance(known, other, destination)

    def _released(self, entry: Entry, destination: str) -> list[Entry]:
        """Return those who were refused while this customer still had the e-mail or phone that is theirs by now.

        An identifier is one profile's at a time (contracts/hellotext B6), so whoever takes one over before the other
        has let go of it is refused: which of the two is sent first must not matter.
        """
        released = []
        for customer in sorted(self._known_by(entry.store, entry.gave.pop(destination, []))):
            other = self._book.get(entry.store, customer)
            if other is not None and other.sync(destination).refused is not None:
                other.syncs[destination] = other.sync(destination).released()
                released.append(other)
        return released

    def _in_its_group(
        self, known: KnownStore, entry: Entry, destination: str, sync: Sync
    ) -> tuple[Sync, Wanted | None]:
        """Return where the customer stands as one of those in its profile, and what is wanted; None: to wait."""
        wanted = self._wanted(known, entry, destination)
        if sync.id is None:
            return sync, wanted
        if entry.deleted and not entry.gone:
            left = self._left(known, entry, destination, sync.id)
            return sync, replace(wanted, erase=wanted.erase and not left)
        group = self._sharing.join(entry.store, destination, sync.id, entry.customer)
        members = self._members(entry, group.customers)
        if any(other.sync(destination).sending is not None for other in members):
            return sync, None
        if entry.gone:
            return sync, wanted
        return self._among_the_living(entry, destination, sync, wanted, group)

    def _among_the_living(
        self, entry: Entry, destination: str, sync: Sync, wanted: Wanted, group: Group
    ) -> tuple[Sync, Wanted | None]:
        others = [other for other in self._members(entry, group.customers) if not other.deleted]
        if wanted.reachable and self._has_parted(entry, destination, group, others):
            return self._apart(entry, destination, sync, others), wanted
        self._tell(entry, destination, others)
        sync = replace(sync, fingerprint=group.content)
        if any(other.recency > entry.recency for other in others):
            return yield_to(sync, self._shard.now), None
        return sync, wanted

    @staticmethod
    def _has_parted(entry: Entry, destination: str, group: Group, others: list[Entry]) -> bool:
        """Say whether a customer has nothing in common any more with who is in the profile, and with what stands there.

        A destination that answers a create with the same profile all the same is not asked twice.
        """
        latest = max(others, key=lambda other: other.recency, default=entry)
        stands = latest.sync(destination)
        return (
            latest.recency > entry.recency
            and stands.revision == latest.version
            and stands.fingerprint == group.content != ""
            and entry.parted.get(destination) != stands.id
            and not any(entry.meets(other) for other in others)
        )

    def _apart(self, entry: Entry, destination: str, sync: Sync, others: list[Entry]) -> Sync:
        """Take a customer out of the profile of others, for one of its own: nobody would reach it there."""
        profile = str(sync.id)
        self._sharing.leave(entry.store, destination, profile, entry.customer)
        entry.parted[destination] = profile
        entry.shared.pop(destination, None)
        self._tell_all(destination, others)
        return replace(sync, id=None, fingerprint="", tries=0, refused=None, first=None)

    def _left(self, known: KnownStore, entry: Entry, destination: str, profile: str) -> bool:
        """Take a deleted customer out of its profile; say whether somebody is left, for whom it may be their turn."""
        before = self._sharing.of(entry.store, destination, profile)
        group = self._sharing.leave(entry.store, destination, profile, entry.customer)
        entry.shared.pop(destination, None)
        others = self._members(entry, group.customers)
        if entry.customer in before.customers:
            self._tell_all(destination, others)
            for other in others:
                self.advance(known, other, destination)
        return any(not other.deleted for other in others)

    def _regroup(self, entry: Entry, destination: str, old_id: str | None, sync: Sync, *, done: bool) -> list[Entry]:
        """Note who is in which profile after an outcome; return all whose turn it may be."""
        touched = [entry]
        for profile in sorted({one for one in (old_id, sync.id) if one is not None}):
            # What stands in a profile after anything but a success is unknown; one that is gone has to be found out.
            content = sync.fingerprint if done and profile == sync.id else ""
            erasing = entry.gone and sync.refused is None
            if profile == sync.id and (erasing or not entry.deleted):
                group = self._sharing.join(entry.store, destination, profile, entry.customer, content)
            else:
                group = self._sharing.leave(entry.store, destination, profile, entry.customer, content)
                entry.shared.pop(destination, None)
            others = self._members(entry, group.customers)
            self._tell_all(destination, [entry, *others] if entry.customer in group.customers else others)
            touched += others
        return touched

    def _members(self, entry: Entry, customers: tuple[str, ...]) -> list[Entry]:
        """Return the others of a profile; a deleted one is among them only while it is being erased."""
        found = [self._book.get(entry.store, one) for one in customers if one != entry.customer]
        return [one for one in found if one is not None]

    def _tell_all(self, destination: str, members: list[Entry]) -> None:
        alive = [one for one in members if not one.deleted]
        for one in alive:
            self._tell(one, destination, [other for other in alive if other is not one])

    @staticmethod
    def _tell(entry: Entry, destination: str, others: list[Entry]) -> None:
        names = sorted(other.customer for other in others)
        if names:
            entry.shared[destination] = names
        else:
            entry.shared.pop(destination, None)

    def _wanted(self, known: KnownStore, entry: Entry, destination: str) -> Wanted:
        connection, content = known.connection, entry.content
        if entry.deleted or content is None:
            replaced = content is not None and content.replaced_by is not None
            erase = entry.gone or (connection.erase_deleted and not replaced)
            return Wanted(entry.version, _ERASE, {}, deleted=True, erase=erase)
        fields = fields_for(destination, content, connection)
        mark = fingerprint(known.hash_secret, target_of(destination, connection), fields)
        return Wanted(entry.version, mark, fields, reachable(destination, content))

    def _may_call(self, known: KnownStore, store: str, destination: str) -> bool:
        state = self._stores.get(store)
        if known.connection.paused or destination in state.gates:
            return False
        if state.room(destination) > 0:
            return True
        state.want_sweep(destination)
        return False

    def _stage(self, entry: Entry, destination: str, call: Call) -> None:
        self._stores.get(entry.store).started(destination)
        kinds = FORGETS if call.forget else KINDS
        self._shard.effect(Effect(
            id=f"profile/{destination}/{entry.customer}/{call.serial}", agent="profiles", kind=kinds[destination],
            store=entry.store, destination=destination, key=self._lane(entry, call),
            payload={"id": call.id, "customer": entry.customer, "fields": call.fields, "look": call.look},
            revision=entry.version, not_before=call.not_before,
        ))  # fmt: skip

    @staticmethod
    def _lane(entry: Entry, call: Call) -> str:
        """Creates of one e-mail go one after another: at once, the vendor might match neither with the other."""
        if call.id is None and entry.content is not None:
            mark = entry.content.email_hash or entry.content.phone_hash
            if mark is not None:
                return f"create/{mark}"
        return f"profile/{entry.customer}"

    def _gate(self, known: KnownStore, entry: Entry, destination: str, outcome: EffectOutcome | None) -> None:
        """Close the destination after a refusal of the connection; open it when who tried again got through."""
        state = self._stores.get(entry.store)
        gate = state.gates.get(destination)
        if outcome is not None:
            if gate is None or gate.customer == entry.customer:
                access = access_mark(known, destination)
                due = self._shard.now + GATE_RETRY_MS
                if gate is None or gate.reason != advice(outcome):
                    log.warning(
                        "a destination is closed", store=entry.store, destination=destination, reason=advice(outcome)
                    )
                state.close(destination, Gate(advice(outcome), access, entry.customer, due))
        elif gate is not None:
            log.info("a destination is open again", store=entry.store, destination=destination)
            state.open(destination)

    def _let_go_of(self, entry: Entry) -> None:
        """Remove a forgotten customer once every destination has forgotten it too."""
        if entry.gone and all(one.state == "deleted" and one.sending is None for one in entry.syncs.values()):
            entry.removed = True
            for destination, sync in entry.syncs.items():
                if sync.id is not None:  # it refused to erase: a dead letter says so
                    self._sharing.leave(entry.store, destination, sync.id, entry.customer)
            self._stores.strike(entry.store, entry.customer, entry.bucket)

    def _bury(self, entry: Entry, destination: str, sync: Sync, outcome: EffectOutcome) -> None:
        """Write a dead letter for a customer whom a destination refuses; redriving its record tries again."""
        content: Any = entry.content
        value = None if content is None else b64encode(content.model_dump_json().encode()).decode()
        bury(
            self._shard, entry.store, f"{destination}/{entry.customer}/{sync.serial}", VTEX_CUSTOMERS,
            VTEX_CUSTOMERS.key(entry.store, entry.customer), step=destination,
            reason=outcome.reason or f"refused with {outcome.code}", value=value,
        )  # fmt: skip


def access_mark(known: KnownStore, destination: str) -> str:
    """Return a hash of how a destination is reached: another one means that a person has changed the connection."""
    access = access_of(known.connection, destination)
    row = None if access is None else access.model_dump(mode="json")
    return fingerprint(known.hash_secret, destination, {"access": row})
