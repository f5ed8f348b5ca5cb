"""Counts the facts of one store anew where they have changed, in one transaction."""

from collections.abc import Mapping
from typing import Any, Final

from schemas.clock import DAY_MS, local_day
from streams.engine.agent import Shard
from streams.figures.costs import Tariff
from streams.figures.ledger import Ledger
from streams.figures.parts import count_message, count_order, landing_part, message_part, order_part
from streams.figures.tables import COUNTED_LANDINGS, COUNTED_MESSAGES, COUNTED_ORDERS
from streams.journeys import landings, messages, sessions
from streams.journeys.facts import Facts
from streams.journeys.hashes import Hashes
from streams.journeys.messages import Report

SETTLED_MS: Final = 60 * DAY_MS
"""What sessions told is kept for 90 days: a landing is not looked at anew when that may be gone."""

Row = dict[str, Any]
People = tuple[Hashes, dict[str, Hashes]]
"""The hashes told in a session, and the customers that they identify with all their own."""


class Recount:
    """Gathers what may have changed; `count()` counts it.

    Args:
        shard: the transaction.
        facts: of the store, with what this batch told already joined.
    """

    def __init__(self, shard: Shard, facts: Facts) -> None:
        self._facts = facts
        self.ledger = Ledger(shard, facts.store, Tariff.of(facts.known.connection))
        self._messages = shard.table(COUNTED_MESSAGES)
        self._landings = shard.table(COUNTED_LANDINGS)
        self._orders = shard.table(COUNTED_ORDERS)
        self._people: dict[str, People] = {}
        self._stale_landings: set[tuple[str, str]] = set()
        self._stale_messages: set[str] = set()

    def note_report(self, message: str, report: Report) -> bool:
        """Note a report; say whether it is the first time."""
        place = self._facts.key(message)
        row = messages.note(self._messages.get(place), report)
        if row is None:
            return False
        self._messages[place] = row
        self._stale_messages.add(message)
        return True

    def note_message(self, message: str) -> None:
        """Look at a message anew."""
        self._stale_messages.add(message)

    def note_landing(self, session: str, campaign: str) -> None:
        """Look at a landing anew."""
        self._stale_landings.add((session, campaign))

    def note_session(self, session: str) -> None:
        """Look at the landings of a session anew, when it has told something new of itself."""
        row = self._facts.row(self._facts.sessions, session)
        if row and "n" in row:
            self._facts.put(self._facts.sessions, {name: value for name, value in row.items() if name != "n"}, session)
            self._stale_landings |= {(session, campaign) for campaign in sessions.campaigns(row)}

    def note_customer(self, customer: str) -> None:
        """Look at the landings anew of the sessions that told a hash which the customer has, or had before."""
        row = self._facts.row(self._facts.customers, customer)
        if not row or "was" not in row:
            return
        self._facts.put(self._facts.customers, {"v": row["v"], "h": row["h"]}, customer)
        for value in row["h"].keys() | row["was"].keys():
            for session in self._facts.sessions_of_hash(value):
                self._stale_landings |= {(session, campaign) for campaign in self._landed(session)}

    def count_order(self, order: str, attribution: Mapping[str, Any] | None) -> None:
        """Count an order as its attribution has it now."""
        place, new = self._facts.key(order), count_order(attribution)
        old = self._orders.get(place)
        if old != new:
            self.ledger.change(order_part(old), order_part(new))
            self._orders[place] = new

    def count(self) -> None:
        """Count anew what was noted, and write the cells."""
        for message in sorted(self._stale_messages):
            self._relink(message)
        for session, campaign in sorted(self._stale_landings):
            self._count_landing(session, campaign)
        for message in sorted(self._stale_messages):
            self._count_message(message)
        self.ledger.write()

    def _landed(self, session: str) -> list[str]:
        return sessions.campaigns(self._facts.row(self._facts.sessions, session))

    def _relink(self, message: str) -> None:
        """Name the landings that the message may be behind, or was, when what they depend on has changed."""
        place = self._facts.key(message)
        row = self._messages.get(place) or {}
        links = list(messages.links(self._facts.row(self._facts.messages, message)))
        old = row.get("k", [None, None])
        if old == links:
            return
        self._messages[place] = {**row, "k": links}
        wanted = {old[0], links[0]} - {None}
        for recipient in {old[1], links[1]} - {None} if wanted else ():
            for session in self._facts.sessions_of_recipient(recipient):
                self._stale_landings |= {(session, one) for one in self._landed(session) if one in wanted}

    def _count_landing(self, session: str, campaign: str) -> None:
        row = self._facts.row(self._facts.landings, session, campaign)
        place = self._facts.key(session, campaign)
        old = self._landings.get(place)
        if row is None or (old is not None and self._facts.now > landings.time(row) + SETTLED_MS):
            return
        told, holders = self._people_of(session)
        new: Row = {
            "m": self._facts.known_message(told, holders, campaign, row),
            "d": local_day(landings.time(row), self._facts.timezone).isoformat(),
            "v": self._facts.visitor(session, told, holders),
        }
        if old == new:
            return
        self._landings[place] = new
        self.ledger.change(landing_part(campaign, old), landing_part(campaign, new))
        for counted, by in ((old, -1), (new, 1)):
            if counted and counted["m"] is not None:
                self._bring(counted["m"], counted["v"], by)

    def _people_of(self, session: str) -> People:
        found = self._people.get(session)
        if found is None:
            row = self._facts.row(self._facts.sessions, session)
            found = self._people[session] = self._facts.people_of_session(row)
        return found

    def _bring(self, message: str, visitor: str, by: int) -> None:
        """Change how many landings of a visitor a message has brought."""
        place = self._facts.key(message)
        row = self._messages.get(place) or {}
        visitors = dict(row.get("v", {}))
        visitors[visitor] = visitors.get(visitor, 0) + by
        self._messages[place] = {**row, "v": {one: n for one, n in visitors.items() if n}}
        self._stale_messages.add(message)

    def _count_message(self, message: str) -> None:
        place = self._facts.key(message)
        row = self._messages.get(place) or {}
        facts = self._facts.row(self._facts.messages, message)
        clicks = len(row.get("n", ()))
        new = count_message(facts, row.get("v", {}), clicks, self._facts.timezone)
        if new != row.get("s"):
            self.ledger.change(message_part(row.get("s")), message_part(new))
            self._messages[place] = {**row, "s": new}
