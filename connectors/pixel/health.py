"""Liveness and readiness, derived from progress: the age of the last acknowledgement and the spool's depth."""

import time
from typing import Any

from connectors.pixel.answers import Answer, answer
from connectors.pixel.producer import Outlet
from connectors.pixel.spool import Spool


class Health:
    """What probes ask for."""

    def __init__(self, outlet: Outlet, spool: Spool, *, spool_limit: int, ready_after: float) -> None:
        self._outlet = outlet
        self._spool = spool
        self._spool_limit = spool_limit
        self._ready_after = ready_after
        self.stopping = False

    def live(self) -> Answer:
        """Answer that the event loop turns."""
        return answer(200, {"status": "live"})

    def ready(self) -> Answer:
        """Answer 200 while events can be accepted without the spool filling up, 503 otherwise, with the reasons."""
        age = time.monotonic() - self._outlet.last_ack if self._outlet.last_ack else None
        fill = self._spool.size / self._spool_limit
        reasons = []
        if age is None:
            reasons.append("Kafka has not answered yet")
        elif age > self._ready_after:
            reasons.append(f"Kafka's last acknowledgement is {age:.0f} s old")
        if fill > 0.9:  # noqa: PLR2004  a tenth is left for what is on its way while the balancer turns
            reasons.append(f"the spool is {fill:.0%} full")
        if self._outlet.away and self._spool.room.trouble:
            reasons.append(self._spool.room.trouble)
        if self.stopping:
            reasons.append("the collector is stopping")
        document: dict[str, Any] = {
            "status": "unready" if reasons else "ready",
            "reasons": reasons,
            "last_acknowledgement_age_s": None if age is None else round(age, 3),
            "spool_bytes": self._spool.size,
            "spool_trouble": self._spool.room.trouble,
        }
        return answer(503 if reasons else 200, document)
