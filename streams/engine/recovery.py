"""Faust's recovery, made to end exactly at the end of the changelogs.

Faust counts records against the high watermark; control records leave gaps that no record ever fills, so it stalls.
Here the consumer's position is compared with the read-committed end offset: positions pass control records.
"""

import asyncio
from typing import Any

from faust.tables.recovery import Recovery

POLL_S = 0.005


class _Caught:
    """Stands where Faust has an event that its record-by-record loop sets."""

    def __init__(self, recovery: "ExactRecovery") -> None:
        self._recovery = recovery

    def set(self) -> None:
        """Do nothing: only the positions decide."""

    def clear(self) -> None:
        """Do nothing, as above."""

    async def wait(self) -> bool:
        """Return when every active changelog has been read to its end."""
        while self._recovery.need_recovery():  # noqa: ASYNC110  positions move in another thread
            await asyncio.sleep(POLL_S)
        return True


class ExactRecovery(Recovery):
    """Recovery by position."""

    @property
    def signal_recovery_end(self) -> Any:
        """What Faust waits for."""
        return _Caught(self)

    def reached(self, tp: Any, position: int) -> None:
        """Take note of how far a changelog has been read."""
        if tp in self.active_tps:
            self.active_offsets[tp] = max(self.active_offsets[tp] or -1, position - 1)
        if tp in self.standby_tps:
            self.standby_offsets[tp] = position - 1
