"""The commit protocol of a shard.

 1. **Fence.** On every assignment, before anything is read, the shard's producer is started with the shard's
    transactional id. Kafka aborts what an earlier owner left open and refuses everything it may still send.
 2. **Recover.** Tables are brought to the end of their changelogs, read committed; then every input is sought to its
    committed offset. No input record is delivered before the seek has returned.
 3. **Run.** Agents process the batches that have arrived; all they do is staged in memory.
 4. **Check.** Each batch starts at exactly the last committed offset of its topic, or the worker exits.
 5. **Begin**, and add the consumed offsets first: the broker verifies a produced batch against the transaction, and
    an offset added at the same time would make it retry.
 6. **Produce** changelogs, outputs, fates and dead letters, all to the shard's own partition.
 7. **Await** the delivery of every batch. The first that fails ends the transaction.
 8. **Commit.** Up to here nothing is visible to a `read_committed` reader, after it everything is.
 9. **Apply** the staged writes to the tables, with the changelog position behind them.
10. **Go on:** effects staged in the outbox may run, and the next batches of these topics are taken.

Died before 8: the next owner's fencing (1) aborts the transaction, and the batches run again. Died after 8: tables and
offsets are read back (2). Fenced at 5 to 8: nothing was written; the shard stands still until the rebalance gives it
away. Any other failure at 5 to 8 leaves unknown what the broker has done: the worker exits and is restarted at 1.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any, Protocol

from aiokafka.errors import InvalidTimestampError

from streams.engine.errors import Fatal, Fenced, TooLargeForBroker
from streams.engine.milestones import Milestones
from streams.engine.producer import ShardProducer
from streams.engine.turn import Turn

EXIT_COMMIT_UNKNOWN = 70
EXIT_FENCED = 71
EXIT_BROKEN_CHAIN = 72
EXIT_SPLIT_SHARD = 73
EXIT_CRASHED = 74
EXIT_CLOCK = 75
EXIT_DISK = 76


class Names(Protocol):
    """Physical names on the broker."""

    def topic(self, name: str) -> str:
        """Return the name of a catalogue topic, prefixed."""

    def changelog(self, table: str) -> str:
        """Return the name of a table's changelog."""

    @property
    def group(self) -> str:
        """The consumer group, which is also the stem of the transactional ids."""


class Transaction:
    """Steps 5 to 8 for one shard.

    Args:
        shard: its number.
        producer: its producer, started.
        names: of topics on the broker.
        timeout_s: longer than the broker's own time-out for transactions, which ends what is merely slow.
        milestones: who watches.
    """

    def __init__(
        self, shard: int, producer: ShardProducer, names: Names, *, timeout_s: float, milestones: Milestones
    ) -> None:
        self.producer = producer
        self._shard = shard
        self._names = names
        self._timeout_s = timeout_s
        self._milestones = milestones

    async def commit(self, turn: Turn) -> dict[str, int]:
        """Commit a turn.

        Returns:
            For each table that was written, the changelog offset behind its writes.

        Raises:
            Fenced: nothing was written, the shard belongs to another worker.
            TooLargeForBroker: nothing was written, the transaction is aborted.
            Fatal: nobody knows; exit.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._commit(turn)
        except TooLargeForBroker:
            async with asyncio.timeout(self._timeout_s):
                await self.producer.abort()  # refused, when another worker owns the shard by now
            raise
        except (Fenced, asyncio.CancelledError):
            raise
        except InvalidTimestampError as error:
            raise Fatal(
                EXIT_CLOCK,
                f"shard {self._shard}: the broker refuses records from the future: this machine's clock is more than "
                "an hour ahead of the broker's. Nothing was written. Set the clock (NTP); the worker then goes on.",
            ) from error
        except Exception as error:
            raise Fatal(
                EXIT_COMMIT_UNKNOWN,
                f"shard {self._shard}: the transaction of {sorted(turn.offsets.items())} ended with {error!r}, so it "
                "is unknown whether it was committed. The worker exits; restarted, it reads back what is committed and "
                "goes on there. Nothing is lost or doubled. If this repeats, look at the broker.",
            ) from error

    async def _commit(self, turn: Turn) -> dict[str, int]:
        producer, at = self.producer, self._milestones.reached
        await producer.begin()  # 5
        at("begun", self._shard)
        if turn.offsets:
            offsets = {self._names.topic(topic): offset for topic, offset in turn.offsets.items()}
            await producer.send_offsets(self._shard, offsets, self._names.group)
        at("offsets-sent", self._shard)
        changelogs, futures = await self._produce(turn)  # 6
        at("records-sent", self._shard)
        await producer.delivered(futures)  # 7
        at("acknowledged", self._shard)
        at("committing", self._shard)
        await producer.commit()  # 8
        at("committed", self._shard)
        return {table: position() for table, position in changelogs.items()}

    async def _produce(self, turn: Turn) -> tuple[dict[str, Callable[[], int]], list[Any]]:
        producer = self.producer
        futures: list[Any] = []
        positions: dict[str, Callable[[], int]] = {}
        for table, writes in turn.changelogs().items():
            rows = zip(map(str.encode, writes), writes.values(), repeat(()))
            sent = await producer.send(self._names.changelog(table), self._shard, rows, turn.now)
            last, count = sent[-1]
            positions[table] = partial(_behind, last, count)
            futures += [future for future, _ in sent]
        for topic, entries in turn.sent.items():
            sent = await producer.send(self._names.topic(topic), self._shard, entries, turn.now)
            futures += [future for future, _ in sent]
        return positions, futures


def _behind(delivery: Any, count: int) -> int:
    """Return the offset behind a delivered batch."""
    return int(delivery.result().offset) + count
