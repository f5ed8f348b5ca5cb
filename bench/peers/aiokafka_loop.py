"""A plain aiokafka loop, as good as we can make it: one transaction for each partition batch, changelog by send_batch.

It has what the engine has under it, and nothing of what the engine adds: no recovery, rebalance, savepoints or fates.
"""

import asyncio
import sys
import time

import aiokafka.producer.sender
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.003


async def send(producer, topic, partition, rows, futures):
    """Send rows in batches."""
    batch = producer.create_batch()
    for key, value in rows:
        if batch.append(key=key, value=value, timestamp=None) is None:
            futures.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    futures.append(await producer.send_batch(batch, topic, partition=partition))


class Loop:
    """One partition: its producer, and its state as committed."""

    def __init__(self, bootstrap, prefix, place):
        self._place = place
        self._group = f"{prefix}loop"
        self._changelog, self._output = f"{prefix}loop-changelog", f"{prefix}loop-output"
        self._state = {}
        self.producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=f"{self._group}-{place.partition}",
            max_batch_size=512 * 1024, retry_backoff_ms=10, linger_ms=0,
        )  # fmt: skip

    async def turn(self, job, records):
        """Process a batch in one transaction; return how many records it had."""
        rows, out = count(records, self._state) if job == "a" else deduplicate(records, self._state)
        producer, futures = self.producer, []
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction({self._place: records[-1].offset + 1}, self._group)
        encoded = ((key, b"%d" % value) for key, value in rows.items()) if job == "a" else rows.items()
        await send(producer, self._changelog, self._place.partition, encoded, futures)
        if out:
            await send(producer, self._output, self._place.partition, out, futures)
        await asyncio.gather(*futures)
        await producer.commit_transaction()
        self._state.update(rows)
        return len(records)


def count(records, state):
    """Job (a): return the rows that change, and nothing to forward."""
    rows = {}
    for record in records:
        key = record.key
        rows[key] = rows[key] + 1 if key in rows else state.get(key, 0) + 1
    return rows, []


def deduplicate(records, state):
    """Job (b): return the ids that are new, and the records to forward."""
    rows, out = {}, []
    for record in records:
        event = record.value[:12]
        if event not in state and event not in rows:
            rows[event] = b"1"
            out.append((record.key, record.value))
    return rows, out


async def run(consumer, loops, job, expected):
    """Take batches until so many records are committed; those of different partitions at the same time."""
    running, done = {}, 0
    while done < expected:
        free = [place for place in loops if place not in running]
        got = await consumer.getmany(*free, timeout_ms=5, max_records=10_000) if free else {}
        for place, records in got.items():
            running[place] = asyncio.create_task(loops[place].turn(job, records))
        if running:
            finished, _ = await asyncio.wait(running.values(), return_when=asyncio.FIRST_COMPLETED, timeout=0.005)
            for place in [place for place, task in running.items() if task in finished]:
                done += running.pop(place).result()


async def main():
    """Run the job until all events are committed."""
    bootstrap, prefix, job, expected = sys.argv[1:5]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=f"{prefix}loop", enable_auto_commit=False,
        isolation_level="read_committed", auto_offset_reset="earliest", max_partition_fetch_bytes=2 << 20,
    )  # fmt: skip
    await consumer.start()
    places = [TopicPartition(f"{prefix}pixel.events", n) for n in range(4)]
    consumer.assign(places)
    loops = {place: Loop(bootstrap, prefix, place) for place in places}
    for loop in loops.values():
        await loop.producer.start()
    print(f"START {time.time()}", flush=True)
    await run(consumer, loops, job, int(expected))
    print(f"END {time.time()}", flush=True)
    for loop in loops.values():
        await loop.producer.stop()
    await consumer.stop()


uvloop.run(main())
