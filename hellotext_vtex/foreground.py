"""Run something in the foreground until SIGTERM or SIGINT; errors become one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage (DESIGN section 9); a worker's own codes are in docs/failures.md.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NoReturn, TypeVar

import typer
import uvloop
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from connectors.console.connect import BusinessTakenError, StoreUnreadableError
from connectors.kafka.errors import KafkaSetupError
from hellotext_vtex.settings import SettingsError

FAILED = 1
WRONG_USAGE = 2
Result = TypeVar("Result")
_AS_JSON: Final = ContextVar("errors as JSON", default=False)


class CommandError(Exception):
    """A command cannot do what it was asked; the message says what happened, to what, and what to do."""


def told(error: Exception) -> str | None:
    """Return the line that an expected error is told by; None for one that nobody expected."""
    if isinstance(error, ValidationError):
        return "; ".join(
            "".join(f"{'.'.join(map(str, one['loc']))}: " for _ in one["loc"][:1])
            + one["msg"].removeprefix("Value error, ")
            for one in error.errors()
        )
    if isinstance(error, KafkaError):
        return f"Kafka: {type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.strerror and error.filename is None:
        return error.strerror  # our own words, without the number
    expected = (KafkaSetupError, SettingsError, CommandError, BusinessTakenError, StoreUnreadableError, OSError)
    return str(error) if isinstance(error, expected) else None


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong on standard error, and end."""
    raise typer.Exit(tell_error(message, code))


def tell_error(message: str, code: int) -> int:
    """Say what is wrong on standard error: one line for people, one object for scripts; return the exit code."""
    if _AS_JSON.get():
        line = json.dumps({"error": {"message": message, "exit_code": code}}, ensure_ascii=False)
    else:
        line = f"error: {message}"
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
    return code


@contextmanager
def errors_as_json() -> Iterator[None]:
    """Have errors told to scripts for the length of the block."""
    before = _AS_JSON.set(True)
    try:
        yield
    finally:
        _AS_JSON.reset(before)


def execute(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a command's work to its end and return what it returns."""
    try:
        return uvloop.run(work())
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:  # whoever read our output has had enough (front_door.py), or a connection broke
        raise
    except Exception as error:
        message = told(error)
        if message is None:
            raise
        fail(message, WRONG_USAGE if isinstance(error, SettingsError | ValidationError) else FAILED)


def serve(main: Callable[[asyncio.Event], Awaitable[int | None]]) -> None:
    """Run a process until it ends by itself or is asked to by a signal; `main` gets the event that asks.

    A first signal asks; a second one ends it at once.
    """

    async def work() -> int:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _ask, stop)
        return await main(stop) or 0

    code = execute(work)
    if code:
        raise typer.Exit(code)


def _ask(stop: asyncio.Event) -> None:
    if stop.is_set():
        os._exit(130)
    stop.set()


def tell_ready(name: str, *, as_json: bool, **facts: object) -> None:
    """Print the one line that says a process is ready."""
    if as_json:
        line = json.dumps({"ready": name, **facts})
    else:
        line = " ".join([f"{name} is ready", *(str(value) for value in facts.values())])
    print(line, flush=True)


def print_json(value: object) -> None:
    """Print a value for scripts: one document, UTF-8."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=str), flush=True)


def print_line(value: object) -> None:
    """Print a value for scripts on one line, UTF-8."""
    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)
