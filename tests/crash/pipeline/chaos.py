# ruff: noqa: T201  a command that prints what it found
"""Chaos of the product's own pipeline: its workers are killed while two shops' days flow through every agent.

    python -m tests.crash.pipeline.chaos --seed 7 --size 20000 --kills 20

Afterwards `attributions` and `kpi.campaigns` equal those of a run in memory that nobody disturbed (which the tests of
the agents compare with an oracle), each tracking event is there once, and `audit` is balanced.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from connectors.kafka.audit import audit
from connectors.kafka.connection import KafkaConnection
from connectors.kafka.embedded import EmbeddedKafka
from connectors.kafka.provisioning import provision
from connectors.kafka.secrets import SecretBox
from schemas import topics
from schemas.partition import shard_of, store_of
from streams.engine.testing import MemoryShard
from streams.pipeline import agents
from tests.crash.herd import PARTITIONS, Findings, Herd, committed, drained
from tests.crash.pipeline.load import Day, Put, connections
from tests.oracle.running import standing
from tests.stores import stores_of

COMPARED = (topics.ATTRIBUTIONS, topics.KPI_CAMPAIGNS)
INPUTS = (
    topics.PIXEL_EVENTS, topics.PIXEL_IDENTITIES, topics.VTEX_CHANGES, topics.VTEX_CUSTOMERS, topics.VTEX_ORDERS,
    topics.TRACKING_EVENTS, topics.MESSAGE_REPORTS, topics.ATTRIBUTIONS, topics.EFFECTS_OUTCOMES,
)  # fmt: skip
TAKEN_IN = (topics.PIXEL_EVENTS, topics.PIXEL_IDENTITIES, topics.VTEX_CHANGES, topics.MESSAGE_REPORTS)


async def connect_stores(kafka: KafkaConnection, box: SecretBox) -> None:
    """Write the stores' rows, secrets sealed."""
    async with AIOKafkaProducer(**kafka.options()) as producer:
        for store in connections():
            row = store.model_copy(update={"hash_secret": box.seal(store.hash_secret)})
            place = shard_of(store.store, PARTITIONS)
            value = row.model_dump_json().encode()
            await producer.send_and_wait(
                kafka.topic(topics.STORES.name), value, key=store.store.encode(), partition=place
            )


async def put(kafka: KafkaConnection, records: list[Put], seconds: float) -> None:
    """Put the records in, spread over the time."""
    started = time.monotonic()
    async with AIOKafkaProducer(**kafka.options(), enable_idempotence=True, linger_ms=5) as producer:
        for number, (topic, key, value) in enumerate(records, 1):
            place = shard_of(store_of(key), PARTITIONS)
            await producer.send(kafka.topic(topic.name), value, key=key, partition=place)
            if number % 50 == 0:
                await asyncio.sleep(max(0, number / len(records) * seconds - (time.monotonic() - started)))


async def undisturbed(records: list[Put], now: int) -> MemoryShard:
    """Return a shard in memory that has processed the same."""
    shard = MemoryShard(agents(stores_of(*connections())), now=now)
    for topic, key, value in records:
        shard.put(topic, key, value)
    await shard.settle()
    return shard


def starter(seed: int, self_kill: float, wild: Callable[[], bool]) -> Callable[[str, int], list[str]]:
    """Return what starts a worker: the product's command, and beside it one that dies inside transactions."""

    def start(instance: str, earlier: int) -> list[str]:
        if instance == "w0":
            return [sys.executable, "-m", "hellotext_vtex.cli", "worker"]
        share = str(self_kill if wild() else 0)
        return [sys.executable, "-m", "tests.crash.pipeline.deadly_worker", "--instance", instance,
                "--self-kill", share, "--seed", str(seed * 1000 + earlier)]  # fmt: skip

    return start


async def disturb(herd: Herd, chance: random.Random, kills: int, seconds: float) -> None:
    """Kill a worker now and then."""
    for _ in range(kills):
        await herd.minded(chance.uniform(0.5, 1.5) * seconds / kills)
        herd.signal(chance.choice(herd.instances), signal.SIGKILL)


async def verify(kafka: KafkaConnection, day: Day, expected: MemoryShard) -> Findings:
    """Compare what a run left behind with the run that nobody disturbed."""
    found, options = Findings(), kafka.options()
    events = Counter([
        _identity(record.value) async for record in committed(options, kafka.topic(topics.TRACKING_EVENTS.name))
    ])  # fmt: skip
    told = {_identity(value or b"") for _, value in expected.outputs(topics.TRACKING_EVENTS)}
    found.lost += len(told - events.keys())
    found.doubled += sum(events.values()) - len(events)
    found.expect("tracking events nobody sent", sorted(events.keys() - told), [])
    for topic in COMPARED:
        rows = {record.key: record.value async for record in committed(options, kafka.topic(topic.name))}
        there = {key: orjson.loads(value) for key, value in rows.items() if value is not None}
        _compare(topic.name, there, standing(expected, topic), found)
    await _audited(kafka, day, expected, found)
    return found


def _identity(value: bytes) -> tuple[str, str]:
    """Return what names an event: ids that senders gave are a store's own."""
    event = orjson.loads(value)
    return event["store"], event["id"]


def _compare(name: str, there: dict[bytes, Any], expected: dict[bytes, Any], found: Findings) -> None:
    for row in (*there.values(), *expected.values()):
        row.pop("updated_at", None)
    found.expect(f"rows of {name}", sorted(there), sorted(expected))
    for key in there.keys() & expected.keys():
        found.expect(f"{name} {key.decode()}", there[key], expected[key])


async def _audited(kafka: KafkaConnection, day: Day, expected: MemoryShard, found: Findings) -> None:
    report = await audit(kafka)
    found.expect("audit is balanced", report.balanced, expected=True)
    for topic in TAKEN_IN:
        balances = [by_topic[topic.name] for by_topic in report.stores.values() if topic.name in by_topic]
        found.expect(f"audit: {topic.name} accepted", sum(one.accepted for one in balances), day.accepted[topic.name])
        found.expect(f"audit: {topic.name} in flight", sum(one.in_flight for one in balances), 0)
    letters = {letter["letter"] for letter in expected.dead_letters()}
    found.expect("dead letters", sum(report.letters.values()), len(letters))


async def chaos(kafka: KafkaConnection, args: argparse.Namespace) -> Findings:
    """Run it all."""
    chance = random.Random(args.seed)
    folder, key = args.folder or Path(tempfile.mkdtemp(prefix="chaos-pipeline-")), SecretBox.generate_key()
    print(f"seed={args.seed} size={args.size} kills={args.kills} prefix={kafka.topic_prefix} logs={folder}", flush=True)
    day = Day(args.seed, time.time_ns() // 1_000_000, args.size)
    records = list(day.records())
    await connect_stores(kafka, SecretBox(key))
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "TOPIC_PREFIX": kafka.topic_prefix,
        "STATE_FOLDER": str(folder), "SECRETS_KEY": key.decode(), "WORKER_INSTANCE": "w0",
    }  # fmt: skip
    wild = True
    herd = Herd(starter(args.seed, args.self_kill, lambda: wild), folder, env)
    try:
        for number in range(2):
            herd.start(f"w{number}")
        await asyncio.gather(put(kafka, records, args.seconds), disturb(herd, chance, args.kills, args.seconds))
        wild = False
        for instance in herd.instances:
            herd.signal(instance, signal.SIGKILL)
        expected = await undisturbed(records, day.now)
        left = await drained(kafka.options(), kafka.topic_prefix, [topic.name for topic in INPUTS], herd)
    finally:
        herd.stop()
    found = await verify(kafka, day, expected)
    found.expect("not drained", left, {})
    deaths = (folder / "deaths").read_text().splitlines() if (folder / "deaths").exists() else []
    print(f"put={len(records)} exits={len(herd.exits)} codes={sorted(set(herd.exits))} self-kills={len(deaths)} "
          f"orders={len(standing(expected, topics.ATTRIBUTIONS))} "
          f"cells={len(standing(expected, topics.KPI_CAMPAIGNS))}")  # fmt: skip
    for wrong in found.wrong[:20]:
        print("WRONG", wrong[:600])
    print(f"lost={found.lost} doubled={found.doubled} wrong={len(found.wrong)}", flush=True)
    return found


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--self-kill", type=float, default=0.003)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--folder", type=Path, help="for logs and tables; a new temporary one is left behind else")
    parser.add_argument("--bootstrap", help="a running broker; else an embedded one is started")
    return parser.parse_args(given)


async def run(args: argparse.Namespace) -> Findings:
    """Run chaos on the broker given, or on an embedded one."""
    prefix = f"chaos-{args.seed}-{os.getpid()}-"
    if args.bootstrap:
        return await _provisioned(KafkaConnection(args.bootstrap, prefix), args)
    async with EmbeddedKafka(heap="512m") as kafka:
        return await _provisioned(KafkaConnection(kafka.bootstrap_servers, prefix), args)


async def _provisioned(kafka: KafkaConnection, args: argparse.Namespace) -> Findings:
    await provision(kafka, partitions=PARTITIONS, replication=1)
    return await chaos(kafka, args)


if __name__ == "__main__":
    outcome = asyncio.run(run(arguments()))
    sys.exit(1 if outcome.lost or outcome.doubled or outcome.wrong else 0)
