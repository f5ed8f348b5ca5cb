"""The poller's speed against a stand-in VTEX in another process.

Jobs: the backfill of a million customers, as fast as it goes and again under an account's budget, with the memory and
the CPU time it takes; freshness with 200 stores on one poller (a change in the shop, until its event can be read), by
looking and by trigger. Of several runs, and of several spans of a freshness run, the median is told: others may work on
the machine. CPU time does not depend on them.
"""

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from cryptography.fernet import Fernet

from bench import results
from bench.load import PARTITIONS, fresh_prefix
from bench.processes import cpu_seconds, memory_mb
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.provisioning import provision
from connectors.kafka.reader import CommittedReader
from connectors.kafka.secrets import SecretBox
from schemas import topics
from schemas.clock import to_ms
from schemas.partition import shard_of
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess

ROOT = Path(__file__).parents[1]
UNLIMITED = 6_000_000
PAGE = 1000
RATE = 8.0
"""Calls a second that the account allows, in the job that has a budget."""
STORES = 200
SECONDS = 60.0
SPANS = 3
"""Parts of the freshness run, each with a p95 of its own."""


class Course:
    """How a backfill went, by its cursor's rows.

    Args:
        pid: the poller's.
        customers: how many there are to read.
    """

    def __init__(self, pid: int, customers: int) -> None:
        self._pid = pid
        self._customers = customers
        self._began: float | None = None
        self._cpu_before = 0.0
        self._early_mb: float | None = None
        self._most_mb = 0.0
        self.ended: float | None = None

    def take(self, record: Any) -> None:
        """Take in a row of `vtex.cursors`."""
        row = orjson.loads(record.value)
        if self.ended is not None or row["resource"] != "customers.backfill":
            return
        if self._began is None:
            self._began, self._cpu_before = record.timestamp / 1000, cpu_seconds(self._pid)
        done = row["position"]["done"]
        self._most_mb = max(self._most_mb, memory_mb(self._pid))
        if self._early_mb is None and done > self._customers / 10:
            self._early_mb = self._most_mb
        if done >= self._customers:  # the search for documents without a date that follows is the stand-in's own pace
            self.ended = record.timestamp / 1000

    def figures(self) -> dict[str, float]:
        """Return customers a second, MB, growth of the memory since a tenth was read, customers a second of CPU."""
        spent = cpu_seconds(self._pid) - self._cpu_before
        return {
            "rate": self._customers / (self.ended - self._began), "memory": self._most_mb,
            "growth": self._most_mb / self._early_mb, "per_cpu": self._customers / spent,
        }  # fmt: skip


class Bench:
    """One run: topics of its own, stand-in shops and a poller in processes of their own."""

    def __init__(self, bootstrap: str) -> None:
        self.kafka = KafkaConnection(bootstrap, fresh_prefix())
        self._key = Fernet.generate_key()
        self._box = SecretBox(self._key)

    @contextlib.asynccontextmanager
    async def shops(self, **options: Any) -> AsyncIterator[tuple[str, asyncio.StreamReader]]:
        """Run the stand-in; gives its address, and the lines that say what has changed."""
        async with self._process("bench.peers.vtex_shops", options) as process:
            yield (await process.stdout.readline()).decode().strip(), process.stdout

    @contextlib.asynccontextmanager
    async def poller(self, per_minute: int, burst: int) -> AsyncIterator[int]:
        """Run the poller; gives its process id."""
        options = {
            "bootstrap": self.kafka.bootstrap_servers, "prefix": self.kafka.topic_prefix, "key": self._key.decode(),
            "per_minute": per_minute, "burst": burst,
        }  # fmt: skip
        async with self._process("bench.peers.our_poller", options) as process:
            await process.stdout.readline()
            yield process.pid

    @contextlib.asynccontextmanager
    async def _process(self, module: str, options: dict[str, Any]) -> AsyncIterator[Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, json.dumps(options), cwd=ROOT, stdout=subprocess.PIPE,
            stderr=None if "BENCH_LOG" in os.environ else subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            await process.wait()

    async def connect(self, url: str, names: list[str]) -> None:
        """Connect stores."""
        seal = self._box.seal
        producer = AIOKafkaProducer(**self.kafka.options())
        await producer.start()
        for name in names:
            row = StoreConnection(
                store=name, vtex=VtexAccess(account=name, url=f"{url}/vtex/{name}", app_key=f"vtexappkey-{name}-SNDBOX",
                                            app_token=seal(f"SANDBOX{name.upper()}TOKEN")),
                hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id=f"B{name}", token=seal("t")),
                country="BR", timezone="America/Sao_Paulo", currency="BRL", hash_secret=seal("h"),
                hook_secret=seal("k"), server_token=seal("s"), connected_at="2026-01-01T00:00:00Z",
            )  # fmt: skip
            await producer.send(
                self.kafka.topic(topics.STORES.name), row.model_dump_json().encode(), key=name.encode(),
                partition=shard_of(name, PARTITIONS),
            )  # fmt: skip
        await producer.stop()

    async def backfill(self, customers: int, rate: float | None) -> dict[str, float]:
        """Measure a backfill: customers a second from its first cursor to its last customer; the poller's memory."""
        await provision(self.kafka, partitions=PARTITIONS, replication=1)
        async with self.shops(shops=1, customers=customers, rate=rate) as (url, _):
            await self.connect(url, ["shop0"])
            per_minute = round(rate * 60) if rate else UNLIMITED
            async with self.poller(per_minute, 10) as pid:
                course = Course(pid, customers)
                async with CommittedReader(self.kafka, [topics.VTEX_CURSORS.name]) as reader:
                    while not course.ended:
                        for batch in await reader.poll(50):
                            for record in batch.records:
                                course.take(record)
                return course.figures()

    async def freshness(self, stores: int, seconds: float, *, hints: bool) -> list[tuple[float, float]]:
        """Measure each change in a shop: when, as seconds of the span, and the seconds until its event was read."""
        await provision(self.kafka, partitions=PARTITIONS, replication=1)
        async with self.shops(shops=stores, customers=20, changes=20.0) as (url, changes):
            await self.connect(url, [f"shop{n}" for n in range(stores)])
            async with self.poller(6000, 10):
                telling = asyncio.create_task(self._tell(changes, hints=hints))
                found = await self._watch(stores, seconds)
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
        return found

    async def _tell(self, changes: asyncio.StreamReader, *, hints: bool) -> None:
        """Make a hint of each change, as a trigger and the collector would; or only read what the stand-in says."""
        producer = AIOKafkaProducer(**self.kafka.options())
        await producer.start()
        try:
            while line := await changes.readline():
                store, customer, _ = line.decode().split()
                hint = {"store": store, "resource": "customer", "id": customer, "received_at": "2026-01-01T00:00:00Z"}
                if hints:
                    await producer.send_and_wait(
                        self.kafka.topic(topics.VTEX_HINTS.name), orjson.dumps(hint), key=store.encode(),
                        partition=shard_of(store, PARTITIONS),
                    )  # fmt: skip
        finally:
            await producer.stop()

    async def _watch(self, stores: int, seconds: float) -> list[tuple[float, float]]:
        found: list[tuple[float, float]] = []
        ready: set[str] = set()
        until = float("inf")
        read = [topics.VTEX_CHANGES.name, topics.VTEX_CURSORS.name]
        async with CommittedReader(self.kafka, read) as reader:
            while time.time() < until:
                for batch in await reader.poll(50):
                    for record in batch.records:
                        row = orjson.loads(record.value)
                        if row.get("resource") == "orders.backfill" and row["position"]["finished"]:
                            ready.add(row["store"])
                        elif (
                            row.get("type") == "vtex.customer.changed" and to_ms(row["time"]) > (until - seconds) * 1e3
                        ):
                            at = to_ms(row["time"]) / 1000
                            found.append((at - (until - seconds), time.time() - at))
                if until == float("inf") and len(ready) == stores:
                    print(f"{stores} stores are followed", flush=True)
                    until = time.time() + 10 + seconds
        return found


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _spans(found: list[tuple[float, float]]) -> list[list[float]]:
    """Return what was measured, by the span of the run in which it changed."""
    width = SECONDS / SPANS
    return [[took for at, took in found if width * n <= at < width * (n + 1)] for n in range(SPANS)]


def _row(job: str, values: list[float], asked: float, *, unit: str, better: results.Better) -> dict[str, Any]:
    return results.row(job, statistics.median(values), asked, unit, subject="poller", better=better, runs=len(values))


async def _backfills(bootstrap: str, customers: int, rate: float | None, runs: int) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = defaultdict(list)
    for _ in range(runs):
        found = await Bench(bootstrap).backfill(customers, rate)
        print(rate, found, flush=True)
        for name, value in found.items():
            measured[name].append(value)
    return measured


async def measure(options: dict[str, Any], args: Namespace) -> list[dict[str, Any]]:
    """Return the rows of the poller."""
    bootstrap, name = options["bootstrap_servers"], f"poller: backfill of {args.customers:,} customers"
    fast = await _backfills(bootstrap, args.customers, None, args.runs)
    kept = await _backfills(bootstrap, args.customers, RATE, args.runs)
    rows = [
        _row(name, fast["rate"], 10_000, unit="customers/s", better="higher"),
        _row(f"{name}, a second of CPU time", fast["per_cpu"], 10_000, unit="customers", better="higher"),
        _row(f"{name}, {RATE:g} calls/s", kept["rate"], 0.95 * RATE * PAGE, unit="customers/s", better="higher"),
        _row(f"{name}, memory at its end by memory at a tenth", fast["growth"], 1.2, unit="times", better="lower"),
    ]
    for job, hints, asked in (("freshness", False, 7.0), ("trigger", True, 1.0)):
        found = await Bench(bootstrap).freshness(STORES, SECONDS, hints=hints)
        slow = [_p95(span) for span in _spans(found)]
        print(job, len(found), statistics.median(took for _, took in found), slow, flush=True)
        rows.append(_row(f"poller: {job} p95, {STORES} stores", slow, asked, unit="s", better="lower"))
    return rows
