"""A plain aiokafka loop, as good as we can make it: one transaction for each partition batch, changelog by send_batch.

It has what the engine has under it, and nothing of what the engine adds: no recovery, rebalance, savepoints or fates.
"""

import asyncio
import sys
import time
from collections import defaultdict

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


async def main():
    """Run the job until all events are committed."""
    bootstrap, prefix, job, expected = sys.argv[1:5]
    source, group = f"{prefix}pixel.events", f"{prefix}loop"
    changelog, output = f"{prefix}loop-changelog", f"{prefix}loop-output"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False, isolation_level="read_committed",
        auto_offset_reset="earliest", max_partition_fetch_bytes=2 << 20,
    )  # fmt: skip
    await consumer.start()
    parts = [TopicPartition(source, n) for n in range(4)]
    consumer.assign(parts)
    producers = {}
    for tp in parts:
        producers[tp] = AIOKafkaProducer(
            bootstrap_servers=bootstrap, transactional_id=f"{group}-{tp.partition}", max_batch_size=512 * 1024,
            retry_backoff_ms=10, linger_ms=0,
        )  # fmt: skip
        await producers[tp].start()
    state = defaultdict(dict)
    done = 0
    print(f"START {time.time()}", flush=True)

    async def work(tp, records):
        rows, out, mine = {}, [], state[tp]
        for record in records:
            if job == "a":
                key = record.key
                rows[key] = rows[key] + 1 if key in rows else mine.get(key, 0) + 1
            else:
                event = record.value[:12]
                if event not in mine and event not in rows:
                    rows[event] = b"1"
                    out.append((record.key, record.value))
        producer, futures = producers[tp], []
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction({tp: records[-1].offset + 1}, group)
        encoded = ((key, b"%d" % value) for key, value in rows.items()) if job == "a" else rows.items()
        await send(producer, changelog, tp.partition, encoded, futures)
        if out:
            await send(producer, output, tp.partition, out, futures)
        await asyncio.gather(*futures)
        await producer.commit_transaction()
        mine.update(rows)
        return len(records)

    running = {}
    while done < int(expected):
        free = [tp for tp in parts if tp not in running]
        got = await consumer.getmany(*free, timeout_ms=5, max_records=10_000) if free else {}
        for tp, records in got.items():
            running[tp] = asyncio.create_task(work(tp, records))
        if running:
            finished, _ = await asyncio.wait(running.values(), return_when=asyncio.FIRST_COMPLETED, timeout=0.005)
            for tp in [tp for tp, task in running.items() if task in finished]:
                done += running.pop(tp).result()
    print(f"END {time.time()}", flush=True)
    for producer in producers.values():
        await producer.stop()
    await consumer.stop()


uvloop.run(main())
