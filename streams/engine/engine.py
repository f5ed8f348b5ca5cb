"""The engine of a worker: which shards it owns, their tables, and what moves when Kafka moves them."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Mapping
from time import monotonic, time

import structlog

from schemas.topics import Topic
from streams.engine.agent import Record
from streams.engine.disk import STALE_MS
from streams.engine.effects import EffectRunner
from streams.engine.errors import Fatal
from streams.engine.fuse import Fuses
from streams.engine.metrics import Metrics
from streams.engine.milestones import Milestones
from streams.engine.names import StreamNames
from streams.engine.parts import Part
from streams.engine.producer import ShardProducer
from streams.engine.registry import Parts
from streams.engine.settings import EngineSettings
from streams.engine.shard import ShardAtWork, Surroundings
from streams.engine.state import Arrived, Line, ShardState
from streams.engine.transaction import EXIT_CRASHED, EXIT_FENCED, EXIT_SPLIT_SHARD, Transaction

log = structlog.get_logger(__name__)

FENCED_PATIENCE_S = 15.0
"""A fenced worker hears of the rebalance at its next heartbeat; without one, its own transaction was too slow."""

SWEEP_S = 3_600.0
"""How often the disk is looked through for shards that moved away long ago."""


class Engine:
    """Everything of a worker that is not Faust.

    Args:
        line: the agents.
        names: of topics on the broker.
        options: for any aiokafka client.
        settings: of the engine.
        effects: makes the calls.
        metrics: where progress is counted.
        milestones: who watches.
        fatal: called when the worker has to exit.
    """

    def __init__(
        self, *, line: Line, names: StreamNames, options: Mapping[str, object], settings: EngineSettings,
        effects: EffectRunner, metrics: Metrics, milestones: Milestones, fatal: Callable[[Fatal], None],
    ) -> None:  # fmt: skip
        self.line = line
        self.names = names
        self.settings = settings
        self.effects = effects
        self.metrics = metrics
        self.milestones = milestones
        self.halted: dict[str, str] = {}
        self.shards: dict[int, ShardAtWork] = {}
        self.parts = Parts(line.tables, settings.state_folder)
        self.live = False
        self.epoch = 0
        """Goes up with every revocation: what began under another one concerns shards that have gone."""
        self.on_freed: Callable[[], None] = lambda: None
        self._topics: dict[str, Topic] = {names.topic(name): topic for name, topic in line.topics.items()}
        self._fuses = Fuses()
        self._options = options
        self._fatal = fatal
        self._around = Surroundings(
            settings=settings, milestones=milestones, metrics=metrics, halted=self.halted,
            freed=self._free, outbox_changed=effects.changed, fatal=fatal, fenced=effects.fenced,
        )  # fmt: skip
        self._producers: dict[int, ShardProducer] = {}
        self._next_sweep = 0.0
        self._checked_at = time()

    def _free(self) -> None:
        self.on_freed()

    @property
    def source_topics(self) -> Mapping[str, Topic]:
        """The input topics, by their name on the broker."""
        return self._topics

    async def revoke(self) -> None:
        """Let go of every shard: finish what is being committed, drop the rest."""
        self.live = False
        self.epoch += 1
        shards, self.shards = self.shards, {}
        producers, self._producers = self._producers, {}
        await asyncio.gather(
            *(shard.close() for shard in shards.values()),
            *(producer.stop() for producer in producers.values()),
            self.effects.let_go(),
        )
        self.metrics.let_go()

    async def assign(self, assigned: Iterable[tuple[str, int]]) -> None:
        """Fence every earlier owner of the assigned shards (step 1 of the commit protocol)."""
        epoch = self.epoch + 1
        await self.revoke()
        if epoch != self.epoch:  # the worker is told to stop meanwhile: it would fence whoever is next
            return
        numbers, started = self._whole_shards(assigned), monotonic()
        self._producers = {number: self._producer(number) for number in numbers}
        try:
            await asyncio.gather(*(producer.start() for producer in self._producers.values()))
        except Exception as error:  # noqa: BLE001  aiokafka would log it, and hold the shards without working on them
            if epoch != self.epoch:  # the worker is told to stop meanwhile
                return
            self._fatal(Fatal(
                EXIT_CRASHED,
                f"the earlier owners of shards {sorted(numbers)} could not be fenced: {error!r}. Nothing was read or "
                "written. The worker exits and is restarted; if this repeats, look at the broker.",
            ))  # fmt: skip
        took = round((monotonic() - started) * 1000)
        log.info("shards assigned, their earlier owners are fenced", shards=sorted(numbers), ms=took)
        for number in numbers:
            self.milestones.reached("recovering", number)
        if not numbers:  # more workers than partitions: nothing is restored, so nobody calls `begin`
            self.live = True

    def _whole_shards(self, assigned: Iterable[tuple[str, int]]) -> set[int]:
        """Return the assigned shards; a shard is one partition number of all topics and tables, never of some."""
        by_number: dict[int, set[str]] = {}
        for topic, number in assigned:
            by_number.setdefault(number, set()).add(topic)
        whole = self._topics.keys() | {self.names.changelog(table) for table in self.line.tables}
        # Where it has no input it is a standby's: it follows the changelogs.
        by_number = {number: topics for number, topics in by_number.items() if topics & self._topics.keys()}
        for number, topics in by_number.items():
            missing = whole - topics
            if missing:
                self._fatal(Fatal(
                    EXIT_SPLIT_SHARD,
                    f"shard {number} was assigned without {sorted(missing)}: either these topics have another number "
                    "of partitions (run `hellotext-vtex doctor`), or workers of two versions with different topics "
                    "run together. Stop them all, then start the new version.",
                ))  # fmt: skip
        return set(by_number)

    def _producer(self, number: int) -> ShardProducer:
        settings = self.settings
        return ShardProducer(
            self._options, self.names.transactional_id(number), settings.transaction_timeout_ms, settings.compression
        )

    def begin(self, positions: Mapping[tuple[str, int], int], epoch: int) -> None:
        """Start to work: tables are restored and every input is sought (end of step 2).

        Args:
            positions: of the consumer, in each input partition.
            epoch: when the seek began; when it is over, the positions are those of an assignment that has gone.
        """
        if epoch != self.epoch:
            return
        by_number: dict[int, dict[str, int]] = {number: {} for number in self._producers}
        for (topic, number), position in positions.items():
            if topic in self._topics and number in by_number:
                by_number[number][self._topics[topic].name] = position
        for number, committed in by_number.items():
            parts = self.parts.of_shard(number)
            for part in parts.values():
                part.caught_up()
            state = ShardState(number, self.line, parts, self._fuses)
            transaction = Transaction(
                number, self._producers[number], self.names,
                timeout_s=self.settings.transaction_timeout_ms / 1000 + 5, milestones=self.milestones,
            )  # fmt: skip
            shard = self.shards[number] = ShardAtWork(state, transaction, self._around)
            shard.start(committed)
            self.effects.take_over(number, state.outbox(), shard.claim)
        self._producers = {}
        # What aiokafka had fetched and dropped meanwhile stands in cycles: megabytes for each partition, which Python's
        # collector, as seldom as it runs here, would leave there for hours.
        gc.collect()
        self.metrics.shards.set(len(self.shards))
        self.live = True
        self.on_freed()

    def wants(self, topic: str, number: int) -> bool:
        """Whether a batch of the partition may be delivered now."""
        if not self.live:
            return False
        shard = self.shards.get(number)
        return shard is not None and shard.wants(self._topics[topic].name)

    def wanted_in(self) -> float | None:
        """Return the seconds until a partition that is not wanted now may be; None when all are. From any thread."""
        now = monotonic()
        waits = [shard.wants_in(now) for shard in tuple(self.shards.values())]
        return min((wait for wait in waits if wait is not None), default=None)

    def deliver(self, topic: str, number: int, records: list[Record], first: int, position: int) -> None:
        """Hand a fetched batch to its shard; for a shard that has gone it is dropped: it is not committed."""
        shard = self.shards.get(number)
        if shard is None or not self.live:
            return
        known = self._topics[topic]
        if records:
            shard.arrived(Arrived(known, records, first, position))
        else:
            shard.skipped(known.name, first, position)

    @property
    def restoring(self) -> bool:
        """Whether shards were assigned whose tables are not restored yet."""
        return bool(self._producers)

    def has_rows(self, number: int) -> bool:
        """Whether a table of the shard holds anything; looks through a part in memory, so it is for rare questions."""
        return any(True for part in self.parts.of_shard(number).values() for _ in part.items("", -1))

    def part(self, table: str, number: int) -> Part:
        """Return a table's part."""
        return self.parts.of(table, number)

    def check(self) -> None:
        """Exit when a shard was fenced and no rebalance took it away, or after a long sleep; tidy up now and then."""
        slept, self._checked_at = time() - self._checked_at, time()
        if slept * 1000 > STALE_MS:
            self._fatal(Fatal(
                EXIT_FENCED,
                f"this worker did not run for {slept / 3600:.0f} hours (suspended, or its clock was set): its tables "
                "in memory may have missed tombstones that are compacted away by now. The worker exits and is "
                "restarted: it reads its tables anew; nothing is lost or doubled.",
            ))  # fmt: skip
        if self.live and monotonic() >= self._next_sweep:
            self._next_sweep = monotonic() + SWEEP_S
            self.parts.sweep()
        for shard in self.shards.values():
            if shard.fenced_since is not None and monotonic() - shard.fenced_since > FENCED_PATIENCE_S:
                self._fatal(Fatal(
                    EXIT_FENCED,
                    f"shard {shard.number} was fenced {FENCED_PATIENCE_S:.0f} s ago and no rebalance followed: the "
                    "broker stalled for longer than the transaction time-out, or another worker runs with the same "
                    "TOPIC_PREFIX and instance. The worker exits and is restarted; nothing is lost or doubled.",
                ))  # fmt: skip
