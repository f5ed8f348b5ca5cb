"""What was told before, in tables (issue 7, item 3).

| event | is told again when | known for | table |
| --- | --- | --- | --- |
| an order action, `checkout.started` | its natural key is known (natural_keys.py) | ever; 30 days | ORDERS; CHECKOUTS |
| with its sender's id | the id is known; with another body: a conflict | 7 days | IDS |
| of a page's session | the same happened a moment before or after (`window`) | 24 hours | RECENT |
| any other | our id is known: the collector's own repetition | 24 hours | RECENT |

For a page's event under our own id the content takes the id's place, since a record that the collector repeats has the
same content at the same time: one row instead of two.
"""

from datetime import timedelta
from typing import Any, Final, Literal

from schemas.pixel import CHECKOUT_STARTED
from streams.engine.agent import RAW, TEXT, Shard, Table, View
from streams.tracking_rules.content import digest_of
from streams.tracking_rules.envelope import Event
from streams.tracking_rules.natural_keys import natural_key, substance, weigh

IDS: Final = Table("tracking-ids", TEXT, ttl=timedelta(days=7), disk=True)
RECENT: Final = Table("tracking-recent", RAW, ttl=timedelta(hours=24))
ORDERS: Final = Table("tracking-orders", TEXT, disk=True)
CHECKOUTS: Final = Table("tracking-checkouts", TEXT, ttl=timedelta(days=30), disk=True)
TABLES: Final = (IDS, RECENT, ORDERS, CHECKOUTS)

VIEW_MS: Final = 2_000
"""Who looks at the same again within two seconds has looked once; some pages tell a view again when complete."""
ACT_MS: Final = 1_000
"""Two tags fire within milliseconds, their calls arrive within a second; who means it twice takes longer."""
_MINUTE_MS: Final = 60_000  # fits into two bytes
_LONG_ID: Final = 64

Verdict = Literal["new", "duplicate", "supplement", "conflict"]


def window(data: dict[str, Any]) -> int:
    """Return within how many milliseconds the same content is the same event; pixel.js has it so, too."""
    action = data.get("action", "")
    return VIEW_MS if action.endswith(".viewed") or not action or action.startswith("search") else ACT_MS


class Seen:
    """Judges the events of one batch; what `judge` noted is written by `keep`, once the event is on its way."""

    def __init__(self, shard: Shard) -> None:
        self._ids = shard.table(IDS)
        self._recent = shard.table(RECENT)
        self._orders = shard.table(ORDERS)
        self._checkouts = shard.table(CHECKOUTS)
        self._noted: list[tuple[View, str, Any]] = []

    def judge(self, event: Event, content: str | None) -> Verdict:
        """Return whether an event is new.

        Args:
            event: placed in time, mended and valued.
            content: its digest as it was told; None when it has a natural key.
        """
        self._noted.clear()
        if content is None:
            return self._by_natural_key(event)
        page = event.data.get("sent_by") != "server" and "session" in event.data
        if event.given:  # two ids are two events, whatever they say: their sender knows best
            return self._by_id(event, content)
        if page:
            return "duplicate" if self._told(event, content) else "new"
        return self._by_our_id(event)

    def keep(self) -> None:
        """Write what the last event has taught."""
        for view, key, row in self._noted:
            view[key] = row

    def _by_natural_key(self, event: Event) -> Verdict:
        data = event.data
        if event.given and self._by_id(event, substance(data)) == "conflict":
            return "conflict"
        view = self._checkouts if data["action"] == CHECKOUT_STARTED else self._orders
        key = f"{event.store}/{natural_key(data)}"
        verdict, row = weigh(view.get(key), data, event.at)
        if verdict != "duplicate":
            self._noted.append((view, key, row))
        return verdict

    def _by_id(self, event: Event, content: str) -> Verdict:
        key = f"{event.store}/{event.id if len(event.id) <= _LONG_ID else digest_of(event.id)}"
        known = self._ids.get(key)
        if known is None:
            self._noted.append((self._ids, key, content))
            return "new"
        return "duplicate" if known == content else "conflict"

    def _by_our_id(self, event: Event) -> Verdict:
        key = f"{event.store}/{event.id}"
        if key in self._recent:
            return "duplicate"
        self._noted.append((self._recent, key, b""))
        return "new"

    def _told(self, event: Event, content: str) -> bool:
        """Return whether the same content happened less than a window away, in either direction.

        A row holds when it happened within one minute, so that one look is enough where no minute's end is near.
        """
        near = window(event.data)
        minute, place = divmod(event.at, _MINUTE_MS)
        stem = f"{event.store}/{content}/"
        row: bytes = self._recent.get(f"{stem}{minute}", b"")
        if row and _near(row, place, near):
            return True
        if place < near and _near(self._recent.get(f"{stem}{minute - 1}", b""), place + _MINUTE_MS, near):
            return True
        if place > _MINUTE_MS - near and _near(self._recent.get(f"{stem}{minute + 1}", b""), place - _MINUTE_MS, near):
            return True
        self._noted.append((self._recent, f"{stem}{minute}", row + place.to_bytes(2)))
        return False


def _near(row: bytes, place: int, near: int) -> bool:
    """Return whether any of a row's moments, two bytes each, is less than `near` away."""
    return any(abs(int.from_bytes(row[at : at + 2]) - place) < near for at in range(0, len(row), 2))
