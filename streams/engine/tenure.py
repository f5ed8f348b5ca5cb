"""For how long a worker may take its shards for its own: as its last heartbeat that was answered says.

A worker that is cut off from the brokers hears neither that its session is over nor that others work on its shards.
What it would write is refused, so nothing comes of that; a destination refuses nobody. The group counts a session from
the arrival of a heartbeat: counted from before it was sent, it is never over later here than there.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from aiokafka.consumer.group_coordinator import GroupCoordinator

SHARE: Final = 2 / 3
"""Of a session in which calls may begin: those under way have the rest to end, before the shards can be another's."""
LOOK_S: Final = 0.1


class Tenure:
    """What is known of this worker's membership.

    Args:
        session_s: after which the group gives the shards of a silent member to others.
    """

    def __init__(self, session_s: float) -> None:
        self._lasts_s = session_s * SHARE
        self._confirmed_at = monotonic() - self._lasts_s

    def confirm(self, sent: float) -> None:
        """Take note that a heartbeat was answered; from any thread.

        Args:
            sent: when it was sent, of the monotonic clock.
        """
        self._confirmed_at = sent

    @property
    def over_for(self) -> float:
        """Seconds for which nobody knows whose the shards are; 0 while they are surely this worker's."""
        return max(0.0, monotonic() - self._confirmed_at - self._lasts_s)

    async def held(self) -> None:
        """Return while the shards are surely this worker's, or when they are again."""
        while self.over_for:  # noqa: ASYNC110  told by another thread, and rarely waited for
            await asyncio.sleep(LOOK_S)


class ToldCoordinator(GroupCoordinator):
    """aiokafka's member of the group, telling when a heartbeat that was answered had been sent."""

    confirm: Callable[[float], None]

    async def _do_heartbeat(self) -> bool:
        sent = monotonic()
        alive = bool(await super()._do_heartbeat())
        if alive:
            self.confirm(sent)
        return alive
