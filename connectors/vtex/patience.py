"""What is not to be had is asked for again: how soon, and what is read without it meanwhile."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from connectors.vtex.errors import KeyRefused, Retryable, VtexError

log = structlog.get_logger(__name__)

AGAIN_S: Final = 3600.0
"""What an account does not have, or does not grant, is asked for again after this: somebody may have granted it."""
LATER_S: Final = (5.0, 60.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""When one document or order that was not there is asked for again, after the time before; then it is given up."""
Read = TypeVar("Read")


class Extra:
    """What customers or orders are read with where it can be had, and without where it cannot.

    Args:
        without: what the log says then.
        whose: for the log.
    """

    def __init__(self, without: str, **whose: str) -> None:
        self._without = without
        self._whose = whose
        self._from = float("-inf")

    async def ask(self, reading: Callable[[], Awaitable[Read]]) -> Read | None:
        """Return what a reading tells; None while it is not to be had.

        Raises:
            KeyRefused, Retryable: it is not the extra that is refused.
        """
        if time.monotonic() < self._from:
            return None
        try:
            return await reading()
        except (KeyRefused, Retryable):
            raise
        except VtexError as error:
            self._from = time.monotonic() + AGAIN_S
            log.warning(self._without, reason=str(error), **self._whose)
            return None

    def answers(self) -> None:
        """Note that it can be had: who is read now is read with it."""
        self._from = float("-inf")
