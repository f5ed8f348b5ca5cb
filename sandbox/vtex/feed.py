"""A feed v3 queue: visible, in flight, committed; at least once, in no promised order (NOTES 4.4)."""

import heapq
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from sandbox.vtex.clock import SECOND, iso
from sandbox.vtex.filters import Filter

LOT: Final = 10
RETENTION: Final = (345_600, 1_209_600)
"""Least and greatest retention, seconds."""
VISIBILITY: Final = (0, 43_200)
TRIES: Final = 100
_MIXED: Final = 50


@dataclass(frozen=True, slots=True)
class Change:
    """An order went from one status to another."""

    order_id: str
    domain: str
    state: str
    last_state: str
    last_change: int
    current_change: int


@dataclass(slots=True)
class Message:
    """A change in the queue. Only the latest handle commits it."""

    event_id: str
    change: Change
    since: int
    handle: str = ""
    tries: int = 0


@dataclass(slots=True)
class Feed:
    """The feed of one application key.

    Attributes:
        visibility: seconds in which a delivered event stays out of sight.
        retention: seconds after which an event is dropped, and after which a quiet feed loses its configuration.
        fed: when the last event came, or the configuration was made.
        committed: handles committed, ever.
    """

    filter: Filter
    visibility: int
    retention: int
    numbers: Random
    fed: int
    committed: int = 0
    fired: set[str] = field(default_factory=set)
    _ready: deque[Message] = field(default_factory=deque)
    _flying: list[tuple[int, int, Message]] = field(default_factory=list)
    _handles: dict[str, Message] = field(default_factory=dict)
    _number: int = 0

    def offer(self, order: dict[str, Any], change: Change, now: int, *, moved: bool, twice: bool = False) -> None:
        """Take a change, when the filter lets it through."""
        if not self.filter.wants(order, moved=moved):
            return
        if self.filter.type == "FromOrders" and not self.filter.again:
            if change.order_id in self.fired:
                return
            self.fired.add(change.order_id)
        self.fed = now
        event = f"{self.numbers.getrandbits(128):032X}"
        for _ in range(2 if twice else 1):
            self._ready.append(Message(event, change, now))

    def read(self, most: int, now: int, *, mixed: bool = False) -> list[Message]:
        """Return up to ten visible events, each with a new handle; they come back unless committed in time."""
        self._land(now)
        if mixed:
            self._mix()
        lot = [self._ready.popleft() for _ in range(min(most, LOT, len(self._ready)))]
        for message in lot:
            self._handles.pop(message.handle, None)
            message.tries += 1
            message.handle = f"eyJ{self.numbers.getrandbits(256):064x}"
            self._handles[message.handle] = message
            self._number += 1
            heapq.heappush(self._flying, (now + self.visibility * SECOND, self._number, message))
        return lot

    def _mix(self) -> None:
        """Shuffle what comes next; further behind, events are in disorder once they get here."""
        front = [self._ready.popleft() for _ in range(min(_MIXED, len(self._ready)))]
        self.numbers.shuffle(front)
        self._ready.extendleft(reversed(front))

    def commit(self, handle: str) -> bool:
        """Remove an event for good; whether the handle was still good."""
        message = self._handles.pop(handle, None)
        if message is None:
            return False
        message.handle = ""
        self.committed += 1
        return True

    def forgotten(self, now: int) -> bool:
        """Whether VTEX deletes the configuration: no event came for as long as events are kept."""
        return now - self.fed > self.retention * SECOND

    def told(self, now: int) -> dict[str, Any]:
        """Return the configuration and the state of the queue, as `GET /api/orders/feed/config` does."""
        self._land(now)
        waiting = [*self._ready, *(message for _, _, message in self._flying if message.handle)]
        oldest = min((message.since for message in waiting), default=now)
        return {
            "filter": self.filter.told(),
            "queue": {
                "visibilityTimeoutInSeconds": self.visibility, "MessageRetentionPeriodInSeconds": self.retention,
            },
            "quantity": len(waiting), "approximateAgeOfOldestMessageInSeconds": (now - oldest) / SECOND,
        }  # fmt: skip

    def _land(self, now: int) -> None:
        """Let events whose time out of sight is over be seen again, and drop the too old and the too often tried."""
        while self._flying and self._flying[0][0] <= now:
            _, _, message = heapq.heappop(self._flying)
            if message.handle:
                self._ready.append(message)
        oldest = now - self.retention * SECOND
        while self._ready and (self._ready[0].since < oldest or self._ready[0].tries > TRIES):
            self._handles.pop(self._ready.popleft().handle, None)


def event(message: Message) -> dict[str, str]:
    """Return an event as `GET /api/orders/feed` shows it."""
    change = message.change
    return {
        "eventId": message.event_id, "handle": message.handle, "domain": change.domain, "state": change.state,
        "lastState": change.last_state, "orderId": change.order_id, "lastChange": iso(change.last_change),
        "currentChange": iso(change.current_change),
    }  # fmt: skip
