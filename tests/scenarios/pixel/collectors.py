"""Collector processes on one port and one spool folder, to be killed."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from connectors.kafka.connection import KafkaConnection
from connectors.kafka.ports import free_ports
from tests.pixel_load import Load
from tests.waiting import until

PROCESS = Path(__file__).with_name("collector_process.py")
ROOT = Path(__file__).parents[3]


class Collectors:
    """The processes; the kernel gives each connection to one of them (`SO_REUSEPORT`)."""

    def __init__(self, kafka: KafkaConnection, key: bytes, folder: Path, processes: int = 1) -> None:
        (self.port,) = free_ports(1)  # none that somebody's call may take while a killed one is away
        self._options = json.dumps({
            "bootstrap": kafka.bootstrap_servers, "prefix": kafka.topic_prefix, "port": str(self.port),
            "spool": str(folder), "key": key.decode(),
        })  # fmt: skip
        self._log = (folder.parent / "collector.log").open("ab")
        self.processes = [self._spawn() for _ in range(processes)]

    def _spawn(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}
        return subprocess.Popen(
            [sys.executable, PROCESS, self._options], stdout=self._log, stderr=self._log, env=environment
        )

    async def kill(self, number: int = 0) -> None:
        """SIGKILL one, and start a new one at once."""
        self.processes[number].kill()
        await asyncio.to_thread(self.processes[number].wait)
        self.processes[number] = self._spawn()

    async def until(self, check: Callable[[dict[str, Any]], bool], seconds: float = 90) -> dict[str, Any]:
        """Wait until the `/health/ready` of whichever process answers tells what `check` waits for."""
        async with asyncio.timeout(seconds):
            while True:
                document = await self.health()
                if document is not None and check(document):
                    return document
                await asyncio.sleep(0.05)

    async def health(self) -> dict[str, Any] | None:
        """What one process says of itself; a new connection may reach another one."""
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as client:
                document: dict[str, Any] = (await client.get("/health/ready")).json()
        except httpx.HTTPError:
            return None
        return document

    async def drained(self, folder: Path, seconds: float = 90) -> None:
        """Wait until no process's spool holds anything."""
        await until("the spool is drained", lambda: not any(folder.glob("*/*.spool")), seconds)

    async def stop(self) -> list[int]:
        """SIGTERM; returns the exit codes."""
        for process in self.processes:
            process.terminate()
        try:
            return [await asyncio.to_thread(process.wait, 90) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
                process.wait()
            self._log.close()


async def accepted_more(load: Load, more: int = 20, seconds: float = 90) -> None:
    """Wait until so many more requests were answered 200."""
    before = len(load.accepted)
    async with asyncio.timeout(seconds):
        while len(load.accepted) < before + more:  # noqa: ASYNC110  counted by the load's own tasks
            await asyncio.sleep(0.02)
