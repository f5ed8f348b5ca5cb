"""By what a person is known: identifiers, how they are recognised in bytes, and how one leads to another. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.personal import Kind, hash_value, normal_customer, normal_email, normal_phone
from schemas.privacy import SuppressedKind

STRONG: Final[frozenset[str]] = frozenset(("email", "customer"))
"""Kinds that tell one person; a phone may be a family's."""
_WHOLE: Final = rb"(?<![0-9A-Za-z_@.-])(?:%s)(?!\.?[0-9A-Za-z_-])"
"""Between characters that cannot be part of an id, an e-mail, a number: `ana@shop.com` is not in `ana@shop.com.br`."""


class NotAnIdentifier(ValueError):  # noqa: N818  named by what is the matter
    """What was given is no e-mail, phone, id or session."""


@dataclass(slots=True)
class Traces:
    """What is known of one person.

    Attributes:
        store: whose customer.
        secret: of the store's hashes.
        country: of phones without a prefix.
        hashes: with their kinds.
        asked: those that were asked for by name.
        customers: ids of customers.
        users: VTEX profile ids.
        sessions: browser sessions that told of them and of nobody else.
        orders: theirs.
        values: e-mails and phones themselves, in normal form; never written anywhere.
        request: under which they are on the suppression list already; None when they are not.
    """

    store: str
    secret: bytes
    country: str
    hashes: dict[str, SuppressedKind] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)
    values: set[str] = field(default_factory=set)
    request: str | None = None

    def ask(
        self, *, emails: Iterable[str] = (), phones: Iterable[str] = (), customers: Iterable[str] = (),
        sessions: Iterable[str] = (),
    ) -> None:  # fmt: skip
        """Take in what somebody asks for.

        Raises:
            NotAnIdentifier: says what it should look like; never the value.
        """
        for text in emails:
            self._ask("email", normal_email(text), "--email is no e-mail address, or a mask that identifies nobody")
        for text in phones:
            self._ask("phone", normal_phone(text, self.country), "--phone is no phone number: write +5511987654321")
        for text in customers:
            customer = self._ask("customer", normal_customer(text), "--customer is empty: give the id of VTEX's CL")
            self.customers.add(customer)
        for text in sessions:
            self.sessions.add(self._ask("session", text.strip() or None, "--session is empty"))

    def _ask(self, kind: SuppressedKind, normal: str | None, otherwise: str) -> str:
        if normal is None:
            raise NotAnIdentifier(otherwise)
        value = self.hash(kind, normal)
        self.hashes[value] = kind
        self.asked.add(value)
        if kind in {"email", "phone"}:
            self.values.add(normal)
        return normal

    def hash(self, kind: Kind, normal: str) -> str:
        """Return the hash that stands for a value in its normal form."""
        return hash_value(self.secret, kind, normal)

    def add_session(self, session: str) -> None:
        """Take in a session that is this person's alone."""
        self.sessions.add(session)
        self.hashes[self.hash("session", session)] = "session"

    def let_go(self, shared: set[str]) -> None:
        """Let go of hashes that somebody else holds too, unless they were asked for; and of the values behind them."""
        for value in shared - self.asked:
            self.hashes.pop(value, None)
        self.values = {
            one for one in self.values if self.hash("email" if "@" in one else "phone", one) in self.hashes
        }  # fmt: skip

    def size(self) -> int:
        """Return how much is known; it only grows while one thing leads to another."""
        return sum(map(len, (self.hashes, self.customers, self.users, self.sessions, self.orders, self.values)))

    def strong(self, told: Mapping[str, SuppressedKind]) -> bool:
        """Say whether these hashes tell this person beyond doubt: an e-mail or id of theirs, or what was asked for."""
        return any(
            value in self.hashes and (kind in STRONG or value in self.asked) for value, kind in told.items()
        )  # fmt: skip

    def weak(self, told: Mapping[str, SuppressedKind]) -> list[str]:
        """Return the phones of this person among these hashes, where nothing better is told."""
        if any(kind in STRONG for kind in told.values()):
            return []
        return [value for value in told if value in self.hashes]

    def told_by(self, fields: Mapping[str, Any]) -> dict[str, SuppressedKind]:
        """Return the hashes in a row that has `email_hash`, `phone_hash`, `customer_hash`."""
        kinds: tuple[SuppressedKind, ...] = ("email", "phone", "customer")
        return {value: kind for kind in kinds if (value := fields.get(f"{kind}_hash"))}

    def told_by_values(self, *, email: Any, phones: Iterable[Any], ids: Iterable[Any]) -> dict[str, SuppressedKind]:
        """Return the hashes of values as VTEX writes them."""
        normal: list[tuple[SuppressedKind, str | None]] = [("email", normal_email(email))]
        normal += [("phone", normal_phone(phone, self.country)) for phone in phones if phone]
        normal += [("customer", normal_customer(one)) for one in ids]
        return {self.hash(kind, value): kind for kind, value in normal if value is not None}

    def searcher(self, more: Iterable[str] = ()) -> Callable[[bytes], bool]:
        """Return what says of bytes whether they hold anything of this person, or one of some more hashes.

        Letters count in any case; phones with and without their plus, as Infobip writes them.
        """
        hashes = [value.encode() for value in sorted({*self.hashes, *more})]
        whole = {*self.customers, *self.users, *self.sessions}
        whole |= {value.removeprefix("+") for value in self.values}
        names = [one.lower().encode() for one in sorted(whole)]
        exact = re.compile(_WHOLE % b"|".join(map(re.escape, names)))

        def holds(raw: bytes) -> bool:
            low = raw.lower()
            if any(value in low for value in hashes):
                return True
            # Most records hold nothing alike, and a search for one text is far cheaper than an expression.
            return any(name in low for name in names) and exact.search(low) is not None

        return holds
