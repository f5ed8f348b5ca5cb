"""A worker that is cut off from the broker but not from the destinations: nobody there would refuse what it says."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.ports import free_ports
from connectors.kafka.properties import HOST
from connectors.kafka.provisioning import provision
from tests.crash.cable import CabledKafka
from tests.crash.engine.calling_worker import ONCE
from tests.crash.herd import PARTITIONS, Herd, changelog
from tests.waiting import until

PREFIX, SHARD = "cut-off-", 1
HELD = ("far", "held")
"""This call is answered last of all."""


class Destination:
    """Notes who calls and what for, in order.

    Attributes:
        told: who, and which effect.
        answers: once it is set, also to the call that is held.
        heard: set when whoever made that call has heard its answer.
    """

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.answers = asyncio.Event()
        self.heard = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one call."""
        with contextlib.suppress(ConnectionError):
            instance, _, effect = (await reader.readline()).decode().strip().partition(" ")
            self.told.append((instance, effect))
            if (instance, effect) == HELD:
                await self.answers.wait()
            writer.write(b"done\n")
            await reader.read()
            if (instance, effect) == HELD:
                self.heard.set()
        writer.close()


class Scene:
    """A destination, a broker at the end of a cable, and the workers far and near."""

    def __init__(self, kafka: CabledKafka, there: Destination, port: int, folder: Path) -> None:
        self.there = there
        self.options = {"bootstrap_servers": kafka.bootstrap_servers}
        self._far, self._folder, self._port = f"{HOST}:{kafka.cable_port}", folder, port
        (self._web,) = free_ports(1)
        self.herd = Herd(self._command, folder)

    def _command(self, instance: str, earlier: int) -> list[str]:
        del earlier
        bootstrap = self._far if instance == "far" else self.options["bootstrap_servers"]
        given = ["--bootstrap", bootstrap, "--prefix", PREFIX, "--instance", instance, "--folder", str(self._folder)]
        given += ["--destination", str(self._port)] + (["--web-port", str(self._web)] if instance == "far" else [])
        return [sys.executable, "-m", "tests.crash.engine.calling_worker", *given]

    async def put(self, effect: str, key: str) -> None:
        """Have a call staged."""
        async with AIOKafkaProducer(**self.options) as producer:
            await producer.send_and_wait(
                f"{PREFIX}pixel.events", key=key.encode(), value=effect.encode(), partition=SHARD
            )

    async def outbox(self) -> dict[str, str]:
        """Return the state of each effect that waits or is under way."""
        rows = await changelog(self.options, PREFIX, "engine.outbox")
        return {key.partition("/")[2]: json.loads(raw)["state"] for key, raw in rows.items()}

    async def has_staged(self, **effects: str) -> None:
        """Wait until these stand in the outbox, and no others."""

        async def so() -> bool:
            return await self.outbox() == effects

        await until(f"the outbox holds {effects}", so)

    async def far_waits_for(self) -> list[str]:
        """Return who waits in the far worker, as its health page has it."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://{HOST}:{self._web}/health")
        return [wait["who"] for wait in answer.json()["waits"]]

    def times_at_work(self) -> int:
        """Return how often the far worker has begun to work."""
        return (self._folder / "log-far").read_text().count("this worker is at work")


@contextlib.asynccontextmanager
async def a_scene(kafka: CabledKafka, folder: Path):
    """Start the destination; stop the workers in the end."""
    await provision(KafkaConnection(kafka.bootstrap_servers, PREFIX), partitions=PARTITIONS)
    there = Destination()
    server = await asyncio.start_server(there.take, HOST, 0)
    scene = Scene(kafka, there, server.sockets[0].getsockname()[1], folder)
    try:
        yield scene
    finally:
        there.answers.set()
        await asyncio.to_thread(scene.herd.stop)  # the cable lies in this loop
        server.close()


@pytest.mark.broker
@pytest.mark.timeout(240)
async def test_who_is_cut_off_begins_no_call_that_another_makes_by_now(tmp_path):
    """An older state must not come last, nor a message that was told to be uncertain; then it is back by itself."""
    async with CabledKafka() as kafka, kafka.cable() as cable, a_scene(kafka, tmp_path) as scene:
        told = scene.there.told
        scene.herd.start("far")
        await scene.put("held", "acme/other")
        await until("the far worker calls", lambda: told == [HELD])
        await scene.put("old", "acme/ana")
        await scene.put(ONCE, "acme/phone")
        await scene.has_staged(held="staged", old="staged", **{ONCE: "started"})  # taken to run, for one at a time
        cable.cut()
        scene.herd.start("near")
        await until("the near worker takes over", lambda: ("near", "old") in told)
        await until("the far worker says so", lambda: _has(scene, "effects"))
        await scene.put("new", "acme/ana")
        await until("the near worker calls again", lambda: told[-1] == ("near", "new"))
        await scene.has_staged()
        scene.there.answers.set()
        await scene.there.heard.wait()  # whatever waited for this call to end may begin now
        cable.mend(late=False)
        await until("the far worker is back", lambda: scene.times_at_work() == 2)
        await scene.put("last", "acme/ana")
        await until("one of them goes on", lambda: told[-1][1] == "last")
        scene.herd.mind()
        assert scene.herd.exits == []
    made = [HELD, ("near", "held"), ("near", "old"), ("near", "new")]
    assert [sorted(told[:3]), told[3:4], [effect for _, effect in told[4:]]] == [sorted(made[:3]), made[3:], ["last"]]


@pytest.mark.broker
@pytest.mark.timeout(240)
async def test_who_is_cut_off_stops_when_it_is_told_to(tmp_path):
    """Also with an outcome that it cannot write: the next owner makes that call again, or leaves it uncertain."""
    async with CabledKafka() as kafka, kafka.cable() as cable, a_scene(kafka, tmp_path) as scene:
        scene.herd.start("far")
        await scene.put("held", "acme/other")
        await until("the far worker calls", lambda: scene.there.told == [HELD])
        cable.cut()
        scene.there.answers.set()
        await scene.there.heard.wait()
        far = scene.herd._running["far"]
        far.terminate()
        await until("it ends", lambda: far.poll() is not None, seconds=120)
        assert far.returncode == 0


async def _has(scene: Scene, who: str) -> bool:
    return who in await scene.far_waits_for()
