"""Waiting in tests for what nobody announces: it stands in a topic, or another process does it."""

import asyncio
from collections.abc import Callable
from inspect import isawaitable
from typing import Any

PAUSE_S = 0.02


async def until(what: str, holds: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something holds and return it, or fail saying what never did.

    Args:
        what: for the failure.
        holds: looks, at once or by an awaitable.
        seconds: at most.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            while not (found := await _looked(holds)):  # noqa: ASYNC110  nobody announces it
                await asyncio.sleep(PAUSE_S)
            return found
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"never happened: {what}") from None


async def _looked(holds: Callable[[], Any]) -> Any:
    found = holds()
    return await found if isawaitable(found) else found
