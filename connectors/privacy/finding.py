"""Who somebody is: from an identifier to customers, from customers to hashes, from hashes to sessions and orders.

    e-mail, phone, id, session ─▶ vtex.customers, pixel.identities, vtex.orders, what sessions told ─▶ these again

until nothing new is found. An e-mail or an id is one person's. A phone may be a family's: it leads to others only when
it was asked for, or to those of whom nothing better is known; one that somebody else holds too is not this person's.
A page and a checkout may say anything: what they tell beside this person's id leads to nobody, and is this person's as
long as no other customer holds it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from connectors.privacy.reading import Shard, scan
from connectors.privacy.traces import STRONG, Traces
from schemas import topics
from schemas.privacy import SuppressedKind

MOST_ROUNDS: Final = 6
"""A chain longer than this is no person's: the list is shown before anything is erased."""
Told = Mapping[str, SuppressedKind]
Learn = Callable[["_Finder", str, dict[str, Any]], None]


async def find(shard: Shard, traces: Traces) -> None:
    """Complete what is known of a person.

    Args:
        shard: of the store.
        traces: what was asked for; grows.

    Raises:
        BrokerUnreachable: no broker answered, or the read does not get on.
    """
    await _recall(shard, traces)
    foreign: set[str] = set()
    claimed: dict[str, SuppressedKind] = {}
    for _ in range(MOST_ROUNDS):
        before = traces.size() + len(claimed) + len(foreign)
        finder = _Finder(traces, foreign, claimed)
        await finder.read(shard)
        finder.conclude()
        if traces.size() + len(claimed) + len(foreign) == before:
            break
    traces.hashes |= {value: kind for value, kind in claimed.items() if value not in foreign}
    finder.take_sessions()
    await finder.read(shard)  # for the orders that these sessions explain


async def _recall(shard: Shard, traces: Traces) -> None:
    """Take in the other hashes of who was forgotten before: they are on the list under one name."""
    name = topics.PRIVACY_SUPPRESSIONS.name
    found = (await scan(shard, {name: lambda *_: True}))[name]
    rows = {row["hash"]: row for record in found.latest.values() for row in [orjson.loads(record.value)]}
    people = {rows[value]["request"] for value in traces.hashes if value in rows}
    traces.request = min(people, default=None)
    traces.hashes |= {value: row["kind"] for value, row in rows.items() if row["request"] in people}


class _Finder:
    """One round through the sources.

    Args:
        traces: what is known so far.
        foreign: hashes that somebody else holds too; grows from round to round.
        claimed: hashes that were told beside one of the person's; they lead to nobody. Grows too.
    """

    def __init__(self, traces: Traces, foreign: set[str], claimed: dict[str, SuppressedKind]) -> None:
        self.traces = traces
        self.foreign = foreign
        self.claimed = claimed
        self.weak: list[tuple[list[str], Callable[[], None]]] = []
        """What only a phone tells: taken in unless the phone turns out to be somebody else's too."""
        self.told_in: dict[str, set[tuple[str, str]]] = {}
        """Session to (hash, kind) told in it, of sessions that told something of the person."""

    async def read(self, shard: Shard) -> None:
        """Learn from all that stands in the sources."""
        holds = self.traces.searcher(self.claimed)
        there = {*shard.topics, *map(shard.changelog, shard.tables)}
        sources = {source: (lambda key, value: holds(key) or holds(value)) for source in _SOURCES if source in there}
        for source, found in (await scan(shard, sources)).items():
            for key, record in found.latest.items():
                try:
                    _SOURCES[source](self, key.partition(b"/")[2].decode(), orjson.loads(record.value))
                except (ValueError, TypeError, AttributeError, KeyError):
                    continue  # a row that is none identifies nobody

    def take(self, told: Told, take: Callable[[], None], *, surely: bool = False) -> None:
        """Take something in when it is the person's; note a phone that is somebody else's too."""
        traces = self.traces
        if surely or traces.strong(told):
            take()
        elif phones := traces.weak(told):
            self.weak.append((phones, take))

    def claim(self, told: Told) -> None:
        """Note hashes that were told beside one of the person's."""
        self.claimed |= {value: kind for value, kind in told.items() if value not in self.traces.hashes}

    def conclude(self) -> None:
        """Let go of what is shared with others, and take in what only a phone tells where it is not."""
        traces = self.traces
        traces.let_go(self.foreign)
        for phones, take in self.weak:
            if any(value in traces.hashes for value in phones):
                take()

    def take_sessions(self) -> None:
        """Take in the sessions that are the person's alone."""
        traces = self.traces
        for session, told in self.told_in.items():
            best = {value for value, kind in told if kind in STRONG} or {value for value, _ in told}
            if best <= traces.hashes.keys():
                traces.add_session(session)


def _customer(finder: _Finder, name: str, row: dict[str, Any]) -> None:
    traces, user = finder.traces, row.get("user_id")
    told = traces.told_by(row) | traces.told_by_values(email=None, phones=(), ids=(name, user))
    contacts = traces.told_by(row)

    def take() -> None:
        traces.customers.add(name)
        traces.users |= {user} if user else set()
        traces.hashes |= {value: kind for value, kind in told.items() if value not in finder.foreign}
        traces.values |= {row[field] for field in ("email", "phone") if row.get(field)}

    surely = name in traces.customers or row.get("replaced_by") in traces.customers
    if surely or traces.strong(told):
        take()
    elif "email" not in contacts.values() and not finder.claimed.keys() & told.keys():
        finder.take(contacts, take)  # whom orders know by a phone alone: their id says no more
    elif not row.get("deleted"):
        finder.foreign |= {value for value in told if value in traces.hashes or value in finder.claimed}


def _identity(finder: _Finder, _: str, row: dict[str, Any]) -> None:
    traces, session = finder.traces, row.get("session")
    told = traces.told_by(row)
    asked = session is not None and traces.hash("session", session) in traces.asked

    def take() -> None:
        if asked:
            traces.hashes |= told
        finder.claim(told)
        if session:
            finder.told_in.setdefault(session, set()).update(told.items())

    finder.take(told, take, surely=asked)


def _session(finder: _Finder, name: str, row: dict[str, Any]) -> None:
    """Learn from what a session told (journey-sessions: `t`, hash to kind and day)."""
    traces = finder.traces
    kinds: dict[str, SuppressedKind] = {"e": "email", "p": "phone", "c": "customer"}
    told = {value: kinds[kind] for value, (kind, _) in row.get("t", {}).items()}
    asked = traces.hash("session", name) in traces.asked
    if asked:
        traces.hashes |= told
    finder.take(told, lambda: finder.told_in.setdefault(name, set()).update(told.items()), surely=asked)


def _linked(finder: _Finder, name: str, row: dict[str, Any]) -> None:
    """Learn from what a session told last (profiles.sessions: `hashes`, kind to hash)."""
    told: Told = {value: kind for kind, value in row["hashes"].items()}
    finder.take(told, lambda: finder.told_in.setdefault(name, set()).update(told.items()))


def _order(finder: _Finder, name: str, row: dict[str, Any]) -> None:
    traces, user = finder.traces, row.get("user_profile_id")
    told = traces.told_by(row) | traces.told_by_values(email=None, phones=(), ids=(user,))

    def take() -> None:
        traces.orders.add(name)
        finder.claim(told)

    finder.take(told, take)


def _explained(finder: _Finder, name: str, row: dict[str, Any]) -> None:
    """Learn of an order whose explanation names one of the sessions."""
    touches = [row.get("winner") or {}, *(row.get("losers") or ())]
    if any(touch.get("session") in finder.traces.sessions for touch in touches if touch.get("session")):
        finder.traces.orders.add(name)


_SOURCES: Final[dict[str, Learn]] = {
    topics.VTEX_CUSTOMERS.name: _customer,
    topics.PIXEL_IDENTITIES.name: _identity,
    Shard.changelog("journey-sessions"): _session,
    Shard.changelog("profiles.sessions"): _linked,
    topics.VTEX_ORDERS.name: _order,
    topics.ATTRIBUTIONS.name: _explained,
}
