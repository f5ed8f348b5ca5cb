"""Run something in the foreground until SIGTERM or SIGINT; errors become one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage (DESIGN section 9); a worker's own codes are in docs/failures.md.
"""

import asyncio
import errno
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
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
LEAVE_S: Final = 5.0
"""Between the end of a process's work and its own: what is left is cancelled, and waited for no longer."""
Result = TypeVar("Result")
_UNWRITABLE: Final = {errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EACCES}
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
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        return f"{error.filename}: {error.strerror}: free room there, or run it where it may write (STATE_FOLDER)"
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


class Stop(asyncio.Event):
    """Asks a process to end.

    A signal that comes before the process is `heeding` gives up what it does: it waits for a broker, or fetches one.
    """

    heeding = False

    def heed(self) -> None:
        """Say that from now on the process looks itself whether it is asked to end, and ends in order."""
        self.heeding = True


def serve(main: Callable[[Stop], Awaitable[int | None]], *, given_up: int = 0) -> None:
    """Run a process until it ends by itself or is asked to by a signal.

    A first signal asks; a second one ends it at once.

    Args:
        main: gets what asks; calls its `heed` as soon as it looks at it itself.
        given_up: exit code when a signal came before that.
    """

    async def work() -> int:
        _open_as_many_files_as_allowed()
        stop = Stop()
        task = asyncio.ensure_future(main(stop))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _ask, stop, task)
        try:
            code = await task or 0
        except asyncio.CancelledError:
            if stop.is_set() and not stop.heeding:
                _end_at_once(given_up)  # a download goes on in a thread, and would be waited for
            raise
        except Exception as error:
            _end_in_time(FAILED, told(error) or f"{type(error).__name__}: it did not end by itself either")
            raise
        _end_in_time(code)
        return code

    code = execute(work)
    if code:
        raise typer.Exit(code)


def _open_as_many_files_as_allowed() -> None:
    """Raise the soft limit, often 1,024, to the hard one: a worker of 200 shards or a busy collector has more open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError):  # macOS calls its limit infinite, and takes less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _ask(stop: Stop, task: "asyncio.Future[int | None]") -> None:
    if stop.is_set():
        _end_at_once(130)
    stop.set()
    if not stop.heeding:
        task.cancel()


def _end_in_time(code: int, message: str = "") -> None:
    """Let nothing that is left hold up a process whose work is done: no task that is deaf, no thread that hangs."""

    def end() -> None:
        if message:
            tell_error(message, code)
        _end_at_once(code)

    timer = threading.Timer(LEAVE_S, copy_context().run, (end,))
    timer.daemon = True
    timer.start()


def _end_at_once(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


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
