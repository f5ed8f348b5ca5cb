# ruff: noqa: T201  a command that prints what it found
"""Chaos: worker processes are killed, frozen and restarted while events flow; afterwards everything must be exact.

    python -m tests.crash.engine.chaos --seed 7 --kills 20 --events 200000     # on one embedded broker
    python -m tests.crash.engine.chaos --seed 7 --brokers 3                    # on three: leaders move

Brokers are killed and stalled too.

Prints its seed and `lost=0 doubled=0`; exit code 1 when anything is wrong.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from connectors.kafka.embedded import EmbeddedCluster
from schemas import topics
from tests.crash.engine.ledger import Load, verify
from tests.crash.engine.shop_worker import ASKED
from tests.crash.herd import PARTITIONS, Findings, Herd, committed, drained
from tests.waiting import until

SESSION_S = 6.0
INPUTS = [topic.name for topic in (topics.PIXEL_EVENTS, topics.TRACKING_EVENTS, topics.EFFECTS_OUTCOMES)]


def command(bootstrap: str, prefix: str, folder: Path, args: argparse.Namespace) -> Callable[[str, int], list[str]]:
    """Return what starts a worker: while `args.wild`, one that fails, dies and dates as it likes."""
    common = [sys.executable, "-m", "tests.crash.engine.shop_worker", "--bootstrap", bootstrap, "--prefix", prefix]

    def start(instance: str, earlier: int) -> list[str]:
        seed = str(args.seed * 1000 + earlier + 1)
        given = [*common, "--folder", str(folder), "--instance", instance, "--standby", str(args.standby)]
        given += ["--seed", seed]
        if args.wild:
            given += ["--fault", "0.01", "--self-kill", str(args.self_kill), "--wandering-clock"]
            given += [] if earlier else ["--die-at", "acknowledged"]
        return given

    return start


async def put(options: dict[str, Any], prefix: str, load: Load, seconds: float) -> None:
    """Put the load in, spread over the time."""
    producer = AIOKafkaProducer(**options, enable_idempotence=True, linger_ms=5, max_batch_size=1 << 18)
    await producer.start()
    started = time.monotonic()
    topic = prefix + topics.PIXEL_EVENTS.name
    for sent, (shard, key, value) in enumerate(load.records(), 1):
        await producer.send(topic, key=key, value=value, partition=shard)
        if sent % 200 == 0:
            ahead = sent / (load.events * 1.06) * seconds - (time.monotonic() - started)
            if ahead > 0:
                await asyncio.sleep(ahead)
    await producer.stop()


async def disturb(herd: Herd, cluster: EmbeddedCluster | None, chance: random.Random, args: argparse.Namespace) -> None:
    """Kill, freeze and restart workers and brokers at random until all of it is done."""
    seconds = args.seconds
    acts = ["kill"] * args.kills + ["freeze"] * args.freezes + ["roll"] * (args.kills // 8) + ["leave"] * args.leaves
    acts += ["broker kill"] * args.broker_kills + ["broker stall"] * args.broker_stalls if cluster else []
    chance.shuffle(acts)
    for act in acts:
        pause = chance.uniform(0.3, 1.7) * seconds / len(acts)
        await herd.minded(pause)
        victim = chance.choice(herd.instances)
        if act == "kill":
            herd.signal(victim, signal.SIGKILL)
        elif act == "leave":
            await herd.absent(victim, chance.choice([signal.SIGTERM, signal.SIGKILL]), SESSION_S + chance.uniform(1, 3))
        elif act == "roll":
            for instance in herd.instances:
                herd.signal(instance, signal.SIGTERM)
                await herd.minded(2.0)
        elif act == "freeze":
            herd.signal(victim, signal.SIGSTOP)
            await asyncio.sleep(SESSION_S + chance.uniform(1, 3))
            herd.signal(victim, signal.SIGCONT)
        elif cluster is not None:
            node = chance.choice(list(cluster.nodes))
            print(f"{act} {node}", flush=True)
            (cluster.kill_node if act == "broker kill" else cluster.freeze_node)(node)
            await herd.minded(chance.uniform(4, 8))
            if act == "broker kill":
                await cluster.start_node(node, ready=False)
            else:
                cluster.thaw_node(node)
            await herd.minded(8.0)  # back in sync before the next may go
        herd.mind()


async def compare_tables(options: dict[str, Any], prefix: str, folder: Path, herd: Herd, found: Findings) -> None:
    """Compare the workers' tables, in memory and on disk, with their changelogs."""
    files = [folder / f"tables-{instance}.json" for instance in herd.instances]
    (folder / ASKED).touch()

    def told() -> bool:
        herd.mind()
        return all(file.exists() for file in files)

    await until("every worker tells its tables", told)
    held: dict[str, list[Any]] = {}
    for file in files:
        held.update(json.loads(file.read_text()))
    for name in ("chaos.seen", "chaos.counts", "chaos.told"):
        rows = await _by_shard(options, prefix, name)
        for number in range(PARTITIONS):
            expected = sorted(rows.get(number, {}).items())
            digest = hashlib.sha256(repr(expected).encode()).hexdigest()
            found.expect(f"table {name} of shard {number}", held.get(f"{name}/{number}"), [len(expected), digest])


async def _by_shard(options: dict[str, Any], prefix: str, name: str) -> dict[int, dict[str, bytes]]:
    rows: dict[int, dict[str, bytes]] = {}
    async for record in committed(options, f"{prefix}streams.{name}-changelog"):
        mine = rows.setdefault(record.partition, {})
        if record.value is None:
            mine.pop(record.key.decode(), None)
        else:
            mine[record.key.decode()] = record.value
    return rows


async def chaos(bootstrap: str, args: argparse.Namespace, cluster: EmbeddedCluster | None = None) -> Findings:
    """Run it all."""
    options = {"bootstrap_servers": bootstrap}
    prefix = f"chaos-{args.seed}-{os.getpid()}-"
    chance = random.Random(args.seed)
    admin = AIOKafkaAdminClient(**options)
    await admin.start()
    names = [prefix + topic.name for topic in topics.TOPICS]
    await admin.create_topics([NewTopic(name, PARTITIONS, args.replication) for name in names])
    await admin.close()
    load = Load(args.events, args.keys, args.seed)
    folder = args.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    herd = Herd(command(bootstrap, prefix, folder, args), folder)
    what = f"events={args.events} kills={args.kills} freezes={args.freezes} leaves={args.leaves}"
    print(f"seed={args.seed} {what} prefix={prefix} logs={folder}", flush=True)
    started = time.monotonic()
    try:
        for number in range(args.workers):
            herd.start(f"w{number}")
        await asyncio.gather(
            put(options, prefix, load, args.seconds),
            disturb(herd, cluster, chance, args),
        )
        args.wild = False
        for instance in herd.instances:
            herd.signal(instance, signal.SIGKILL)
        left = await drained(options, prefix, INPUTS, herd)
        found = Findings()
        calls = (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []
        found = await verify(options, prefix, load, calls)
        found.expect("not drained", left, {})
        await compare_tables(options, prefix, folder, herd, found)
    finally:
        herd.stop()
    deaths = (folder / "deaths").read_text().splitlines() if (folder / "deaths").exists() else []
    print(f"put={load.put} ids={len(load.ids)} exits={len(herd.exits)} codes={sorted(set(herd.exits))} "
          f"self-kills={len(deaths)} points={sorted({line.split('+')[0].split(' ')[0] for line in deaths})} "
          f"seconds={time.monotonic() - started:.0f}")  # fmt: skip
    for wrong in found.wrong:
        print("WRONG", wrong[:400])
    print(f"lost={found.lost} doubled={found.doubled}", flush=True)
    return found


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--keys", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--freezes", type=int, default=2)
    parser.add_argument("--leaves", type=int, default=2, help="workers that stay away until their shards have moved")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--standby", type=int, default=0)
    parser.add_argument("--self-kill", type=float, default=0.001)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--folder", type=Path, help="for logs and tables; a new temporary one is left behind else")
    parser.add_argument("--bootstrap", help="a running broker; else an embedded one is started")
    parser.add_argument("--brokers", type=int, default=1, choices=[1, 3], help="embedded ones")
    parser.add_argument("--broker-kills", type=int, default=1)
    parser.add_argument("--broker-stalls", type=int, default=1)
    parser.set_defaults(wild=True, replication=1)
    return parser.parse_args(given)


async def run(args: argparse.Namespace) -> Findings:
    """Run chaos on the broker given, or on embedded ones."""
    if args.bootstrap:
        return await chaos(args.bootstrap, args)
    args.replication = args.brokers
    async with EmbeddedCluster(args.brokers) as cluster:
        return await chaos(cluster.bootstrap_servers, args, cluster)


if __name__ == "__main__":
    outcome = asyncio.run(run(arguments()))
    sys.exit(1 if outcome.lost or outcome.doubled or outcome.wrong else 0)
