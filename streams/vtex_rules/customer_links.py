"""Who shares an identifier: links from a VTEX profile id, an e-mail's hash or a phone's hash to customers. Pure.

Links only grow: whoever ever had an identifier keeps its link, so that a changed e-mail does not bring back whom it
once explained. An entry is [rank, id]; of those who share an identifier, the smallest entry is the one customer, and
every provisional one behind it is replaced by it:

    0  VTEX has a document of this id
    1  orders told a VTEX profile id, which is the id
    2  orders told only an e-mail: the id is made of its hash
    3  orders told only a phone; a phone may be a family's, so it identifies nobody who is known by more
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from streams.engine.agent import View
from streams.vtex_rules.customer import Entry

DOCUMENT: Final = 0
PROFILE: Final = 1
EMAIL: Final = 2
PHONE: Final = 3
_ID_DIGITS: Final = 32


def identifiers(told: Mapping[str, Any]) -> list[str]:
    """Return the link keys of what a read or an order told, without the store."""
    kinds = (("u", "user_id"), ("e", "email_hash"), ("p", "phone_hash"))
    return [f"{kind}/{told[name]}" for kind, name in kinds if told.get(name)]


def buyer_entry(told: Mapping[str, Any]) -> Entry:
    """Return rank and id under which an order's buyer is known, as long as no document shows them."""
    if told.get("user_id"):
        return [PROFILE, told["user_id"]]
    if told.get("email_hash"):
        return [EMAIL, f"email-{told['email_hash'][:_ID_DIGITS]}"]
    return [PHONE, f"phone-{told['phone_hash'][:_ID_DIGITS]}"]


def binds(key: str, entry: Entry) -> bool:
    """Say whether sharing this identifier with somebody better known means to be them."""
    return not key.startswith("p/") or entry[0] == PHONE


class Links:
    """The links of one store.

    Args:
        view: of the table of links.
        store: their store.
    """

    def __init__(self, view: View, store: str) -> None:
        self._view = view
        self._store = store

    def of(self, key: str) -> list[Entry]:
        """Return who has an identifier, the best known first."""
        entries: list[Entry] = self._view.get(f"{self._store}/{key}", [])
        return entries

    def documented(self, key: str) -> bool:
        """Say whether somebody with a document has an identifier."""
        entries = self.of(key)
        return bool(entries) and entries[0][0] == DOCUMENT

    def add(self, keys: Iterable[str], entry: Entry) -> Iterator[tuple[Entry, Entry]]:
        """Link a customer to identifiers; yield who is replaced by whom: (the provisional one, the better known)."""
        for key in keys:
            entries = self.of(key)
            if entry in entries:
                continue
            entries = sorted([*entries, entry])
            self._view[f"{self._store}/{key}"] = entries
            yield from ((other, entry) for other in entries if other > entry and binds(key, other))
            if entries[0] != entry and binds(key, entry):
                yield entry, entries[0]
