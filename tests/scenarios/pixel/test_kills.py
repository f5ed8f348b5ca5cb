"""Accepted means durable, whatever is killed (DESIGN section 3.1)."""

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from connectors.kafka.secrets import SecretBox
from tests.pixel_collector import connect, connected, read_topic
from tests.pixel_load import Load

pytestmark = pytest.mark.broker
PROCESS = Path(__file__).with_name("collector_process.py")
ROOT = Path(__file__).parents[3]


class Collectors:
    """Collector processes on one port and one spool folder."""

    def __init__(self, kafka, key: bytes, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._options = json.dumps({
            "bootstrap": kafka.bootstrap_servers, "prefix": kafka.topic_prefix, "port": str(self.port),
            "spool": str(folder), "key": key.decode(),
        })  # fmt: skip
        self._log = (folder.parent / "collector.log").open("ab")
        self.process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        return subprocess.Popen(
            [sys.executable, PROCESS, self._options], stdout=self._log, stderr=self._log, env=environment
        )

    async def kill(self) -> None:
        """SIGKILL, and a new one at once."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self.process = self._spawn()

    async def until(self, check, seconds: float = 30) -> dict:
        """Wait until `/health/ready` tells what `check` waits for."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client, asyncio.timeout(seconds):
            while True:
                try:
                    document = (await client.get("/health/ready")).json()
                except httpx.HTTPError:
                    document = None
                if document is not None and check(document):
                    return document
                await asyncio.sleep(0.05)

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.terminate()
        try:
            return await asyncio.to_thread(self.process.wait, 30)
        finally:
            self.process.kill()
            self.process.wait()
            self._log.close()


async def accepted_more(load: Load, seconds: float = 30) -> None:
    """Wait until the collector has answered 200 again."""
    before = len(load.accepted)
    async with asyncio.timeout(seconds):
        while len(load.accepted) < before + 20:  # noqa: ASYNC110  counted by the load's own tasks
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.long)])
async def test_what_was_answered_200_survives_sigkill(kafka, tmp_path, kills):
    """The collector dies again and again under load: every answered event stands in the topic."""
    key = Fernet.generate_key()
    await connect(kafka, connected(SecretBox(key)))
    collectors = Collectors(kafka, key, tmp_path / "spool")
    load = Load(collectors.port, pause=0.002)
    load.start()
    try:
        for _ in range(kills):
            await accepted_more(load)
            await asyncio.sleep(random.random() / 10)  # not to wait for anything: to hit another moment each time
            await collectors.kill()
        await accepted_more(load)
        await load.stop()
        await collectors.until(lambda document: document["spool_bytes"] == 0)
    finally:
        code = await collectors.stop()

    in_topic = [row["id"] for row in await read_topic(kafka, "pixel.events")]
    assert load.accepted - set(in_topic) == set()
    assert code == 0
