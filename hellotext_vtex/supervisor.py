"""Processes of ours under one roof: started, waited for until ready, restarted when they die, ended together."""

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

import structlog

from hellotext_vtex.foreground import CommandError

log = structlog.get_logger(__name__)

READY_S: Final = 180.0
STOP_S: Final = 20.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
STEADY_S: Final = 20.0
"""A process that ran for so long is restarted at once when it dies; one that dies earlier waits longer each time."""
HERE: Final = Path(__file__).parents[1]
LINE_LIMIT: Final = 1 << 20
_PR_SET_PDEATHSIG: Final = 1

Echo = Callable[[str, str], None]
"""Told each line that a process logs: its name and the line."""


def _end_with_parent() -> None:
    """Have the kernel end this child when its parent is gone, however that one dies (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Supervisor:
    """Runs commands of `hellotext-vtex` as child processes.

    Args:
        environment: of every child.
        logs: folder that gets one file for each process.
        echo: told what they log.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path, echo: Echo) -> None:
        # The very code that runs here, not what a folder in which it is started happens to hold (another version's).
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        self._environment = {**os.environ, **environment, "PYTHONPATH": path}
        self._logs = logs
        self._echo = echo
        self._minders: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ready: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._stopping = False
        self.restarts = 0

    async def start(self, name: str, *arguments: str, **environment: str) -> dict[str, Any]:
        """Start a process and return what its line of readiness says; from then on it is restarted when it dies.

        Args:
            name: for logs; unique.
            arguments: of `hellotext-vtex`.
            environment: for this one, above everybody's.

        Raises:
            CommandError: it ended before it was ready, or took too long.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._ready[name] = ready
        minder = asyncio.create_task(self._mind(name, arguments, environment), name=f"mind {name}")
        self._minders[name] = minder
        either: set[asyncio.Future[Any]] = {ready, minder}
        done, _ = await asyncio.wait(either, timeout=READY_S, return_when=asyncio.FIRST_COMPLETED)
        if ready in done:
            return ready.result()
        if minder in done:
            minder.result()
        raise CommandError(f"{name} was not ready within {READY_S:g} s: see {self._logs / name}.log")

    async def _mind(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = monotonic()
            code = await self._run(name, arguments, environment)
            if self._stopping:
                return
            if not self._ready[name].done():
                raise CommandError(f"{name} ended with exit code {code} before it was ready: {self._last_lines(name)}")
            if monotonic() - began > STEADY_S:
                pause = FIRST_PAUSE_S
            self.restarts += 1
            log.warning("a process died: restarting it", process=name, code=code, pause_s=pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, pause * 2)

    async def _run(self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str]) -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "hellotext_vtex.cli", *arguments, env={**self._environment, **environment},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            preexec_fn=_end_with_parent, limit=LINE_LIMIT, start_new_session=True,
        )  # fmt: skip
        self._processes[name] = process
        await asyncio.gather(self._hear(name, process.stdout), self._log(name, process.stderr))
        return await process.wait()

    async def _hear(self, name: str, output: asyncio.StreamReader | None) -> None:
        """Wait for the line of readiness; whatever else is printed is logged."""
        while output is not None and (line := await output.readline()):
            ready = self._ready[name]
            with contextlib.suppress(ValueError, TypeError):
                told = json.loads(line)
                if "ready" in told and not ready.done():
                    ready.set_result(told)
                    continue
            self._echo(name, line.decode("utf-8", "replace").rstrip())

    async def _log(self, name: str, output: asyncio.StreamReader | None) -> None:
        with (self._logs / f"{name}.log").open("ab") as file:
            while output is not None and (line := await output.readline()):
                file.write(line)
                file.flush()
                self._echo(name, line.decode("utf-8", "replace").rstrip())

    def _last_lines(self, name: str) -> str:
        with contextlib.suppress(OSError):
            lines = (self._logs / f"{name}.log").read_text("utf-8", "replace").strip().splitlines()
            return " / ".join(_plain(line) for line in lines[-3:])
        return "it said nothing"

    async def stop(self) -> None:
        """Ask every process to end (SIGTERM), and kill those that do not."""
        self._stopping = True
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        if self._minders:
            _, late = await asyncio.wait(self._minders.values(), timeout=STOP_S)
            for process in self._processes.values():
                if process.returncode is None:
                    process.kill()
            if late:
                await asyncio.wait(late, timeout=STOP_S)
        for minder in self._minders.values():
            minder.cancel()
        await asyncio.gather(*self._minders.values(), return_exceptions=True)


def _plain(line: str) -> str:
    """Return a log line as people read it: an error that was told as JSON by its message."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(line)["error"]["message"])
    return line
