"""Which browser sessions are whose.

A session that told an e-mail, phone or id of a known customer is linked to the customer's Hellotext profile
(contracts/hellotext B2), whichever comes first, the identification or the customer.
What an identification tells is compared by hashes only, and never changes a customer: a page may say anything.
The latest identification of a session counts; unmatched ones are remembered for 30 days.
"""

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from schemas.fates import EffectOutcome
from schemas.personal import normal_customer, normal_email, normal_phone
from schemas.pixel import Identification
from schemas.vtex import Customer
from streams.engine.agent import Effect, Shard, Table
from streams.profile_rules.book import Book, Entry
from streams.profile_rules.mapping import HELLOTEXT
from streams.stores import KnownStore

KEPT: Final = timedelta(days=30)
SESSIONS: Final = Table("profiles.sessions", ttl=KEPT, disk=True)
"""`store/session` -> the hashes of its latest identification, and the profile that it was linked to."""
TOLD: Final = Table("profiles.told", ttl=KEPT, disk=True)
"""`store/hash/session`: the sessions that told a hash."""
PEOPLE: Final = Table("profiles.people", disk=True)
"""`store/hash` -> the customers who are known by it."""
KIND: Final = "hellotext.session"
_MOST_SESSIONS: Final = 100
"""Of one hash: a kiosk's e-mail is in thousands, and each link is a call."""
_PAUSES_MS: Final = (10_000, 60_000, 600_000, 3_600_000)
"""404 until the session's first event has reached Hellotext (B2): it is tried again so often, then let be."""
_HASHES: Final = ("customer", "email", "phone")
"""In the order in which they count: the shop's own id tells more than an e-mail, that more than a family's phone."""


class Sessions:
    """One turn's step.

    Args:
        shard: the turn.
        book: its customers.
    """

    def __init__(self, shard: Shard, book: Book) -> None:
        self._shard = shard
        self._book = book
        self._sessions = shard.table(SESSIONS)
        self._told = shard.table(TOLD)
        self._people = shard.table(PEOPLE)

    def told(self, known: KnownStore, said: Identification) -> bool:
        """Take in what a session told; say whether that was news."""
        store = known.connection.store
        hashes = {name: value for name in _HASHES if (value := getattr(said, f"{name}_hash")) is not None}
        if said.session is None or not hashes:
            return True
        key = f"{store}/{said.session}"
        row = self._sessions.get(key)
        order = [round(said.received_at.timestamp() * 1000), said.event_id]
        if row is not None and row["order"] >= order:
            return bool(row["order"] != order)
        self._forget_hashes(store, said.session, row)
        for value in hashes.values():
            self._told[f"{store}/{value}/{said.session}"] = 1
        linked = row["linked"] if row else None
        self._sessions[key] = {"hashes": hashes, "order": order, "linked": linked, "serial": order[0], "tries": 0}
        self._link(store, said.session)
        return True

    def forget(self, store: str, session: str) -> None:
        """Forget what a session told."""
        key = f"{store}/{session}"
        row = self._sessions.get(key)
        if row is not None:
            self._forget_hashes(store, session, row)
            del self._sessions[key]

    def know(self, entry: Entry, old: Iterable[str], new: Iterable[str]) -> None:
        """Take in by which hashes a customer is known, and link the sessions that told one of them."""
        gone, come = set(old) - set(new), set(new) - set(old)
        for value in sorted(gone):
            self._index(entry, value, present=False)
        for value in sorted(come):
            self._index(entry, value, present=True)
        if come:
            self._link_all(entry.store, come)

    def known_by(self, store: str, hashes: Iterable[str]) -> set[str]:
        """Return the customers who are known by one of the hashes."""
        return {customer for value in hashes for customer in self._people.get(f"{store}/{value}", [])}

    def settled(self, known: KnownStore, entry: Entry) -> None:
        """Link the sessions of a customer whose profile has become known."""
        self._link_all(entry.store, hashes_of(known, entry.content))

    def outcome(self, outcome: EffectOutcome) -> None:
        """Hear what linking a session ended with; what may still succeed is tried again."""
        session = outcome.key.partition("/")[2]
        key = f"{outcome.store}/{session}"
        row = self._sessions.get(key)
        if row is None or outcome.status == "done" or outcome.revision != row["serial"]:
            return
        may_come = outcome.status != "rejected" or outcome.code == 404  # noqa: PLR2004  HTTP status
        if not may_come or row["tries"] >= len(_PAUSES_MS):
            self._sessions[key] = {**row, "linked": None}
            return
        again = {**row, "tries": row["tries"] + 1, "serial": row["serial"] + 1}
        self._sessions[key] = again
        self._stage(outcome.store, session, again, self._shard.now + _PAUSES_MS[row["tries"]])

    def _link_all(self, store: str, hashes: Iterable[str]) -> None:
        for value in sorted(hashes):
            prefix = f"{store}/{value}/"
            for key, _ in list(islice(self._told.items(prefix), _MOST_SESSIONS)):
                self._link(store, key.removeprefix(prefix))

    def _link(self, store: str, session: str) -> None:
        key = f"{store}/{session}"
        row = self._sessions.get(key)
        profile = self._profile(store, row["hashes"]) if row is not None else None
        if row is None or profile is None or profile == row["linked"]:
            return
        linked = {**row, "linked": profile, "tries": 0, "serial": row["serial"] + 1}
        self._sessions[key] = linked
        self._stage(store, session, linked, 0)

    def _profile(self, store: str, hashes: dict[str, str]) -> str | None:
        for name in _HASHES:
            customers = self._people.get(f"{store}/{hashes.get(name)}", [])
            entries = [entry for one in customers if (entry := self._book.get(store, one)) is not None]
            alive = [entry for entry in entries if not entry.deleted]
            if alive:
                return max(alive, key=lambda entry: entry.recency).sync(HELLOTEXT).id
        return None

    def _stage(self, store: str, session: str, row: dict[str, Any], not_before: int) -> None:
        name = hashlib.sha256(session.encode()).hexdigest()[:32]
        self._shard.effect(Effect(
            id=f"session/{name}/{row['serial']}", agent="profiles", kind=KIND, store=store, destination=HELLOTEXT,
            key=f"session/{session}", payload={"session": session, "profile": row["linked"]}, revision=row["serial"],
            not_before=not_before,
        ))  # fmt: skip

    def _index(self, entry: Entry, value: str, *, present: bool) -> None:
        key = f"{entry.store}/{value}"
        customers = set(self._people.get(key, []))
        changed = customers | {entry.customer} if present else customers - {entry.customer}
        if changed:
            self._people[key] = sorted(changed)
        elif customers:
            del self._people[key]

    def _forget_hashes(self, store: str, session: str, row: dict[str, Any] | None) -> None:
        for value in row["hashes"].values() if row else ():
            del self._told[f"{store}/{value}/{session}"]


def hashes_of(known: KnownStore, content: Customer | None) -> set[str]:
    """Return all hashes by which a customer may be told of."""
    if content is None:
        return set()
    country = known.connection.country
    found = {
        content.email_hash or known.hash("email", normal_email(content.email)),
        content.phone_hash or known.hash("phone", normal_phone(content.phone, country)),
        known.hash("customer", normal_customer(content.customer)),
        known.hash("customer", normal_customer(content.user_id)),
    }
    return {value for value in found if value is not None}
