# ruff: noqa: SLF001  touches internals of faust and aiokafka; each is named in internals.py and guarded by a test
"""The consumer's thread: fetches partition batches for whoever wants one, and wakes when a partition is freed."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.engine.agent import Record
from streams.engine.refusals import Refusals
from streams.engine.tenure import ToldCoordinator
from streams.engine.unpack import take

CAUGHT_UP = 500
"""A fetch with fewer records was the end of the partition: it is paused until it is wanted again, so that the next
fetch brings what has arrived meanwhile instead of what was prefetched."""


LONGEST_POLL_MS = 20
"""Of a fetch that leaves a partition out: its turn may end earlier than is known."""
UNKNOWN_POLL_MS = 2
"""A partition is on its way between the threads."""


class PromptFetcher(Fetcher):
    """aiokafka's fetcher, asking before each fetch how long it may wait, and never asleep beside an idle broker.

    One fetch is under way per broker: a long one delays every partition that is not part of it.

    aiokafka notes in `_in_flight` which brokers have a fetch under way, and strikes one off in a done-callback. When
    something else wakes its routine in the same turn of the loop, that comes too late: the broker still counts as
    busy, nothing is fetched, and the routine sleeps for its 200 ms. Seen at 2,000 events/s: every tenth batch late.
    """

    poll_ms: Callable[[], int]

    @property
    def _fetch_max_wait_ms(self) -> int:
        return self.poll_ms()

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        try:
            return bool(await super()._proc_fetch_request(assignment, node_id, request))
        except asyncio.CancelledError:  # while it waits to try again: aiokafka's close() would be cancelled with it
            return False
        finally:
            self._in_flight.discard(node_id)

    async def _update_fetch_positions(self, assignment: Any, node_id: int, tps: Any) -> Any:
        try:
            return await super()._update_fetch_positions(assignment, node_id, tps)
        finally:
            self._in_flight.discard(node_id)


class Fetched(NamedTuple):
    """What was fetched of one partition: maybe no records, when only control records were passed.

    Attributes:
        records: in offset order.
        first: the position before them; None when it is not known.
        position: the position behind them.
        moved: whether aiokafka has moved the position to the first record that there is, since there is none at ours.
    """

    records: list[Any]
    first: int | None
    position: int
    moved: bool = False


class FetchThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, with the engine's consumer settings and a fetch that does not poll."""

    def __init__(self, consumer: Any, *, loop: asyncio.AbstractEventLoop, **kwargs: Any) -> None:
        # Of the same kind as the worker's loop: left to itself, the thread would run asyncio's own beside uvloop.
        super().__init__(consumer, loop=loop, thread_loop=type(loop)(), **kwargs)
        self._close_thread_loop_on_stop = True
        # Looked at by the worker's thread, which may be there before this one has begun.
        self.positions: dict[Any, int | None] = {}
        self.refusals = Refusals()

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        del transport
        app = self.app
        settings = app.engine.settings
        self._assignor = app.assignor
        return AIOKafkaConsumer(
            **app.kafka_options,
            group_id=app.engine.names.group,
            group_instance_id=settings.instance,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_interval_ms=settings.max_poll_interval_ms,
            max_partition_fetch_bytes=settings.fetch_bytes,
            fetch_max_wait_ms=settings.fetch_wait_ms,
            request_timeout_ms=max(40_000, settings.session_timeout_ms + 5_000),
            session_timeout_ms=settings.session_timeout_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_ms,
            check_crcs=True,
            retry_backoff_ms=50,
        )

    async def on_start(self) -> None:
        """Start the consumer."""
        self._freed = asyncio.Event()
        await super().on_start()
        consumer = self._ensure_consumer()
        fetcher, coordinator = consumer._fetcher, consumer._coordinator
        fetcher._prefetch_backoff = 0.0
        fetcher.__class__ = PromptFetcher  # the consumer makes both itself, and offers no other way in
        fetcher.poll_ms = self._poll_ms
        coordinator.__class__ = ToldCoordinator
        coordinator.confirm = self.app.engine.effects.tenure.confirm

    def close(self) -> None:
        """End what the consumer has under way, as the worker stops in a rebalance; from the worker's thread.

        In the consumer's own: Faust would close its connections in the worker's, beside the loop that they belong to,
        and uvloop may take the process with it (a segmentation fault).
        """
        consumer = self._ensure_consumer()
        for closing in (consumer._coordinator.close(), consumer._client.close()):
            asyncio.run_coroutine_threadsafe(closing, self.thread_loop)

    def last_stable(self, tp: TopicPartition) -> int | None:
        """Return the end of the partition that the last fetch told, or None; from any thread."""
        state = self._state_of(tp)
        return None if state is None or state.lso is None else int(state.lso)

    def last_answer(self, tp: TopicPartition) -> int:
        """Return when the broker last answered a fetch of the partition (Unix ms), 0 for never; from any thread."""
        state = self._state_of(tp)
        return 0 if state is None or state.timestamp is None else int(state.timestamp)

    def partitions_of(self, topic: str) -> int | None:
        """Return how many partitions a topic has, as far as the brokers have told; from any thread."""
        consumer = self._consumer
        found = None if consumer is None else consumer._client.cluster.partitions_for_topic(topic)
        return len(found) if found else None

    def _state_of(self, tp: TopicPartition) -> Any:
        consumer = self._consumer  # None while it starts; before that nobody has told anything
        subscription = None if consumer is None else consumer._subscription.subscription
        assignment = subscription.assignment if subscription else None
        return None if assignment is None or tp not in assignment.tps else assignment.state_value(tp)

    def freed(self) -> None:
        """Have the fetch under way look again which partitions are wanted; from any thread."""
        self.thread_loop.call_soon_threadsafe(self._freed.set)

    async def seek_to_consumed(self, inputs: Sequence[TopicPartition], current: Callable[[], bool]) -> dict[Any, int]:
        """Seek inputs to what is committed, and return that; from the worker's thread.

        Args:
            inputs: some of them may never have been consumed: those are left out.
            current: whether they are still the assignment's. The call goes on when nobody waits for it any more, and
                would move what is being consumed by then.
        """
        sought: dict[Any, int] = await self.call_thread(self._seek_to_consumed, inputs, current)
        return sought

    async def _seek_to_consumed(self, inputs: Sequence[TopicPartition], current: Callable[[], bool]) -> dict[Any, int]:
        consumer = self._ensure_consumer()
        found = await consumer._coordinator.fetch_committed_offsets(inputs)
        committed = {tp: int(one.offset) for tp, one in found.items()}
        if current():
            for tp, offset in committed.items():
                consumer._fetcher.seek_to(tp, offset)
        return committed

    async def fetch(
        self, wanted: Callable[[Any], bool], is_changelog: Callable[[str], bool], current: Callable[[], bool],
        *, seconds: float, max_records: int,
    ) -> dict[Any, Fetched]:  # fmt: skip
        """Return what there is of the wanted partitions, at once or when something comes; from the worker's thread.

        Args:
            wanted: whether a batch of a partition may be delivered now.
            is_changelog: whether a topic is one.
            current: whether whoever asks may still be given anything. A rebalance may come and go while nothing is
                there: taken afterwards, what stands behind the seek to the new positions would be dropped, and lost.
            seconds: to wait for something.
            max_records: of one partition, about.
        """
        fetched: dict[Any, Fetched] = await self.call_thread(
            self._fetch, wanted, is_changelog, current, seconds=seconds, max_records=max_records
        )
        return fetched

    async def _fetch(
        self, wanted: Callable[[Any], bool], is_changelog: Callable[[str], bool], current: Callable[[], bool],
        *, seconds: float, max_records: int,
    ) -> dict[Any, Fetched]:  # fmt: skip
        fetcher = self._ensure_consumer()._fetcher
        until = monotonic() + seconds
        with fetcher._subscriptions.fetch_context():
            while current():
                self._freed.clear()
                subscription = fetcher._subscriptions.subscription
                assignment = subscription.assignment if subscription else None
                if assignment is None or not assignment.active or fetcher._subscriptions.reassignment_in_progress:
                    await asyncio.sleep(0.01)
                    return {}
                active = [tp for tp in assignment.tps if wanted(tp) and not self.refusals.resting(tp)]
                self._resume(assignment, active, is_changelog)
                fetched = self._drain(fetcher, assignment, active, is_changelog, max_records)
                left = until - monotonic()
                if fetched or left <= 0:
                    return fetched
                await self._until_new(fetcher, left)
        return {}

    @staticmethod
    def _resume(assignment: Any, active: list[Any], is_changelog: Callable[[str], bool]) -> None:
        for tp in active:
            state = assignment.state_value(tp)
            if state.paused:
                state.resume()
        for tp in assignment.tps:
            # Faust's own pause is only a filter: the changelogs that we write ourselves would be fetched all the same.
            if is_changelog(tp.topic) and tp not in active:
                state = assignment.state_value(tp)
                if not state.paused:
                    state.pause()

    def _drain(
        self, fetcher: Any, assignment: Any, active: list[Any], is_changelog: Callable[[str], bool], max_records: int
    ) -> dict[Any, Fetched]:
        out: dict[Any, Fetched] = {}
        for tp in active:
            state, before = assignment.state_value(tp), self.positions.get(tp)
            if not state.has_valid_position:
                continue
            if before not in {None, state.position} and not is_changelog(tp.topic):
                out[tp] = Fetched([], before, state.position, moved=True)
                self.positions[tp] = state.position
                continue
            try:
                got = self._take(fetcher, tp, max_records)
            except Exception as error:  # noqa: BLE001  whatever is wrong with one partition stops only that one
                self.refusals.note(tp, state.position, error)
                state.pause()
                continue
            position = state.position
            if got or before != position:
                out[tp] = Fetched(got, before, position)
                self.positions[tp] = position
            if got and len(got) < CAUGHT_UP and not is_changelog(tp.topic):
                state.pause()
        return out

    def _take(self, fetcher: Any, tp: TopicPartition, max_records: int) -> list[Record]:
        """Take what has come of a partition; for one of them, what aiokafka's `fetched_records` does for several."""
        result = fetcher._records.get(tp)
        try:
            if result is not None and not isinstance(result, FetchResult):
                result.check_raise()
            taken = [] if result is None else take(result, tp, max_records)
            if taken:
                self.refusals.over(tp)
            return taken
        finally:
            if result is not None and not (isinstance(result, FetchResult) and result.has_more()):
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)  # its routine fetches the partition again

    def _poll_ms(self) -> int:
        """Return how long the next fetch may wait: not beyond the moment when a partition it leaves out is wanted."""
        app = self.app
        fetcher = self._ensure_consumer()._fetcher
        subscription = fetcher._subscriptions.subscription
        assignment = subscription.assignment if subscription else None
        sources = app.engine.source_topics
        if assignment is None or not any(
            tp in fetcher._records or assignment.state_value(tp).paused for tp in assignment.tps if tp.topic in sources
        ):
            return int(app.engine.settings.fetch_wait_ms)
        soonest = app.engine.wanted_in()
        if soonest is None:
            return LONGEST_POLL_MS if app.engine.halted or self.refusals else UNKNOWN_POLL_MS
        return max(1, min(LONGEST_POLL_MS, int(soonest * 1000 + 0.5)))

    async def _until_new(self, fetcher: Any, seconds: float) -> None:
        new = fetcher._create_fetch_waiter()
        freed = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait({new, freed}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            freed.cancel()
            if not new.done():
                new.cancel()
        if new.done() and not new.cancelled():
            new.result()
