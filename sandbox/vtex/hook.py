"""The order hook of one application key (NOTES 4.5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from sandbox.vtex.clock import DAY, iso
from sandbox.vtex.courier import Parcel
from sandbox.vtex.feed import Change
from sandbox.vtex.filters import Filter

QUIET: Final = 3 * DAY
"""A hook without a notification for so long loses its configuration."""
RETRIES: Final = 8
PING: Final = orjson.dumps({"hookConfig": "ping"})


@dataclass(slots=True)
class Hook:
    """Where to post, what, and with which headers: they are the only authentication."""

    filter: Filter
    url: str
    headers: Mapping[str, str]
    app_key: str
    account: str
    told_at: int

    def parcel(self, order: dict[str, Any], change: Change, now: int, *, moved: bool) -> Parcel | None:
        """Return the notification of a change, when the filter lets it through."""
        if not self.filter.wants(order, moved=moved):
            return None
        self.told_at = now
        body = {
            "Domain": change.domain, "OrderId": change.order_id, "State": change.state,
            "LastState": change.last_state, "LastChange": iso(change.last_change),
            "CurrentChange": iso(change.current_change), "Origin": {"Account": self.account, "Key": self.app_key},
        }  # fmt: skip
        return Parcel(self.url, self.headers, orjson.dumps(body), retries=RETRIES)

    def forgotten(self, now: int) -> bool:
        """Whether VTEX deletes the configuration."""
        return now - self.told_at > QUIET

    def told(self) -> dict[str, Any]:
        """Return the configuration."""
        return {"filter": self.filter.told(), "hook": {"url": self.url, "headers": dict(self.headers)}}
