"""A worker process of the crash tests: the sample agents, and points at which it kills itself."""

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import uvloop

from schemas.clock import to_text
from streams.engine import shard
from streams.engine.effect import Effect, EffectOutcome
from streams.engine.milestones import Point
from streams.engine.settings import EffectSettings, EngineSettings
from streams.engine.worker import Worker
from tests.crash.engine.sample import Count, Deduplicate


class Broker:
    """The broker of a chaos run: what `KafkaConnection` is to the product."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix

    def options(self) -> dict:
        """Return arguments for any aiokafka client."""
        return {"bootstrap_servers": self._bootstrap}

    def topic(self, name: str) -> str:
        """Return a prefixed name."""
        return self._prefix + name


ASKED = "tell-your-tables"
"""A file in the folder: the workers write down what their tables hold when it is there."""

SPANS_S = {"committing": 0.004, "recovering": 0.05}
"""What follows these points takes so long; death comes somewhere in it."""


class SelfKiller:
    """Kills its own process, without warning, at a point of a transaction.

    Args:
        share: of the points that are deadly.
        seed: of the choice.
        certain: the point that is deadly the first time already.
        log: a line is appended for every death.
    """

    def __init__(self, share: float, seed: int, certain: str | None, log: Path) -> None:
        self._share = share
        self._random = random.Random(seed)
        self._certain = certain
        self._dying = False
        self._log = log

    def reached(self, point: Point, shard: int) -> None:
        """Die, or not."""
        share = self._share
        if point == "recovering":
            share = min(0.08, share * 40)
        if point == self._certain:
            share = 1.0
        if self._dying or self._random.random() >= share:
            return
        self._dying = True
        if point in SPANS_S:
            delay = self._random.uniform(0, SPANS_S[point])
            threading.Thread(target=self._die, args=(f"{point}+{delay * 1000:.1f}ms", shard, delay)).start()
        else:
            self._die(point, shard, 0.0)

    def _die(self, point: str, shard: int, delay: float) -> None:
        time.sleep(delay)
        with self._log.open("a") as log:
            log.write(f"{point} shard {shard}\n")
        os.kill(os.getpid(), signal.SIGKILL)


class WanderingClock:
    """A clock that jumps back and forth by minutes, as none should.

    Args:
        seed: of the jumps.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._until = 0.0
        self._off = 0.0

    def __call__(self) -> float:
        """Return the time that it shows."""
        now = time.time()
        if now >= self._until:
            self._until = now + self._random.uniform(0.5, 3)
            self._off = self._random.uniform(-1200, 1200)
        return now + self._off


def caller(calls: Path):
    """Return a handler that notes every call it makes, durably enough for a killed process."""

    async def call(effect: Effect) -> EffectOutcome:
        with calls.open("a") as log:
            log.write(f"{effect.store}/{effect.id}\n")
        await asyncio.sleep(0.002)
        return EffectOutcome.model_validate({
            "effect": effect.id, "agent": effect.agent, "kind": effect.kind, "store": effect.store,
            "destination": effect.destination, "key": effect.key, "status": "done",
            "at": to_text(int(time.time() * 1000)),
        })  # fmt: skip

    return call


def digests(worker: Worker) -> dict[str, list]:
    """Return the row count and a hash of every table part that the worker owns."""
    found = {}
    for name, table in worker.line.tables.items():
        for number in worker.engine.shards:
            rows = list(worker.engine.part(name, number).items("", 0 if table.ttl_ms else -1))
            digest = hashlib.sha256(repr(rows).encode()).hexdigest()
            found[f"{name}/{number}"] = [len(rows), digest]
    return found


def main() -> int:
    """Run the worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--self-kill", type=float, default=0.0)
    parser.add_argument("--die-at")
    parser.add_argument("--wandering-clock", action="store_true")
    parser.add_argument("--fault", type=float, default=0.0)
    parser.add_argument("--standby", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    killer = SelfKiller(args.self_kill, args.seed, args.die_at, args.folder / "deaths")
    settings = EngineSettings(
        instance=args.instance, state_folder=args.folder / args.instance, standby_replicas=args.standby,
        effects=EffectSettings(rate=500.0, concurrent=32),
    )  # fmt: skip
    if args.wandering_clock:
        shard.time = WanderingClock(args.seed)
    worker = Worker(
        Broker(args.bootstrap, args.prefix),
        [Deduplicate(args.fault, args.seed), Count()],
        {"chaos.call": caller(args.folder / "calls")}, settings, milestones=killer,
    )  # fmt: skip

    async def dump() -> None:
        # A file, not a signal: a worker that is just being started would die of one. And a rebalance may be under way,
        # in which it holds no shard.
        while not ((args.folder / ASKED).exists() and worker.engine.live):  # noqa: ASYNC110  another process asks
            await asyncio.sleep(0.05)
        target = args.folder / f"tables-{args.instance}.json"
        target.with_suffix(".new").write_text(json.dumps(digests(worker)))
        target.with_suffix(".new").rename(target)

    async def run() -> int:
        ready = args.folder / f"ready-{args.instance}"
        dumping = asyncio.create_task(dump())
        code = await worker.run(on_ready=lambda: ready.write_text(str(time.time())))
        dumping.cancel()
        return code

    return uvloop.run(run())


if __name__ == "__main__":
    sys.exit(main())
