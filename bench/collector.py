"""The collector beside its peers, same load, acks=all.

Peers: Go's net/http with franz-go, and a bare ASGI app that only parses and produces. Each round runs all of them, so
that they see the same weather.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from cryptography.fernet import Fernet

from bench.load import PARTITIONS, create, fresh_prefix
from bench.processes import cpu_seconds
from bench.results import ASKED, Better, row
from connectors.kafka.secrets import SecretBox
from schemas.partition import shard_of
from schemas.stores import HellotextAccess, StoreConnection, VtexAccess
from schemas.topics import STORES, TOPICS

ROOT = Path(__file__).parents[1]

CONNECTIONS = 64
GO = "Go net/http + franz-go"
CORE_HOUR = 0.04
"""Price of a core for an hour, in dollars, as clouds ask for it: for the cost of a million events."""
EVENT = {
    "session": "efa19728-461e-4982-8201-cb3a665ba04f",
    "user_parameters": {},
    "action": "page.viewed",
    "page": {"url": "http://store1.myvtex.com/p.html?utm_source=hellotext", "title": "T", "path": "/p.html"},
    "utm_params": {"source": "hellotext", "medium": "sms", "campaign": "C1", "content": "x"},
}  # fmt: skip


class Bench:
    """One broker, one set of topics, one store."""

    def __init__(self, bootstrap: str, folder: Path, seconds: float) -> None:
        self._bootstrap = bootstrap
        self._prefix = fresh_prefix()
        self._folder = folder
        self._seconds = seconds
        self._key = Fernet.generate_key()
        self._go = folder / "go-collector"

    async def prepare(self) -> None:
        """Make the topics, the store and the bodies."""
        options = {"bootstrap_servers": self._bootstrap}
        await create(options, *(self._prefix + topic.name for topic in TOPICS))
        seal = SecretBox(self._key).seal
        store = StoreConnection(
            store="acme", vtex=VtexAccess(account="acme", url="http://127.0.0.1:1", app_key="k", app_token=seal("t")),
            hellotext=HellotextAccess(url="http://127.0.0.1:1/v1", business_id="BID123", token=seal("t")),
            country="BR", timezone="America/Sao_Paulo", currency="BRL", hash_secret=seal("s"), hook_secret=seal("h"),
            server_token=seal("server-token"), connected_at="2026-01-01T00:00:00Z",
        )  # fmt: skip
        producer = AIOKafkaProducer(**options)
        await producer.start()
        topic, place = self._prefix + STORES.name, shard_of("acme", PARTITIONS)
        await producer.send_and_wait(topic, store.model_dump_json().encode(), key=b"acme", partition=place)
        await producer.stop()
        (self._folder / "one.json").write_text(json.dumps(EVENT))
        (self._folder / "fifty.json").write_text(json.dumps({"events": [EVENT] * 50}))

    def build(self) -> None:
        """Build the Go program: peer and load."""
        subprocess.run(["go", "build", "-o", str(self._go), "."], cwd=ROOT / "bench" / "go-collector", check=True)

    def command(self, peer: str) -> list[str]:
        """Return what starts a peer."""
        topic, place = f"{self._prefix}pixel.events", str(shard_of("acme", PARTITIONS))
        spool = str(self._folder / "spool")
        return {
            "collector": [sys.executable, "-m", "bench.peers.our_collector", self._bootstrap, self._prefix,
                          self._key.decode(), spool, "0"],
            "bare ASGI app": [sys.executable, "-m", "bench.peers.bare_asgi", self._bootstrap, topic, place],
            GO: [str(self._go), "serve", self._bootstrap, topic, "127.0.0.1:0"],
        }[peer]  # fmt: skip

    def measure(self, peer: str) -> dict[str, float]:
        """Return a peer's rate, its p99 at half of it, its rate in batches (ours), and its CPU seconds an event."""
        process = subprocess.Popen(self.command(peer), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            told = process.stdout.readline() if process.stdout else ""
            target = told.strip().removeprefix("http://")
            time.sleep(2)
            self._load(target, "/v1/track/events", 0, "one.json", seconds=2)
            before = cpu_seconds(process.pid)
            full = self._load(target, "/v1/track/events", 0, "one.json")
            spent = cpu_seconds(process.pid) - before
            half = self._load(target, "/v1/track/events", full["rate"] / 2, "one.json")
            found = {"rate": full["rate"], "p99_ms": half["p99_ms"], "cpu": spent / (full["rate"] * self._seconds)}
            if peer == "collector":
                found["batched"] = 50 * self._load(target, "/v1/track/batch", 0, "fifty.json", connections=16)["rate"]
            return found
        finally:
            process.terminate()
            process.wait()

    def _load(
        self, target: str, path: str, rate: float, body: str, *, seconds: float = 0, connections: int = CONNECTIONS
    ) -> dict[str, float]:
        command = [str(self._go), "load", target, path, str(connections), str(seconds or self._seconds), str(rate)]
        told = subprocess.run([*command, str(self._folder / body)], check=True, stdout=subprocess.PIPE)
        found: dict[str, float] = json.loads(told.stdout)
        if found["errors"]:
            raise RuntimeError(f"{found['errors']} requests to {target} failed: no figure is taken from this run")
        return found


def rows(measured: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Return the rows of the collector, from the figures of each run of each peer."""
    runs = len(measured["collector"])

    def median(peer: str, figure: str) -> float:
        return statistics.median(run[figure] for run in measured[peer])

    def one(job: str, value: float, theirs: float, better: Better, unit: str, *, peer: str = ASKED) -> dict[str, Any]:
        return row(f"collector: {job}", value, theirs, unit, subject="collector", better=better, runs=runs, peer=peer)

    def micros(peer: str) -> float:
        return median(peer, "cpu") * 1e6

    rate, p99, batched = (median("collector", figure) for figure in ("rate", "p99_ms", "batched"))
    peers = [peer for peer in measured if peer != "collector"]
    dollars = 1 / 3600 * CORE_HOUR
    return [
        *(one("single events", rate, median(peer, "rate"), "higher", "events/s", peer=peer) for peer in peers),
        # Of what moves with the machine's other work, this moves least.
        *(one("CPU of an event", micros("collector"), micros(peer), "lower", "us", peer=peer) for peer in peers),
        one("p99 at half its maximum", p99, 15, "lower", "ms"),
        one("batches of 50", batched, 60_000, "higher", "events/s"),
        one("a million events", micros("collector") * dollars, micros(GO) * dollars, "lower", "USD of CPU", peer=GO),
    ]


async def measure(options: dict[str, Any], args: Namespace) -> list[dict[str, Any]]:
    """Return the rows of the collector; the load generator and its peers are processes of their own."""
    return await asyncio.to_thread(_measure, options["bootstrap_servers"], args)


def _measure(bootstrap: str, args: Namespace) -> list[dict[str, Any]]:
    measured: dict[str, list[dict[str, float]]] = {"collector": [], "bare ASGI app": [], GO: []}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(bootstrap, Path(folder), args.seconds)
        bench.build()
        asyncio.run(bench.prepare())
        for _ in range(args.runs):
            for peer, runs in measured.items():
                runs.append(bench.measure(peer))
                print(peer, {name: round(value, 6) for name, value in runs[-1].items()}, flush=True)
    return rows(measured)
