"""A shard at work: takes what has arrived, runs turns, commits them one at a time."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic, time

import structlog

from streams.engine.errors import AgentStopped, DiskFailed, Fatal, Fenced, NotYet, TooLargeForBroker
from streams.engine.metrics import Metrics
from streams.engine.milestones import Milestones
from streams.engine.outbox import Row
from streams.engine.process import Patience
from streams.engine.settings import EngineSettings
from streams.engine.state import Arrived, ShardState
from streams.engine.transaction import EXIT_BROKEN_CHAIN, EXIT_COMMIT_UNKNOWN, EXIT_DISK, Transaction
from streams.engine.turn import Turn

log = structlog.get_logger(__name__)

PREPARE_S = 10.0
"""How long `NotYet.prepare` may take; the shard stands still meanwhile, the others go on."""
SHORTEST_POLL_S = 0.003
"""A fetch that leaves out a partition whose transaction is about to end does not wait for longer."""
REMAINING_SHARE = 0.5
"""A turn that has taken so long is expected to take this share of it again: a fetch of sixty partitions costs a
millisecond of the interpreter, which the turn needs itself."""
SMALLEST_RECORD = 32_768
"""Below this a broker's record limit cannot be what refuses our batches."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a shard needs of its worker.

    Attributes:
        settings: of the engine.
        milestones: who watches.
        metrics: where progress is counted.
        halted: topics that are stopped in the whole worker, and why.
        freed: called with topics whose next batch may be fetched.
        outbox_changed: called after each commit that touched the outbox.
        fatal: called when the worker has to exit.
        fenced: called with a shard that turns out to be another worker's.
    """

    settings: EngineSettings
    milestones: Milestones
    metrics: Metrics
    halted: dict[str, str]
    freed: Callable[[], None]
    outbox_changed: Callable[[int, Mapping[str, Row | None]], None]
    fatal: Callable[[Fatal], None]
    fenced: Callable[[int], None]


class ShardAtWork:
    """One owned shard, from its assignment to its revocation.

    Args:
        state: its tables and agents.
        transaction: its producer, started.
        around: the worker.
    """

    def __init__(self, state: ShardState, transaction: Transaction, around: Surroundings) -> None:
        self.number = state.number
        self.state = state
        self.committed: dict[str, int] = {}
        self.fenced_since: float | None = None
        self.turn_since: float | None = None
        self._transaction = transaction
        self._around = around
        self._waiting: dict[str, Arrived] = {}
        self._claims: dict[str, asyncio.Future[None]] = {}
        self._wake = asyncio.Event()
        self._not_before: dict[str, float] = {}
        self._next_tick = 0.0
        self._committing = False
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    def start(self, committed: Mapping[str, int]) -> None:
        """Begin to work; `committed` has the consumer's position in each topic after the seek."""
        self.committed = dict(committed)
        self._task = asyncio.create_task(self._work(), name=f"shard-{self.number}")

    async def close(self, patience_s: float = 10.0) -> None:
        """Stop: a transaction under way ends first, everything else is dropped."""
        task, self._task = self._task, None
        self._closing = True
        if task is not None:
            if self._committing:
                await asyncio.wait({task}, timeout=patience_s)
                if not task.done():
                    self._around.fatal(Fatal(
                        EXIT_COMMIT_UNKNOWN,
                        f"shard {self.number}: its transaction did not end in {patience_s:.0f} s while the shard was "
                        "being given away. The worker exits and is restarted; nothing is lost or doubled.",
                    ))  # fmt: skip
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for claim in self._claims.values():
            claim.cancel()
        self._claims.clear()
        await self._transaction.producer.stop()

    def wants(self, topic: str) -> bool:
        """Whether a batch of the topic may be delivered."""
        # A topic is fetched as late as its pause allows: the batch then holds all that has come meanwhile.
        return self._task is not None and topic not in self._waiting and monotonic() >= self._not_before.get(topic, 0.0)

    def wants_in(self, now: float) -> float | None:
        """Return the seconds until a topic that is not wanted now may be wanted again; None when all are."""
        halted = self._around.halted
        working = [topic for topic in tuple(self._waiting) if topic not in halted]
        since = self.turn_since
        rest = SHORTEST_POLL_S if since is None else max(SHORTEST_POLL_S, (now - since) * REMAINING_SHARE)
        waits = [max(rest, self._not_before.get(topic, 0.0) - now) for topic in working]
        waits += [left for until in tuple(self._not_before.values()) if (left := until - now) > 0]
        return min(waits, default=None)

    def arrived(self, one: Arrived) -> None:
        """Take a fetched batch; it waits for the next turn."""
        self._waiting[one.topic.name] = one
        self._wake.set()

    def skipped(self, topic: str, first: int, position: int) -> None:
        """Take note that there was nothing but control records from `first` to `position`."""
        if self.committed.get(topic) == first:
            self.committed[topic] = position

    async def claim(self, key: str) -> None:
        """Mark an effect as started, durably; returns when that is committed."""
        future = self._claims.setdefault(key, asyncio.get_running_loop().create_future())
        self._wake.set()
        await asyncio.shield(future)

    @property
    def waiting(self) -> dict[str, Arrived]:
        """What has arrived and is not committed."""
        return self._waiting

    async def _work(self) -> None:
        tick_s = self._around.settings.tick_ms / 1000
        try:
            while self.fenced_since is None and not self._closing:
                now = monotonic()
                if not self._wake.is_set() and now < self._next_tick:
                    await self._until_woken(self._next_tick - now)
                await asyncio.sleep(0)  # what came in the same fetch joins the turn
                self._wake.clear()
                now = self.turn_since = monotonic()
                ticking = now >= self._next_tick
                if ticking:
                    self._next_tick = now + tick_s
                await self._turn(ticking=ticking)
                self.turn_since = None
        except Fatal as error:
            self._around.fatal(error)
        except asyncio.CancelledError:
            raise
        except DiskFailed as error:
            self._around.fatal(Fatal(EXIT_DISK, str(error)))
        except (Exception, KeyboardInterrupt) as error:  # a shard that has stopped silently would be worse than an exit
            log.exception("shard crashed", shard=self.number)
            self._around.fatal(Fatal(EXIT_COMMIT_UNKNOWN, f"shard {self.number} crashed: {error!r}"))

    async def _until_woken(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _taken(self) -> list[Arrived]:
        return [one for name, one in self._waiting.items() if name not in self._around.halted]

    async def _turn(self, *, ticking: bool) -> None:
        arrived, claims = self._taken(), dict(self._claims)
        if not (arrived or claims or ticking):
            return
        started = monotonic()
        for one in arrived:
            self._not_before[one.topic.name] = started + self._around.settings.wait_ms / 1000
        while True:
            turn, arrived = await self._run(arrived, claims, ticking=ticking)
            for one in arrived:  # 4
                if self.committed.get(one.topic.name) != one.first:
                    raise Fatal(
                        EXIT_BROKEN_CHAIN,
                        f"shard {self.number}: the batch of {one.topic.name} starts at {one.first}, but "
                        f"{self.committed.get(one.topic.name)} is committed. The worker exits before it could count "
                        "anything twice or not at all; restarted, it reads the committed offset back.",
                    )
            if turn.empty or await self._commit(turn):
                break
        if self.fenced_since is None:
            self._done(turn, arrived, claims, monotonic() - started)

    async def _run(
        self, arrived: list[Arrived], claims: Mapping[str, object], *, ticking: bool
    ) -> tuple[Turn, list[Arrived]]:
        patience = Patience()
        while True:
            try:
                now = int(time() * 1000)
                turn = self.state.run(now, arrived, patience=patience, claims=claims, ticking=ticking)  # 3
            except NotYet as missing:
                await self._prepare(missing)
            except AgentStopped as stopped:
                self._around.halted[stopped.topic] = str(stopped)
                self._around.metrics.halted.labels(stopped.agent, stopped.topic).set(1)
                log.critical("agent stopped", agent=stopped.agent, topic=stopped.topic, shard=self.number,
                             message=str(stopped))  # fmt: skip
                arrived = [one for one in arrived if one.topic.name not in self._around.halted]
            else:
                self._around.milestones.reached("staged", self.number)
                return turn, arrived

    async def _prepare(self, missing: NotYet) -> None:
        try:
            async with asyncio.timeout(PREPARE_S):
                await missing.prepare()
        except Exception as error:  # noqa: BLE001  the agent decides again, and its second NotYet is a dead letter
            log.warning("could not prepare what an agent asked for", shard=self.number, reason=str(missing),
                        error=type(error).__name__)  # fmt: skip

    async def _commit(self, turn: Turn) -> bool:
        self._committing = True
        try:
            positions = await self._transaction.commit(turn)  # 5 to 8
            self.state.committed(turn, positions)  # 9
            self._around.milestones.reached("applied", self.number)
        except Fenced as error:
            self.fenced_since = monotonic()
            self._around.fenced(self.number)
            self._around.metrics.aborts.labels("fenced").inc()
            log.warning("shard fenced: another worker owns it; waiting for the rebalance", shard=self.number,
                        error=str(error))  # fmt: skip
        except TooLargeForBroker:
            await self._shrink()
            return False
        finally:
            self._committing = False
        return True

    async def _shrink(self) -> None:
        """Halve what a record may have and a batch may hold, until the culprit is found before it is sent."""
        self._around.metrics.aborts.labels("too-large").inc()
        self.state.record_limit //= 2
        if self.state.record_limit < SMALLEST_RECORD:
            raise Fatal(
                EXIT_COMMIT_UNKNOWN,
                f"shard {self.number}: the broker refuses even small batches for their size. Set `max.message.bytes` "
                "of the topics and `message.max.bytes` of the broker to 1 MB or more.",
            )
        log.warning("the broker refused a batch for its size: smaller ones from now on", shard=self.number,
                    record_limit=self.state.record_limit)  # fmt: skip
        producer = self._transaction.producer
        await producer.restart(min(producer.batch_bytes, self.state.record_limit // 2))

    def _done(
        self, turn: Turn, arrived: list[Arrived], claims: Mapping[str, "asyncio.Future[None]"], took: float
    ) -> None:
        self.committed.update(turn.offsets)
        for one in arrived:
            del self._waiting[one.topic.name]
        for key, claim in claims.items():
            self._claims.pop(key, None)
            if not claim.done():
                claim.set_result(None)
        if not turn.empty:
            self._around.metrics.turn(self.number, {one.topic.name: len(one.records) for one in arrived}, took)
        changes = turn.outbox_changes()
        if changes:
            self._around.outbox_changed(self.number, changes)  # 10
        if arrived:
            self._free_later(took)

    def _free_later(self, took: float) -> None:
        """Have the next batches of these topics fetched when the wait since the start of this turn is over."""
        left = self._around.settings.wait_ms / 1000 - took
        if left > 0:
            asyncio.get_running_loop().call_later(left, self._around.freed)
        else:
            self._around.freed()
