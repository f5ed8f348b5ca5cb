"""The engine beside its peers: job (a) count by key, job (b) forward each id once; and what it alone is asked for."""

import asyncio
import shutil
import statistics
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from bench.load import create, fill, fresh_prefix
from bench.measures import measure as measure_alone
from bench.processes import marks
from bench.results import row
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
JAVA = ROOT / "bench" / "kafka-streams"
KEYS = 5_000
JOBS = {"a": "count by key", "b": "deduplicate by id and forward"}
PEERS: dict[str, tuple[list[str], float]] = {
    "engine": ([sys.executable, "-m", "bench.peers.engine_worker"], 1.0),
    "aiokafka loop": ([sys.executable, "-m", "bench.peers.aiokafka_loop"], 1.0),
    "stock Faust": ([sys.executable, "-m", "bench.peers.faust_stock"], 0.05),
    "Kafka Streams EOS v2": (["java", "-Xmx1g", "-cp", f"{JAVA}/target:{JAVA}/target/lib/*", "Peer"], 4.0),
    "Quix Streams": ([str(BENCH_PYTHON), str(ROOT / "bench/peers/quix.py")], 0.4),
    "Bytewax": ([str(BENCH_PYTHON), str(ROOT / "bench/peers/bytewax_flow.py")], 1.0),
}
"""Command, and the share of the events: slow peers need fewer for the same time, the JVM more to get warm."""


class Run:
    """One run of one peer."""

    def __init__(self, options: dict[str, Any], job: str) -> None:
        self._options = options
        self._job = job

    async def rate(self, peer: str, events: int) -> float:
        """Return events a second."""
        command, share = PEERS[peer]
        events = max(2_000, int(events * share))
        prefix = fresh_prefix()
        await create(self._options, *(prefix + name for name in _topics()))
        await create(self._options, prefix + "loop-changelog", compact=True)
        put = await fill(self._options, prefix + "pixel.events", events, KEYS)
        bootstrap = self._options["bootstrap_servers"]
        process = await asyncio.create_subprocess_exec(
            *command, bootstrap, prefix, self._job, str(put), cwd=ROOT, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        told, _ = await asyncio.wait_for(process.communicate(), timeout=240)
        at = marks(told, ("START", "END"))
        return put / (at["END"] - at["START"])


def _topics() -> list[str]:
    outputs = [f"{peer}-output" for peer in ("loop", "stock", "quix", "kstreams", "bytewax")]
    return [topic.name for topic in TOPICS] + outputs


async def compare(options: dict[str, Any], args: Namespace) -> list[dict[str, Any]]:
    """Run every peer in turn, round by round, so that all see the same weather."""
    results = []
    for job in args.jobs:
        rates: dict[str, list[float]] = {peer: [] for peer in args.peers}
        for _ in range(args.runs):
            for peer in args.peers:
                try:
                    rates[peer].append(await Run(options, job).rate(peer, args.events))
                except (KeyError, TimeoutError) as error:
                    print(f"job {job}: {peer} did not finish: {error!r}", flush=True)
                    continue
                print(f"job {job}: {peer} {rates[peer][-1]:,.0f} events/s", flush=True)
        ours = statistics.median(rates["engine"])
        for peer, theirs in rates.items():
            if peer != "engine" and theirs:
                value = statistics.median(theirs)
                results.append(
                    row(
                        f"({job}) {JOBS[job]}", ours, value, "events/s", subject="engine", better="higher",
                        runs=len(theirs), peer=peer,
                    )
                )  # fmt: skip
    return results


def prepare_peers() -> set[str]:
    """Install the peers that are not ours; return those that this machine cannot have."""
    absent = set()
    if not BENCH_PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(BENCH_PYTHON.parents[1])], check=True)
        pip = [str(BENCH_PYTHON), "-m", "pip", "install", "-q", "-r", str(ROOT / "requirements" / "bench.lock")]
        if subprocess.run(pip, check=False).returncode:
            absent |= {"Quix Streams", "Bytewax"}
    if not (JAVA / "target" / "Peer.class").exists():
        fetch = ["mvn", "-q", "-f", str(JAVA / "pom.xml"), "dependency:copy-dependencies",
                 f"-DoutputDirectory={JAVA}/target/lib"]  # fmt: skip
        build = ["javac", "-cp", f"{JAVA}/target/lib/*", "-d", str(JAVA / "target"), str(JAVA / "Peer.java")]
        tools = all(shutil.which(tool) for tool in ("mvn", "javac", "java"))
        if not tools or any(subprocess.run(command, check=False).returncode for command in (fetch, build)):
            absent.add("Kafka Streams EOS v2")
    return absent


async def measure(options: dict[str, Any], args: Namespace) -> list[dict[str, Any]]:
    """Return the rows of the engine."""
    absent = await asyncio.to_thread(prepare_peers)
    args.peers = [peer for peer in args.peers if peer not in absent]
    print(f"left out: {sorted(absent)}" if absent else "all peers present", flush=True)
    alone = await measure_alone(options, args.runs)  # first: what the peers leave on the broker keeps it busy
    return await compare(options, args) + alone
