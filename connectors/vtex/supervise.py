"""Running a reader for ever: its failures are its own, are told to people, and move no cursor (DESIGN section 3.7)."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog
from aiokafka.errors import KafkaError

from connectors.kafka.errors import KafkaSetupError
from connectors.vtex.errors import Dispensable, Refused, Retryable, VtexError, place_of
from connectors.vtex.journal import Fenced, JournalBroken
from connectors.vtex.patience import AGAIN_S
from connectors.vtex.source import Source
from connectors.vtex.status import STATUS

log = structlog.get_logger(__name__)

Look = Callable[[], Awaitable[float | None]]
"""Reads once; returns the seconds until the next time, None when there is none."""


async def supervise(source: Source, name: str, look: Look) -> None:
    """Call a reader again and again.

    Raises:
        Fenced, JournalBroken: the store has to be left or opened anew.
    """
    failures = 0
    while True:
        try:
            wait = await look()
        except (Fenced, JournalBroken):
            raise
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  whatever it is must stop no reader
            _heed_cancellation()
            failures += 1
            wait = _jittered(_after(source, error, failures))
            if not isinstance(error, VtexError | KafkaError | KafkaSetupError):
                kind = type(error).__name__
                log.error("a reader failed", store=source.name, reader=name, error=kind, place=place_of(error))  # noqa: TRY400
            if source.status.wrong(name, _message(error), note=isinstance(error, Dispensable), wait=wait):
                log.warning("a reader waits", store=source.name, reader=name, reason=_message(error))
            await _tell(source)
        else:
            failures = 0
            source.status.right(name)
            await _tell(source)
            if wait is None:
                return
            wait = _jittered(wait)
        _heed_cancellation()
        await asyncio.sleep(wait)


async def tell_rests(source: Source) -> None:
    """Keep in the store's row until when the calls of its account rest: its readers wait in the middle of a look.

    Raises:
        Fenced, JournalBroken: the store has to be left or opened anew.
    """
    gate = source.client.gate
    while True:
        news = gate.news  # taken first: what comes while the row is written is news again
        source.status.rest(gate.rests_until)
        await _tell(source)
        await news.wait()


def _jittered(wait: float) -> float:
    return wait * random.uniform(0.95, 1.05)


def _heed_cancellation() -> None:
    """End a reader that was told to: a failure on its way out, or a library's, may stand where the cancellation was."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _after(source: Source, error: BaseException, failures: int) -> float:
    rest = source.settings.rest
    if isinstance(error, Dispensable):
        return AGAIN_S
    if isinstance(error, Refused):
        return rest
    wait = min(rest, source.settings.calls.backoff * 2.0 ** min(failures, 16))
    return max(wait, error.retry_after or 0.0) if isinstance(error, Retryable) else wait


def _message(error: BaseException) -> str:
    # Other errors' texts may quote what they stumbled over.
    told = isinstance(error, VtexError | KafkaSetupError)
    return str(error) if told else f"{type(error).__name__}: see the poller's log"


async def _tell(source: Source) -> None:
    """Keep the store's problems and rests in a cursor row, for the console and the terminal."""
    now, told = source.status.position, source.position(STATUS)
    if now != told and any(row.get(name) for row in (now, told) for name in ("problems", "rests_until")):
        await source.move(STATUS, now)
