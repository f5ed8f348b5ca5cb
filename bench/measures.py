"""What the engine alone is measured for: latency, restore, coming back after kill -9, memory."""

import asyncio
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import results
from bench.load import create, event, fill, fresh_prefix
from bench.results import ASKED, Better
from schemas.topics import PIXEL_EVENTS, TOPICS, TRACKING_EVENTS

ROOT = Path(__file__).parents[1]
FOREVER = "1000000000"
MEMORY = """
import resource, sys, tempfile, uuid
from pathlib import Path
from streams.engine.disk import Disks
from streams.engine.parts import memory_part
from streams.engine.table import RAW, Table
from datetime import timedelta
def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4096
table = Table("ids", RAW, ttl=timedelta(days=30))
part = memory_part(table) if sys.argv[1] == "memory" else Disks(Path(tempfile.mkdtemp())).part(table, 0)
before = rss()
for n in range(100):
    part.apply({str(uuid.uuid4()): b"1" for _ in range(10_000)}, 1_800_000_000_000 + n, n)
print((rss() - before) / 1e6)
"""

WARM_S = 45.0
"""Until the broker's second compiler has done the transactions' share: a broker in production has long been there."""

RATE = 2_000
"""Events a second, in the job that measures one hop."""
IDS = 1_000_000
"""Keys of the table that is restored."""
KILLS = 5

FEW, MANY = 10_000, 10_000_000
"""Keys between which an event must not become dearer."""


class Engine:
    """A worker process of the engine."""

    def __init__(self, options: dict[str, Any], prefix: str, job: str) -> None:
        self._command = [sys.executable, "-m", "bench.peers.engine_worker", options["bootstrap_servers"], prefix, job]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, expected: str = FOREVER) -> dict[str, list[float]]:
        """Start it; return what it told, by word, once it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, expected, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return await self.told("START")

    async def told(self, last: str) -> dict[str, list[float]]:
        """Read what it tells until a word."""
        told: dict[str, list[float]] = {}
        while last not in told and (line := (await self._process.stdout.readline()).decode().split()):
            if line[0].isupper():
                told[line[0]] = [float(number) for number in line[1:]]
        return told

    async def kill(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        self._process.send_signal(number)
        await self._process.wait()


async def _fresh(options: dict[str, Any]) -> str:
    prefix = fresh_prefix()
    await create(options, *(prefix + topic.name for topic in TOPICS))
    return prefix


async def latency(options: dict[str, Any], seconds: float = 10.0) -> dict[str, float]:
    """Return p50 and p99 of one hop in ms, to a `read_committed` reader."""
    prefix = await _fresh(options)
    engine = Engine(options, prefix, "b")
    await engine.start()
    producer = AIOKafkaProducer(**options, linger_ms=0)
    reader = AIOKafkaConsumer(
        prefix + TRACKING_EVENTS.name, **options, isolation_level="read_committed", auto_offset_reset="earliest",
        fetch_max_wait_ms=20,
    )  # fmt: skip
    await producer.start()
    await reader.start()
    took: list[float] = []

    async def read() -> None:
        while True:
            for records in (await reader.getmany(timeout_ms=100)).values():
                now = time.time() * 1000
                took.extend(now - sent[record.value[:12]] for record in records)

    sent: dict[bytes, float] = {}
    reading = asyncio.create_task(read())
    started, number = time.monotonic(), 0
    while (spent := time.monotonic() - started) < seconds:
        while number < spent * RATE:
            partition, key, value = event(number, 5_000)
            sent[value[:12]] = time.time() * 1000
            await producer.send(prefix + PIXEL_EVENTS.name, key=key, value=value, partition=partition)
            number += 1
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.5)
    reading.cancel()
    await engine.kill(signal.SIGTERM)
    await producer.stop()
    await reader.stop()
    steady = sorted(took[len(took) // 5 :])
    return {"p50": steady[len(steady) // 2], "p99": steady[int(len(steady) * 0.99)]}


async def restore(options: dict[str, Any]) -> float:
    """Return keys restored a second, in memory, from a table's changelog."""
    prefix = await _fresh(options)
    put = await fill(options, prefix + PIXEL_EVENTS.name, IDS, 5_000)
    engine = Engine(options, prefix, "b")
    await engine.start(str(put))
    await engine.told("END")
    await engine.kill(signal.SIGTERM)
    rows, seconds = (await engine.start())["RESTORED"]
    await engine.kill()
    return rows / seconds


async def comeback(options: dict[str, Any]) -> float:
    """Return the median of the seconds from kill -9 to ready again, restarted at once, static membership."""
    prefix = await _fresh(options)
    await fill(options, prefix + PIXEL_EVENTS.name, 20_000, 5_000)
    engine = Engine(options, prefix, "a")
    await engine.start()
    took = []
    for _ in range(KILLS):
        await asyncio.sleep(1.0)
        started = time.monotonic()
        await engine.kill()
        await engine.start()
        took.append(time.monotonic() - started)
    await engine.kill(signal.SIGTERM)
    return statistics.median(took)


def memory(kind: str) -> float:
    """Return MB of resident memory for a million ids of 36 characters with a time to live."""
    found = subprocess.run([sys.executable, "-c", MEMORY, kind], cwd=ROOT, capture_output=True, check=True, text=True)
    return float(found.stdout)


async def cost(kind: str, keys: int) -> tuple[float, float]:
    """Return what an event of job (b), and a random read and write, cost beside so many keys (table_cost.py)."""
    command = [sys.executable, "-m", "bench.peers.table_cost", kind, str(keys)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        told, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    event, key = told.decode().split()
    return float(event), float(key)


def row(  # noqa: PLR0917  a row of a table
    job: str, value: float, asked: float, unit: str, better: Better, peer: str = ASKED
) -> dict[str, Any]:
    """Return a row of the engine alone, and print it."""
    found = results.row(job, value, asked, unit, subject="engine", better=better, runs=1, peer=peer)
    results.tell(found)
    return found


async def many_keys(kind: str) -> list[dict[str, Any]]:
    """Return the rows of one kind of table beside many keys; `dict` is what no table in memory can beat."""
    (event_few, key_few), (event_many, key_many) = await cost(kind, FEW), await cost(kind, MANY)
    peer, where = "among ten thousand", {"memory": "in memory", "disk": "on disk", "dict": "in a dict alone"}[kind]
    return [
        row(f"an event of job (b) among ten million ids, {where}", event_many, event_few, "us", "lower", peer),
        row(f"a random read and write among ten million keys, {where}", key_many, key_few, "us", "lower", peer),
    ]


async def measure(options: dict[str, Any], runs: int) -> list[dict[str, Any]]:
    """Measure it all, against what was asked for; of the latency the median of so many runs, on a warm broker."""
    await latency(options, seconds=WARM_S)
    hops = [await latency(options) for _ in range(runs)]
    hop = {name: statistics.median(one[name] for one in hops) for name in ("p50", "p99")}
    return [
        row(f"one hop at {RATE:,} events/s, p50", hop["p50"], 25, "ms", "lower"),
        row(f"one hop at {RATE:,} events/s, p99", hop["p99"], 60, "ms", "lower"),
        row("back after kill -9, static membership", await comeback(options), 2, "s", "lower"),
        row("restore in memory", await restore(options), 300_000, "keys/s", "higher"),
        row("memory of a million ids, in memory", memory("memory"), 300, "MB", "lower", "our own bound"),
        row("memory of a million ids, on disk", memory("disk"), 150, "MB", "lower", "our own bound"),
        *[line for kind in ("memory", "disk", "dict") for line in await many_keys(kind)],
    ]
