"""A worker process whose only agent has a destination called: one call at a time, by one line over TCP."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import uvloop

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.properties import HOST
from schemas import topics
from schemas.clock import to_text
from streams.engine.agent import Agent, Batch, Effect, EffectOutcome, Shard
from streams.engine.settings import EffectSettings, EngineSettings
from streams.engine.worker import Worker

ONCE = "message"
"""An effect of this name is not repeatable."""


class Calls(Agent):
    """Stages a call for each record: its value is the effect's name, its key the effect's."""

    name = "calls"
    inputs = (topics.PIXEL_EVENTS,)

    def process(self, batch: Batch, shard: Shard) -> None:
        """Stage."""
        for record in batch:
            name = (record.value or b"").decode()
            shard.effect(Effect(
                id=name, agent=self.name, kind="test", store=record.store, destination="there",
                key=record.key.decode(), repeatable=name != ONCE,
            ))  # fmt: skip


def caller(instance: str, port: int):
    """Return a handler that tells the destination who calls and what for, and waits for its answer."""

    async def call(effect: Effect) -> EffectOutcome:
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(f"{instance} {effect.id}\n".encode())
            answered = bool(await reader.readline())
        finally:
            writer.close()
        return EffectOutcome(
            effect=effect.id, agent=effect.agent, kind=effect.kind, store=effect.store, key=effect.key,
            destination=effect.destination, status="done" if answered else "uncertain",
            at=to_text(int(time.time() * 1000)),
        )  # fmt: skip

    return call


def main() -> int:
    """Run the worker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--instance", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--destination", type=int, required=True)
    parser.add_argument("--web-port", type=int)
    args = parser.parse_args()
    settings = EngineSettings(
        instance=args.instance, state_folder=args.folder / args.instance, web_port=args.web_port,
        effects=EffectSettings(rate=500.0, concurrent=1, timeout_s=600.0),
    )  # fmt: skip
    handlers = {"test": caller(args.instance, args.destination)}
    return uvloop.run(Worker(KafkaConnection(args.bootstrap, args.prefix), [Calls()], handlers, settings).run())


if __name__ == "__main__":
    sys.exit(main())
