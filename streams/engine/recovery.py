"""Faust's recovery, made to end exactly at the end of the changelogs.

Faust counts records against the high watermark; control records leave gaps that no record ever fills, so it stalls.
Here the consumer's position is compared with the read-committed end offset: positions pass control records.
"""

import asyncio
from typing import Any

from faust.tables.recovery import RebalanceAgain, Recovery

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
    """Recovery by position, of the present assignment only.

    Faust breaks a recovery off when the next one begins. By then the next assignment's earlier owners are being fenced,
    and the old recovery would have let batches flow to it: changelogs from their beginning into parts that stand at
    their end, and inputs into tables that are not restored.
    """

    _epoch = -1

    async def on_rebalance(self, *args: Any, **kwargs: Any) -> None:
        """Begin anew, as Faust does."""
        await super().on_rebalance(*args, **kwargs)
        self._epoch = self.app.engine.epoch

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109  Faust's signature
        """Wait as Faust does, before each step that follows.

        Raises:
            RebalanceAgain: the assignment has been revoked; whatever else the step has come upon then.
        """
        engine, epoch = self.app.engine, self._epoch
        if epoch == engine.epoch:
            try:
                await super()._wait(coro, timeout)
            except Exception as error:
                if epoch == engine.epoch:
                    raise
                raise RebalanceAgain from error
        else:
            coro.close()
        if epoch != engine.epoch:
            raise RebalanceAgain

    @property
    def signal_recovery_end(self) -> Any:
        """What Faust waits for."""
        return _Caught(self)

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        """Complete it as Faust does, and only then have batches delivered: its last step empties its queues."""
        await super().on_recovery_completed(generation_id)
        self.app.consumer.begin()

    def reached(self, tp: Any, position: int) -> None:
        """Take note of how far a changelog has been read."""
        if tp in self.active_tps:
            self.active_offsets[tp] = max(self.active_offsets[tp] or -1, position - 1)
        if tp in self.standby_tps:
            self.standby_offsets[tp] = position - 1
