"""Worker processes that are killed, frozen and restarted; and what a `read_committed` reader finds afterwards."""

import asyncio
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from connectors.kafka.admin import open_admin
from connectors.kafka.connection import KafkaConnection

ROOT = Path(__file__).parents[2]
PARTITIONS = 4
DRAIN_S = 90.0


@dataclass
class Findings:
    """What was found; `lost` and `doubled` are 0 when the engine keeps its word."""

    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, found: Any, expected: Any) -> None:
        """Note a difference."""
        if found != expected:
            self.wrong.append(f"{what}: found {found!r}, expected {expected!r}")


class Herd:
    """The worker processes, restarted as soon as they die.

    Args:
        command: returns what starts an instance; told its name, and how many were started before.
        folder: of their logs.
        env: of their environment; this process's by default.
    """

    def __init__(
        self, command: Callable[[str, int], list[str]], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._folder = folder
        self._env = env
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._resting: set[str] = set()
        self._starts = 0
        self.exits: list[int] = []

    def start(self, instance: str) -> None:
        """Start a worker."""
        command = self._command(instance, self._starts)
        self._starts += 1
        with (self._folder / f"log-{instance}").open("ab") as log:
            self._running[instance] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=self._env)

    def mind(self) -> None:
        """Restart what has died."""
        for instance, process in list(self._running.items()):
            code = process.poll()
            if code is not None and instance not in self._resting:
                self.exits.append(code)
                self.start(instance)

    async def minded(self, seconds: float) -> None:
        """Mind them for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.mind()
            await asyncio.sleep(0.1)

    async def absent(self, instance: str, number: int, seconds: float) -> None:
        """Have a worker end and stay away for so long: its shards move to the others, and back."""
        self._resting.add(instance)
        self.signal(instance, number)
        await self.minded(seconds)
        self._resting.discard(instance)
        self.mind()

    def signal(self, instance: str, number: int) -> None:
        """Send a signal to a worker, if it lives."""
        if self._running[instance].poll() is None:
            self._running[instance].send_signal(number)

    @property
    def instances(self) -> list[str]:
        """The workers."""
        return sorted(self._running)

    def stop(self) -> None:
        """Stop all."""
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def drained(
    options: dict[str, Any], prefix: str, names: Iterable[str], herd: Herd, seconds: float = DRAIN_S
) -> dict[Any, int]:
    """Wait until every input is consumed to its end and the outbox is empty; return what is left in the end.

    Args:
        options: for any aiokafka client.
        prefix: of the topics.
        names: of the inputs, without it.
        herd: minded meanwhile.
        seconds: to wait at most.
    """
    places = [TopicPartition(prefix + name, number) for name in names for number in range(PARTITIONS)]
    quiet, until, rows = 0, time.monotonic() + seconds, 0
    behind: dict[TopicPartition, int] = {}
    async with open_admin(KafkaConnection(options["bootstrap_servers"], prefix)) as admin:
        while quiet < 3 and time.monotonic() < until:
            herd.mind()
            await asyncio.sleep(0.3)
            behind = await _behind(options, places, await admin.committed(prefix + "streams"))
            rows = len(await changelog(options, prefix, "engine.outbox"))
            quiet = 0 if behind or rows else quiet + 1
    return {} if quiet >= 3 else behind or {"outbox": rows}


async def _behind(
    options: dict[str, Any], places: list[TopicPartition], done: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Return how many records are not consumed yet, where there are any.

    Every transaction leaves a mark behind its records, which is consumed without being committed: so offsets alone do
    not tell.
    """
    consumer = AIOKafkaConsumer(**options, isolation_level="read_committed", enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        for place in places:
            consumer.seek(place, max(done.get(place, 0), 0))
        behind: Counter[TopicPartition] = Counter()
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                behind[place] += len(records)
    finally:
        await consumer.stop()
    return dict(behind)


async def committed(options: dict[str, Any], topic: str) -> AsyncIterator[Any]:
    """Yield every committed record of a topic, partition by partition, in offset order."""
    consumer = AIOKafkaConsumer(**options, isolation_level="read_committed", enable_auto_commit=False,
                                auto_offset_reset="earliest")  # fmt: skip
    await consumer.start()
    try:
        parts = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        for part in parts:
            await consumer.seek_to_beginning(part)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record
    finally:
        await consumer.stop()


async def changelog(options: dict[str, Any], prefix: str, name: str) -> dict[str, bytes]:
    """Return what a table's changelog says."""
    rows: dict[str, bytes | None] = {}
    async for record in committed(options, f"{prefix}streams.{name}-changelog"):
        rows[record.key.decode()] = record.value
    return {key: value for key, value in rows.items() if value is not None}
