"""Partitions of which nothing can be had: what is damaged or forbidden stops itself, is told, and is tried again."""

from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

import structlog
from aiokafka.errors import CorruptRecordException, TopicAuthorizationFailedError

from connectors.seldom import Seldom
from streams.engine.waiting import FIRST_S, LONGEST_S

log = structlog.get_logger(__name__)

REST_S: Final = 1.0
"""How long such a partition is left out of the fetches."""
FORBIDDEN: Final = (
    "permission to read it: grant READ on the topic to the worker's principal; it is asked again each second"
)
DAMAGED: Final = (
    "the batch at offset {position}, which is damaged at the broker (its checksum differs): restore it from a replica, "
    "or delete the records up to behind it (kafka-delete-records); the worker then goes on and tells how many are lost"
)
OTHER: Final = "the batch at offset {position}, which cannot be read ({error}): look at the broker and at who wrote it"


class Refusal:
    """One of them."""

    def __init__(self) -> None:
        self.since = monotonic()
        self.until = 0.0
        self.whom = ""
        self.telling = Seldom(FIRST_S, LONGEST_S)


class Refusals:
    """Those of a worker; written by the consumer's thread, read by any."""

    def __init__(self) -> None:
        self._by_partition: dict[Any, Refusal] = {}

    def note(self, tp: Any, position: int | None, error: Exception) -> None:
        """Take note that what was fetched of a partition cannot be used, and tell it at growing intervals."""
        refusal = self._by_partition.setdefault(tp, Refusal())
        now = monotonic()
        refusal.until = now + REST_S
        refusal.whom = _whom(position, error)
        if refusal.telling.due(now):
            log.error("a partition stands still, the others go on", topic=tp.topic, shard=tp.partition,
                      waits_for=refusal.whom)  # fmt: skip

    def resting(self, tp: Any) -> bool:
        """Whether the partition was refused a moment ago."""
        refusal = self._by_partition.get(tp)
        return refusal is not None and monotonic() < refusal.until

    def over(self, tp: Any) -> None:
        """Take note that the partition can be read."""
        self._by_partition.pop(tp, None)

    def waits(self) -> Mapping[Any, tuple[str, float]]:
        """Return for what each partition waits, and since when (monotonic seconds)."""
        return {tp: (refusal.whom, refusal.since) for tp, refusal in tuple(self._by_partition.items())}

    def clear(self) -> None:
        """Forget all: the partitions are assigned anew."""
        self._by_partition.clear()

    def __bool__(self) -> bool:
        return bool(self._by_partition)


def _whom(position: int | None, error: Exception) -> str:
    if isinstance(error, TopicAuthorizationFailedError):
        return FORBIDDEN
    text = DAMAGED if isinstance(error, CorruptRecordException) else OTHER
    return text.format(position=position, error=type(error).__name__)
