"""Who was forgotten: the list that agents consult, so that no re-read, replay or new event brings anybody back.

The erasure agent writes it (`privacy.suppressions`) in the transaction that erases; this agent keeps a table of it.
What tells a forgotten person gets the fate `filtered: forgotten`. A phone may be a family's, so it stands for somebody
only where nothing better is told, as everywhere (streams/vtex_rules/customer_links.py).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.privacy import Suppression
from schemas.topics import PRIVACY_SUPPRESSIONS
from streams.engine.agent import Agent, Batch, Shard, Table
from streams.models import name_of, read_model
from streams.stores import KnownStore

SUPPRESSED: Final = Table("privacy.suppressed")
"""`store/hash` -> kind, request, since; `store/` -> how many rows the store has, so that most stores cost nothing."""
FORGOTTEN: Final = "forgotten"
"""The reason of the fate `filtered`."""


class Suppressed:
    """The list as one batch sees it.

    Args:
        shard: the transaction; its agent lists `SUPPRESSED` among its tables.
    """

    def __init__(self, shard: Shard) -> None:
        self._view = shard.table(SUPPRESSED)
        self._some: dict[str, bool] = {}

    def concerns(self, store: str) -> bool:
        """Say whether anybody of the store was forgotten; looked up once a batch."""
        some = self._some.get(store)
        if some is None:
            some = self._some[store] = f"{store}/" in self._view
        return some

    def has(self, store: str, *hashes: str | None) -> bool:
        """Say whether one of these hashes is a forgotten person's."""
        return self.concerns(store) and any(value is not None and f"{store}/{value}" in self._view for value in hashes)

    def person(self, store: str, *, phone: str | None, better: Iterable[str | None]) -> bool:
        """Say whether these hashes tell a forgotten person.

        Args:
            store: whose.
            phone: counts only where nothing better is told.
            better: of e-mails and ids.
        """
        told = [value for value in better if value is not None]
        return self.has(store, *told) if told else self.has(store, phone)

    def session(self, known: KnownStore, session: str | None) -> bool:
        """Say whether a browser session was a forgotten person's."""
        store = known.connection.store
        return session is not None and self.concerns(store) and self.has(store, known.hash("session", session))

    def told(self, known: KnownStore, data: dict[str, Any]) -> bool:
        """Say whether what a page told is of a forgotten person: by whom it names; where nobody, by its session."""
        store = known.connection.store
        if not self.concerns(store):
            return False
        phone, better = data.get("phone_hash"), (data.get("customer_hash"), data.get("email_hash"))
        if phone is None and not any(better):
            return self.session(known, data.get("session"))
        return self.person(store, phone=phone, better=better)

    def buyer(self, known: KnownStore, told: Mapping[str, Any]) -> bool:
        """Say whether an order's buyer was forgotten, by what the order tells: hashes, and VTEX's profile id."""
        store = known.connection.store
        if not self.concerns(store):
            return False
        user = known.hash("customer", told.get("user_id") or told.get("user_profile_id"))
        return self.person(store, phone=told.get("phone_hash"), better=(user, told.get("email_hash")))

    def put(self, row: Suppression) -> bool:
        """Add an identifier; say whether it was not there."""
        key = f"{row.store}/{row.hash}"
        if key in self._view:
            return False
        self._view[key] = {"kind": row.kind, "request": row.request, "since": row.since.isoformat()}
        self._count(row.store, 1)
        return True

    def drop(self, store: str, value: str) -> bool:
        """Remove an identifier; say whether it was there."""
        key = f"{store}/{value}"
        known = value != "" and key in self._view
        if known:
            del self._view[key]
            self._count(store, -1)
        return known

    def together_with(self, store: str, hashes: Iterable[str]) -> list[str]:
        """Return these and all other identifiers of the same people, as far as they are on the list."""
        rows = {key.partition("/")[2]: row for key, row in self._view.items(f"{store}/") if key != f"{store}/"}
        people = {rows[value]["request"] for value in hashes if value in rows}
        return sorted(value for value, row in rows.items() if row["request"] in people)

    def _count(self, store: str, change: int) -> None:
        count = self._view.get(f"{store}/", 0) + change
        self._view[f"{store}/"] = count or None
        self._some.pop(store, None)


class SuppressionsAgent(Agent):
    """`privacy.suppressions` in, the table that all others consult out."""

    name = "suppressions"
    inputs = (PRIVACY_SUPPRESSIONS,)
    tables = (SUPPRESSED,)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Keep the list; in the worker its rows are known already, in a replay they come first."""
        suppressed = Suppressed(shard)
        for record in batch:
            if record.value is None:
                suppressed.drop(record.store, name_of(record))
            else:
                suppressed.put(read_model(Suppression, record))
