"""Which touch explains a purchase, judged from the facts (docs/kpis.md, "Which touches may explain an order")."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Final, Literal
from zoneinfo import ZoneInfo

from sandbox.facts import Facts, Message, Purchase, Visit

CLICK_WINDOW: Final = timedelta(days=7)
DELIVERY_WINDOW: Final = timedelta(hours=24)
_OURS: Final = "hellotext"
_NO_SOURCE: Final = frozenset(("", "direct", "(direct)", "(none)", "none", "null", "undefined"))
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Touch:
    """A delivery or a click, and the local day on which it counts."""

    kind: Literal["click", "delivery"]
    at: datetime
    campaign: str
    day: date
    message: str | None = None
    session: str | None = None

    @property
    def rank(self) -> tuple[int, float, str, str, str]:
        """Order the best first: clicks, then the latest, then the smallest names."""
        first = 0 if self.kind == "click" else 1
        return (first, -self.at.timestamp(), self.message or _LAST, self.session or _LAST, self.campaign)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The explanation of one purchase."""

    explanation: Literal["campaign", "external", "none"]
    rule: str
    winner: Touch | None = None


class Court:
    """Judges the purchases of one store; every question is answered from all facts at once."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._zone = ZoneInfo(facts.timezone)

    def day(self, at: datetime) -> date:
        """Return the calendar day in the store."""
        return at.astimezone(self._zone).date()

    def message_day(self, message: Message) -> date:
        """Return the day of the earliest delivery; of the earliest report while there is none."""
        return self.day((message.times("delivered") or message.times())[0])

    def message_of(self, visit: Visit, campaign: str) -> Message | None:
        """Return the message whose link this browser followed, where the shopper is known and was written to."""
        phone = self._facts.phones.get(visit.told or "")
        written = [m for m in self._messages.get(phone or "", []) if m.campaign == campaign]
        before = [m for m in written if m.times("delivered") and m.times("delivered")[0] <= visit.landings[campaign]]
        if before:
            return min(before, key=lambda m: (-m.times("delivered")[0].timestamp(), m.id))
        return min(written, key=lambda m: ((m.times("delivered") or m.times())[0], m.id), default=None)

    def landing_day(self, visit: Visit, campaign: str) -> date:
        """Return the day on which a landing counts: its message's, else its own."""
        message = self.message_of(visit, campaign)
        return self.message_day(message) if message else self.day(visit.landings[campaign])

    def judge(self, purchase: Purchase) -> Verdict:
        """Return what explains a purchase."""
        replaced = self._purchases.get(purchase.replaces or "")
        if replaced is not None:
            inherited = self.judge(replaced)
            first = inherited.rule.removeprefix("replacement:")
            return Verdict(inherited.explanation, f"replacement:{first}", inherited.winner)
        source = (purchase.source or "").strip().lower()
        if source != _OURS and source not in _NO_SOURCE:
            return Verdict("external", f"external:{source}")
        candidates = [touch for touch in self.touches(purchase) if _in_window(touch, purchase.at)]
        if not candidates:
            return Verdict("none", "no touch in window")
        winner = min(candidates, key=lambda touch: touch.rank)
        return Verdict("campaign", winner.kind, winner)

    def touches(self, purchase: Purchase) -> list[Touch]:
        """Return every touch of the shopper, and of whoever sat before the browsers that the purchase came from."""
        own = [visit for visit in self._facts.visits if visit.session in purchase.sessions]
        people = {purchase.buyer, *(visit.told for visit in own)} - {None}
        visits = {visit.session: visit for visit in self._facts.visits if visit.told in people}
        visits.update((visit.session, visit) for visit in own)
        found = [touch for visit in visits.values() for touch in self._landings(visit)]
        for phone in {self._facts.phones.get(person or "") for person in people} - {None}:
            for message in self._messages.get(phone or "", []):
                found += self._reports(message)
        if (purchase.source or "").strip().lower() == _OURS and purchase.campaign:
            found.append(Touch("click", purchase.at, purchase.campaign, self.day(purchase.at)))
        return found

    def _landings(self, visit: Visit) -> list[Touch]:
        found = []
        for campaign, at in visit.landings.items():
            message = self.message_of(visit, campaign)
            day = self.landing_day(visit, campaign)
            found.append(Touch("click", at, campaign, day, message.id if message else None, visit.session))
        return found

    def _reports(self, message: Message) -> list[Touch]:
        if message.campaign is None:
            return []
        day = self.message_day(message)
        touches = [Touch("click", at, message.campaign, day, message.id) for at in message.times("clicked")]
        first = message.times("delivered")[:1]
        return touches + [Touch("delivery", at, message.campaign, day, message.id) for at in first]

    @cached_property
    def _messages(self) -> dict[str, list[Message]]:
        by_phone = defaultdict(list)
        for message in self._facts.messages:
            by_phone[message.phone].append(message)
        return dict(by_phone)

    @cached_property
    def _purchases(self) -> dict[str, Purchase]:
        return {purchase.group: purchase for purchase in self._facts.purchases}


def _in_window(touch: Touch, ordered: datetime) -> bool:
    window = CLICK_WINDOW if touch.kind == "click" else DELIVERY_WINDOW
    return touch.at <= ordered <= touch.at + window
