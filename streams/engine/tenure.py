"""For how long a worker may take its shards for its own: as the last answer of its group says.

A worker that is cut off from the brokers hears neither that its session is over nor that others work on its shards.
What it would write is refused, so nothing comes of that; a destination refuses nobody. The group counts a session from
the arrival of a heartbeat, or of the request that brings an assignment: counted from before it was sent, it is never
over later here than there.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupLoadInProgressError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.group import HeartbeatRequest, SyncGroupRequest

SHARE: Final = 2 / 3
"""Of a session in which calls may begin: those under way have the rest to end, before the shards can be another's."""
LOOK_S: Final = 0.1
NO_ERROR: Final = 0


class Tenure:
    """What is known of this worker's membership.

    Args:
        session_s: after which the group gives the shards of a silent member to others.
    """

    def __init__(self, session_s: float) -> None:
        self._lasts_s = session_s * SHARE
        self._confirmed_at = monotonic() - self._lasts_s

    def confirm(self, sent: float) -> None:
        """Take note that the group knows this worker; from any thread.

        Args:
            sent: when it was asked, of the monotonic clock.
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
    """aiokafka's member of the group, telling when it had sent what the group has answered.

    And hearing when a coordinator refuses to say what is committed (it is loading, or has moved): aiokafka overlooks
    that, and takes it for an answer: that nothing is. Inputs would be read from their beginning, and counted twice.
    """

    confirm: Callable[[float], None]

    async def _send_req(self, request: Any) -> Any:
        sent = monotonic()
        answer = await super()._send_req(request)
        if isinstance(request, OffsetFetchRequest) and answer.error_code != NO_ERROR:
            error = for_code(answer.error_code)
            if not issubclass(error, GroupLoadInProgressError):
                self.coordinator_dead()  # looked up anew before it is asked again
            raise error
        if isinstance(request, HeartbeatRequest | SyncGroupRequest) and answer.error_code == NO_ERROR:
            self.confirm(sent)
        return answer
