# ruff: noqa: SLF001  touches internals of faust and aiokafka; each is named in internals.py and guarded by a test
"""Faust's consumer, handing on whole partition batches: one message for each, no acks, no commits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import structlog
from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from streams.engine.errors import Fatal
from streams.engine.fetch import Fetched, FetchThread
from streams.engine.transaction import EXIT_BROKEN_CHAIN, EXIT_CRASHED

log = structlog.get_logger(__name__)

FETCH_S = 0.2
"""How long a fetch waits in the consumer's thread; it returns earlier when anything comes."""

SEEK_S = 60.0
"""How long a broker may take to tell what is committed: less than the 90 s after which Faust gives up."""


class PartitionBatch:
    """What a Faust message of this engine carries: one fetched batch, on its way to its shard."""

    __slots__ = ("epoch", "first", "position", "records", "shard", "topic")

    def __init__(self, topic: str, shard: int, records: list[Any], *, first: int, position: int, epoch: int) -> None:
        self.topic = topic
        self.shard = shard
        self.records = records
        self.first = first
        self.position = position
        self.epoch = epoch


class BatchConsumer(driver.Consumer):
    """Yields partition batches; changelog records go straight to the tables."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._on_their_way: set[tuple[str, int]] = set()
        self._sought: tuple[dict[tuple[str, int], int], int] | None = None

    def _new_consumer_thread(self) -> FetchThread:
        return FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Seek every input to its committed offset, and only then let batches be delivered.

        Faust resumes source partitions before it calls this: a batch fetched in between would be counted twice. And it
        empties its queues afterwards: a batch in one would never arrive. So the engine delivers nothing until `begin`.

        Raises:
            Fatal: the broker does not answer; Faust would give up after 90 s, and leave it at that.
        """
        try:
            async with asyncio.timeout(SEEK_S):
                await self._seek_inputs()
        except TimeoutError as error:
            raise Fatal(
                EXIT_CRASHED,
                f"the broker did not tell in {SEEK_S:.0f} s how far the inputs were consumed. Nothing was read. The "
                "worker exits and is restarted; if this repeats, look at the broker.",
            ) from error

    async def _seek_inputs(self) -> None:
        engine = self.app.engine
        epoch = engine.epoch
        engine.live = False
        sources = [tp for tp in self.assignment() if tp.topic in engine.source_topics]
        inputs = [_plain(tp) for tp in sources]
        committed = await self._thread.seek_to_consumed(inputs, lambda: epoch == engine.epoch)
        if epoch != engine.epoch:  # what is missing was not looked for
            return
        new = [tp for tp in inputs if tp not in committed]
        if new:
            await self._tell_what_is_forgotten(new)
            await self._thread.seek_to_beginning(*new)
        await self._tell_what_is_lost([tp for tp in inputs if tp in committed], committed)
        if epoch != engine.epoch:
            return
        self._thread.positions.clear()
        self._thread.refusals.clear()
        self._read_offset.clear()
        self._on_their_way.clear()
        positions: dict[tuple[str, int], int] = {}
        for tp in sources:
            position = await self.position(tp)
            if position is None:
                raise RuntimeError(f"no position in {tp} after the seek")
            self._thread.positions[_plain(tp)] = position
            positions[tp.topic, tp.partition] = position
        self._sought = positions, epoch

    def begin(self) -> None:
        """Have the engine begin where the inputs were sought to, if there are any: everything flows."""
        sought, self._sought = self._sought, None
        if sought is not None:
            self.app.engine.begin(*sought)

    async def _tell_what_is_forgotten(self, new: list[TopicPartition]) -> None:
        """Say where input begins anew although it was consumed before.

        Of a group without members a broker forgets what is committed, after seven days unless it is told otherwise;
        tables and inputs may stand for longer. A shard whose tables have rows has committed something.
        """
        engine = self.app.engine
        inputs = len(engine.source_topics)
        counts = Counter(tp.partition for tp in new)
        worked = {number for number, count in counts.items() if count == inputs and engine.has_rows(number)}
        ends = await self.highwaters(*new) if worked else {}
        again = sorted({self._name(tp) for tp in new if tp.partition in worked and ends.get(tp)})
        if again:
            log.error("the broker has forgotten how far these inputs were consumed, and they are read from their "
                      "beginning: what still stands in them may be counted twice. Run `hellotext-vtex replay` to see. "
                      "Set `offsets.retention.minutes` of the broker to more than the workers will ever be away.",
                      topics=again, shards=sorted(worked))  # fmt: skip

    async def _tell_what_is_lost(self, known: list[TopicPartition], committed: Mapping[Any, int]) -> None:
        """Say what is gone from the inputs: nobody can bring it back, but somebody has to know.

        The consumer goes on at the first record that there is, or at the end, when that is before what was consumed:
        from the beginning, it would count everything again.
        """
        earliest = await self.earliest_offsets(*known) if known else {}
        ends = await self.highwaters(*known) if known else {}
        for tp in known:
            at, first, end = committed[tp], earliest.get(tp), ends.get(tp)
            if first is not None and first > at:
                self._tell_deleted(tp, at, first)
                await self._thread.seek_wait({tp: first})
            elif end is not None and end < at:
                log.error("the broker has lost input that was consumed: what is counted stays counted, and this worker "
                          "goes on at the end of what there is now. What came since the broker is back, before this "
                          "line, may not be counted: run `hellotext-vtex replay` to see.",
                          topic=self._name(tp), shard=tp.partition, committed=at, end=end)  # fmt: skip
                await self._thread.seek_wait({tp: end})

    def _tell_deleted(self, tp: Any, at: int, first: int) -> None:
        self.app.engine.metrics.lost.labels(self._name(tp)).inc(first - at)
        log.error("input was deleted by retention before it was consumed", topic=self._name(tp), shard=tp.partition,
                  committed=at, first=first, records=first - at)  # fmt: skip

    def _name(self, tp: Any) -> str:
        return str(self.app.engine.source_topics[tp.topic].name)

    def _moved(self, tp: Any, before: int, position: int) -> None:
        """Hear that there was no record at the position of an input, under way.

        Raises:
            Fatal: the input ends before it.
        """
        if position > before:
            self._tell_deleted(tp, before, position)
            return
        raise Fatal(
            EXIT_BROKEN_CHAIN,
            f"{self._name(tp)} in shard {tp.partition} ends before offset {before}, up to which it was consumed: the "
            "topic was deleted and created anew, or the broker has lost records. The worker exits; restarted, it reads "
            "a new topic from its beginning, and an old one from where it ends now.",
        )

    def _wanted(self, tp: Any) -> bool:
        active = self._active_partitions
        if active is None or tp not in active:
            return False
        if tp.topic in self.app.tables._changelogs:
            return True
        return (tp.topic, tp.partition) not in self._on_their_way and bool(
            self.app.engine.wants(tp.topic, tp.partition)
        )

    def _is_changelog(self, topic: str) -> bool:
        return topic in self.app.tables._changelogs

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[Any, Any]]:  # noqa: ASYNC109  Faust's signature
        """Yield one message for each partition that has something."""
        del timeout
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        engine = self.app.engine
        epoch = engine.epoch  # no generation: a member that joins anew, and is given what it had, stays in the same one

        def current() -> bool:
            return bool(self.flow_active) and epoch == engine.epoch

        fetched = await self._thread.fetch(
            self._wanted, self._is_changelog, current, seconds=FETCH_S, max_records=engine.settings.batch_records
        )
        if self.should_stop or not current():
            return  # what was fetched is not lost: the seeks after the rebalance go back to what is committed
        for tp, (records, first, position, moved) in self._restored(fetched):
            if not current():  # a rebalance, while the one before was on its way
                return
            if first is None:
                continue
            if moved:
                self._moved(tp, first, position)
            if records:
                self._on_their_way.add((tp.topic, tp.partition))
                yield TP(tp.topic, tp.partition), self._message(tp, records, first, position, epoch)
            else:
                engine.deliver(tp.topic, tp.partition, [], first, position)
        if not fetched:
            await asyncio.sleep(0)

    def _restored(self, fetched: Mapping[Any, Fetched]) -> list[tuple[Any, Fetched]]:
        """Restore what is of changelogs; return what is of inputs.

        All at once: a rebalance in between would have a table begin with what stands in the middle of its changelog.
        """
        inputs = []
        for tp, one in fetched.items():
            if self._is_changelog(tp.topic):
                self._restore(tp, one.records, one.position)
            elif self.app.engine.live:
                inputs.append((tp, one))
        return inputs

    def forget_positions(self) -> None:
        """Begin a new assignment: every changelog is sought, and tells its position anew, also one that was told."""
        self._thread.positions.clear()

    def _restore(self, tp: Any, records: list[Any], position: int) -> None:
        table = self.app.tables._changelogs[tp.topic]
        table.restore(tp.partition, records, position)
        self.app.tables.recovery.reached(TP(tp.topic, tp.partition), position)
        if records:
            self.app.engine.metrics.restored.labels(table.name).inc(len(records))

    def _message(self, tp: Any, records: list[Any], first: int, position: int, epoch: int) -> Any:
        last = records[-1]
        return driver.ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, 0, (), None,
            PartitionBatch(tp.topic, tp.partition, records, first=first, position=position, epoch=epoch),
            None, 0, 0, tp, generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    def arrived(self, batch: PartitionBatch) -> None:
        """Hand a batch that has come through Faust to its shard, unless a rebalance has come between."""
        if batch.epoch == self.app.engine.epoch:
            self._on_their_way.discard((batch.topic, batch.shard))
            self.app.engine.deliver(batch.topic, batch.shard, batch.records, batch.first, batch.position)

    def lags(self) -> dict[tuple[str, int], int]:
        """Return how many committed records of each input partition were not delivered yet, as far as is known.

        Only of shards at work: of one that has moved away nobody here knows.
        """
        engine, found = self.app.engine, {}
        for tp, position in tuple(self._thread.positions.items()):
            if position is not None and tp.topic in engine.source_topics and tp.partition in engine.shards:
                end = self._thread.last_stable(tp)
                found[tp.topic, tp.partition] = max(0, (end or position) - position)
        return found

    def answers(self) -> dict[tuple[str, int], int]:
        """Return when a broker last answered for each input partition of which a batch is wanted (Unix ms)."""
        return {
            (tp.topic, tp.partition): self._thread.last_answer(tp)
            for tp in tuple(self._thread.positions)
            if tp.topic in self.app.engine.source_topics and self.app.engine.wants(tp.topic, tp.partition)
        }

    def refused(self) -> dict[tuple[str, int], tuple[str, float]]:
        """Return the partitions of which nothing can be had: what each waits for, and since when."""
        engine, waits = self.app.engine, self._thread.refusals.waits()
        return {
            (tp.topic, tp.partition): wait
            for tp, wait in waits.items()
            if engine.restoring or tp.partition in engine.shards  # of one that has moved away nobody here knows
        }

    def there(self) -> dict[str, bool]:
        """Return of each input topic whether the brokers know it."""
        sources = self.app.engine.source_topics
        return {topic.name: self._thread.partitions_of(name) is not None for name, topic in sources.items()}

    def misshapen(self) -> list[str]:
        """Return the input topics that have got another number of partitions since the worker has started."""
        wanted = self.app.conf.topic_partitions
        sources = self.app.engine.source_topics.items()
        return sorted(topic.name for name, topic in sources if self._thread.partitions_of(name) not in {None, wanted})

    def freed(self) -> None:
        """Have the fetch under way look at what is wanted now."""
        if self._thread.started:
            self._thread.freed()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit nothing: offsets are committed in the shards' transactions."""
        del topics, start_new_transaction
        return False


def _plain(tp: Any) -> TopicPartition:
    """Return aiokafka's own type: it refuses Faust's."""
    return TopicPartition(tp.topic, tp.partition)


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with the engine's consumer, and the connection's security for Faust's producer."""

    Consumer = BatchConsumer

    class Producer(driver.Producer):
        """Faust wants a producer; the engine sends nothing through it."""

        def _new_producer(self, transactional_id: str | None = None) -> Any:
            del transactional_id
            return driver.aiokafka.AIOKafkaProducer(**self.app.kafka_options)
