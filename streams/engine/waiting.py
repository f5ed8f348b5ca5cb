"""What a worker says while it is not at work: for whom it waits, how far that is; at growing intervals.

Also whether its shards are taken from it again and again: two workers that share a name fence each other for ever, each
of them believing that it has just been restarted.
"""

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import structlog

from connectors.seldom import Seldom

if TYPE_CHECKING:
    from streams.engine.engine import Engine

log = structlog.get_logger(__name__)

FIRST_S: Final = 2.0
LONGEST_S: Final = 60.0
"""Between two lines about the same."""
LONG_S: Final = 30.0
"""From then on it is a warning: a rebalance takes 20 s at most, the session of a worker that died 6 s."""
CONTEST_S: Final = 60.0
CONTEST_MOVES: Final = 10
"""Workers that are restarted keep their shards (static membership), and few join in a minute."""
REMEDY: Final = (
    "another worker with the same instance name probably runs: stop it, or give each a WORKER_INSTANCE of its own "
    "(a copied STATE_FOLDER copies the name, too)"
)


class Contest:
    """Counts how often the shards moved lately."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._telling = Seldom(FIRST_S, LONGEST_S)

    def observe(self, epoch: int, instance: str, now: float) -> None:
        """Take note of the engine's epoch, and warn while the shards keep moving."""
        if not self._seen or self._seen[-1][1] != epoch:
            self._seen.append((now, epoch))
        while self._seen[0][0] < now - CONTEST_S and len(self._seen) > 1:
            self._seen.popleft()
        if not self.moves:
            self._telling.over()
        elif self._telling.due(now):
            log.warning("the shards of this worker are taken away again and again", times=self.moves,
                        in_seconds=round(CONTEST_S), instance=instance, todo=REMEDY)  # fmt: skip

    @property
    def moves(self) -> int:
        """How often they moved in the last minute; 0 while that is usual."""
        moves = len(self._seen) - 1
        return moves if moves >= CONTEST_MOVES else 0


class WaitLog:
    """Tells what a worker waits for until it is at work, and that it is.

    Args:
        instance: the worker's name.
    """

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._telling = Seldom(2 * FIRST_S, LONGEST_S, quiet_s=FIRST_S)
        self._epoch = -1
        self._most = 0

    def observe(self, engine: "Engine", left: int | None, now: float | None = None) -> None:
        """Take note; called again and again.

        Args:
            engine: the worker's.
            left: records of changelogs that are to be restored; None while the consumer has no broker.
            now: seconds, of the monotonic clock.
        """
        now = monotonic() if now is None else now
        self._most = max(self._most, left or 0)
        if engine.live:
            self._at_work(engine, now)
        elif self._telling.due(now):
            waited = self._telling.lasted(now)
            whom, facts = self._whom(engine, left)
            tell = log.warning if waited >= LONG_S else log.info
            tell("this worker waits", whom=whom, instance=self._instance, seconds=round(waited), **facts)

    def _at_work(self, engine: "Engine", now: float) -> None:
        if engine.epoch == self._epoch:
            return
        self._epoch, self._most = engine.epoch, 0
        waited = self._telling.lasted(now)
        self._telling.over()
        shards = sorted(engine.shards)
        if shards:
            log.info("this worker is at work", shards=shards, instance=self._instance, after_s=round(waited, 1))
        else:
            log.info("this worker stands by: there are more workers than partitions", instance=self._instance)

    def _whom(self, engine: "Engine", left: int | None) -> tuple[str, dict[str, Any]]:
        if left is None:
            return "the broker: the consumer is connecting", {}
        if not engine.restoring:
            return (
                "an assignment of shards: other workers let go of theirs first, and one that died keeps its own until "
                "its session is over"
            ), {}
        if not self._most:
            return "its shards: their earlier owners are being fenced", {}
        done = 1 - left / self._most
        return "its tables, which are restored from their changelogs", {"records_left": left, "done": f"{done:.0%}"}
