"""What of a table's row is a person's: for each table of the worker, the row as it stays without them. Pure.

A rule is given a row that may carry the person, and returns what is to be written: None removes it. A table without a
rule is in `UNTOUCHED`, with the reason; a test wants each table of the worker in one of the two.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from streams import customers, forward, messages, orders, tracking
from streams.engine.outbox import OUTBOX
from streams.figures import tables as figures
from streams.journeys import tables as journeys
from streams.privacy_rules.person import Person
from streams.profile_rules import book, sessions, sharing, stores
from streams.suppressions import SUPPRESSED
from streams.tracking_rules import seen
from streams.vtex_rules.order import BUYER

Row = Any
Rule = Callable[[str, Row, Person], Row]
"""(what the key names after the store, row, person) -> the row that stays."""


def _remove(name: str, row: Row, person: Person) -> Row:  # noqa: ARG001  all rules are called alike
    return None


def _known(name: str, row: Row, person: Person) -> Row:
    return None if name in person.customers else row


def _links(name: str, row: Row, person: Person) -> Row:
    # Somebody who stays may once have had it, too: what names it would stand for ever.
    if name.partition("/")[2] in person.hashes | person.users:
        return None
    return [entry for entry in row if entry[1] not in person.users] or None


def _order(name: str, row: Row, person: Person) -> Row:  # noqa: ARG001  as above
    parts = {part: _without_buyer(facts, person) for part, facts in row.get("parts", {}).items()}
    return {**row, "parts": parts}


def _without_buyer(facts: dict[str, Any], person: Person) -> dict[str, Any]:
    """Return a part's facts without its buyer, when that is the person."""
    if not {facts["told"].get(field) for field in BUYER} & (person.hashes | person.users):
        return facts
    return {
        **facts,
        "told": {field: value for field, value in facts["told"].items() if field not in BUYER},
        "older": {field: at for field, at in facts["older"].items() if field not in BUYER},
    }


def _people(name: str, row: Row, person: Person) -> Row:
    return None if name in person.hashes else person.without(row, person.customers)


def _sent(name: str, row: Row, person: Person) -> Row:  # noqa: ARG001  as above
    return {**row, "recipient": None} if row.get("recipient") in person.hashes else row


def _session(name: str, row: Row, person: Person) -> Row:
    if name in person.sessions:
        return None
    return {**row, "t": person.without(row["t"], person.hashes) or {}} if "t" in row else row


def _landing(name: str, row: Row, person: Person) -> Row:
    return None if name.partition("\x1f")[0] in person.sessions else row


def _customer(name: str, row: Row, person: Person) -> Row:
    if name in person.customers:
        return None
    return {
        field: (person.without(value, person.hashes) or {}) if field in {"h", "was"} else value
        for field, value in row.items()
    }


def _message(name: str, row: Row, person: Person) -> Row:  # noqa: ARG001  as above
    return {field: value for field, value in row.items() if field != "r" or value not in person.hashes}


def _fact_order(name: str, row: Row, person: Person) -> Row:
    """Return the facts of an order without the person; of their own orders nothing that tells a buyer is left."""
    theirs = name in person.orders
    new = dict(row)
    if row.get("v"):
        kept = {} if theirs else person.without(row["v"]["hashes"], person.hashes) or {}
        new["v"] = {**row["v"], "hashes": kept}
    if row.get("kept"):
        evidence = row["kept"]
        new["kept"] = {
            "t": {} if theirs else person.without(evidence["t"], person.hashes) or {},
            "l": [_touch(touch, person, theirs=theirs) for touch in evidence["l"]],
        }
    return new


def _touch(touch: list[Any], person: Person, *, theirs: bool) -> list[Any]:
    """Return a touch (streams/journeys/touches.py) without the session, and for their own orders the message, of it."""
    kind, at, campaign, message, session, evidence, day = touch
    if theirs or session in person.sessions:
        message, session = None, None
    return [kind, at, campaign, message, session, evidence, day]


def _of_hash(members: Callable[[Person], frozenset[str]]) -> Rule:
    def rule(name: str, row: Row, person: Person) -> Row:
        if name.partition("\x1f")[0] in person.hashes:
            return None
        return person.without(row, members(person))

    return rule


def _reference(name: str, row: Row, person: Person) -> Row:  # noqa: ARG001  as above
    left = person.without(row.get("s", {}), person.sessions)
    return ({**row, "s": left} if left else {field: value for field, value in row.items() if field != "s"}) or None


def _counted_message(name: str, row: Row, person: Person) -> Row:  # noqa: ARG001  as above
    new = dict(row)
    if "k" in row:
        new["k"] = [None if value in person.hashes else value for value in row["k"]]
    if row.get("v"):
        new["v"] = _visitors(row["v"], person)
    if row.get("s") and row["s"].get("v"):
        new["s"] = {**row["s"], "v": _visitors(row["s"]["v"], person)}
    return new


def _visitors(visitors: Mapping[str, int], person: Person) -> dict[str, int]:
    return {person.visitor(name): count for name, count in visitors.items()}


def _counted_landing(name: str, row: Row, person: Person) -> Row:
    if name.partition("\x1f")[0] in person.sessions:
        return None
    return {**row, "v": person.visitor(row["v"])}


def renamed_visitor(name: str, person: Person) -> str:
    """Return the name of a row of kpi-visitors (campaign, date, visitor) under which its count goes on."""
    campaign, date, visitor = name.rsplit("\x1f", 2)
    return "\x1f".join((campaign, date, person.visitor(visitor)))


RULES: Final[dict[str, Rule]] = {
    customers.CUSTOMERS.name: _known,
    customers.LINKS.name: _links,
    orders.ORDERS.name: _order,
    sessions.SESSIONS.name: _remove,
    sessions.TOLD.name: _remove,
    sessions.PEOPLE.name: _people,
    forward.SAID.name: _remove,
    forward.WAITING.name: _remove,
    forward.VISITORS.name: _remove,
    forward.ORDERS.name: _remove,
    messages.SENT.name: _sent,
    messages.UNSURE.name: _remove,
    journeys.SESSIONS.name: _session,
    journeys.LANDINGS.name: _landing,
    journeys.CUSTOMERS.name: _customer,
    journeys.MESSAGES.name: _message,
    journeys.ORDERS.name: _fact_order,
    journeys.HASH_SESSIONS.name: _of_hash(lambda person: person.sessions),
    journeys.HASH_CUSTOMERS.name: _of_hash(lambda person: person.customers),
    journeys.HASH_ORDERS.name: _of_hash(lambda person: person.orders),
    journeys.RECIPIENT_DAYS.name: _of_hash(lambda _: frozenset()),
    journeys.RECIPIENT_CAMPAIGNS.name: _of_hash(lambda _: frozenset()),
    journeys.REFERENCES.name: _reference,
    figures.COUNTED_MESSAGES.name: _counted_message,
    figures.COUNTED_LANDINGS.name: _counted_landing,
}

_PROFILES: Final = "the profiles agent erases at the destinations first, then its own rows (docs/privacy.md)"
_DIGESTS: Final = "digests of events and orders: nothing of a person can be read or joined"
_SUMS: Final = "sums and ids of campaigns and orders"
UNTOUCHED: Final = {
    book.CUSTOMERS.name: _PROFILES,
    sharing.SHARING.name: _PROFILES,
    stores.STORES.name: _PROFILES,
    stores.ROSTER.name: _PROFILES,
    OUTBOX.name: "calls of the person are taken back one by one (privacy_rules/calls.py)",
    forward.LOAD.name: _SUMS,
    figures.VISITORS.name: "counts go on under another name (renamed_visitor)",
    figures.COUNTED_ORDERS.name: _SUMS,
    figures.CELLS.name: _SUMS,
    figures.CAMPAIGNS.name: _SUMS,
    figures.STORES.name: _SUMS,
    SUPPRESSED.name: "the list of the forgotten itself",
    **{table.name: _DIGESTS for table in (*seen.TABLES, tracking.LANDINGS)},
}
