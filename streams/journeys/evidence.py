"""The touches that may explain an order (docs/kpis.md, Which touches may explain an order).

What sessions told is kept for 90 days, an order for two years: an order carries the session evidence that it has, and
from 30 days after it was placed, that evidence stands.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from schemas.clock import DAY_MS, local_day
from streams.journeys import landings, messages, orders, sessions
from streams.journeys.facts import Facts
from streams.journeys.hashes import Hashes, phones, union
from streams.journeys.limits import ORDER_LANDINGS, ORDER_PEOPLE, ORDER_TOLD, TOO_MANY
from streams.journeys.touches import Touch, is_ours, rank

SETTLED_MS: Final = 30 * DAY_MS
"""Events are kept for 30 days (schemas/topics.py): none that comes later than that speaks of the order."""


class Evidence(NamedTuple):
    """What speaks for an order.

    Attributes:
        people: the hashes of its people.
        touches: all that may explain it, in no order and of any time.
        kept: its session evidence, for the order's row.
    """

    people: Hashes
    touches: list[Touch]
    kept: Mapping[str, Any]


def gather(facts: Facts, order: str, row: Mapping[str, Any], known: Mapping[str, Any]) -> Evidence:
    """Return what speaks for an order.

    Args:
        facts: of its store.
        order: its name.
        row: of the table of orders.
        known: its facts, of VTEX or of the pixel.
    """
    own = orders.own_hashes(known)
    kept = row.get("kept") if facts.now > known["at"] + SETTLED_MS else None
    beside = [] if kept else list(_sessions(facts, order, known))
    told = dict(kept["t"]) if kept else union(sessions.hashes(each) for _, each in beside)
    if len(told) > ORDER_TOLD:
        told = {}
    people = union((own, told, *facts.customers_of(own | told).values()))
    if len(people) > ORDER_PEOPLE:
        people = own | told
    if kept:
        landed = [Touch(*touch) for touch in kept["l"]]
    else:
        first, last = known["at"] - facts.windows.click, known["at"]
        near = dict(beside) | dict(_live(facts, (s for value in people for s in facts.sessions_of_hash(value))))
        landed = [
            touch
            for session, each in near.items()
            for touch in _landings(facts, session, each)
            if first <= touch.at <= last
        ]
    touches = [*landed, *_reports(facts, people, known["at"]), *_marketing(facts, known)]
    return Evidence(
        people, touches, {"t": told, "l": [list(touch) for touch in sorted(landed, key=rank)[:ORDER_LANDINGS]]}
    )


def _sessions(facts: Facts, order: str, known: Mapping[str, Any]) -> Iterator[tuple[str, sessions.Row]]:
    """Yield the order's sessions: those that acted on it, or began the checkout of its cart."""
    rows = [facts.row(facts.references, "order", name) for name in known.get("names", [order])]
    rows += [facts.row(facts.references, "cart", cart) for cart in orders.carts(known)]
    named = [row["s"] for row in rows if row and "s" in row]
    yield from _live(facts, (session for found in named if TOO_MANY not in found for session in found))


def _live(facts: Facts, named: Iterable[str]) -> Iterator[tuple[str, sessions.Row]]:
    for session in sorted(set(named)):
        row = facts.row(facts.sessions, session)
        if row and not sessions.is_machine(row):
            yield session, row


def _landings(facts: Facts, session: str, row: sessions.Row) -> Iterator[Touch]:
    if not sessions.campaigns(row):
        return
    told, holders = facts.people_of_session(row)
    for campaign in sessions.campaigns(row):
        landing = facts.row(facts.landings, session, campaign)
        if landing is None:
            continue
        message = facts.known_message(told, holders, campaign, landing)
        day = messages.day(facts.row(facts.messages, message), facts.timezone) if message else None
        day = day or local_day(landings.time(landing), facts.timezone).isoformat()
        for at in landings.times(landing):
            yield Touch("click", at, campaign, message, session, "landing", day)


def _reports(facts: Facts, people: Hashes, ordered: int) -> Iterator[Touch]:
    """Yield the deliveries and clicks of messages to the people of an order."""
    for phone in phones(people):
        for message, row in facts.touching(phone, ordered - facts.windows.longest, ordered):
            day = messages.day(row, facts.timezone)
            if day is None:
                continue
            if "d" in row:
                yield Touch("delivery", row["d"], row["c"], message, None, "report", day)
            for at in row.get("k", ()):
                yield Touch("click", at, row["c"], message, None, "report", day)


def _marketing(facts: Facts, known: Mapping[str, Any]) -> Iterator[Touch]:
    """Yield the click that VTEX's own marketing data tells of."""
    if is_ours(known.get("source")) and known.get("campaign"):
        day = local_day(known["at"], facts.timezone).isoformat()
        yield Touch("click", known["at"], known["campaign"], None, None, "marketing_data", day)
