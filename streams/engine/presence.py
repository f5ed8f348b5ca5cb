"""Whether the input topics are still there: without one, Faust's recovery waits for ever, and every shard with it."""

from collections.abc import Mapping
from time import monotonic
from typing import Final

from streams.engine.errors import Fatal
from streams.engine.transaction import EXIT_SPLIT_SHARD

PATIENCE_S: Final = 20.0
"""A topic that is deleted and created anew is away for a moment; the worker then reads the new one."""


class Presence:
    """Remembers which input topics were there."""

    def __init__(self) -> None:
        self._missing_since: dict[str, float | None] = {}

    def observe(self, there: Mapping[str, bool], now: float | None = None) -> None:
        """Take note; called about once a second.

        Args:
            there: of each input topic, whether the brokers know it.
            now: seconds, of the monotonic clock.

        Raises:
            Fatal: one that was there is gone.
        """
        now = monotonic() if now is None else now
        for topic, present in there.items():
            if present:
                self._missing_since[topic] = None
            elif topic in self._missing_since and self._missing_since[topic] is None:
                self._missing_since[topic] = now
        gone = sorted(name for name, since in self._missing_since.items() if since and now - since >= PATIENCE_S)
        if gone:
            raise Fatal(
                EXIT_SPLIT_SHARD,
                f"input topics {gone} are gone from the broker, or this worker may not see them any more (DESCRIBE): "
                "run `hellotext-vtex topics create`, or grant it. Nothing is counted until they are there.",
            )
