# ruff: noqa: N818  these name what happened, not a class of errors: agents raise NotYet and Poison
"""What goes wrong, split by what the engine does about it.

EngineError
├── Poison          the record can never be processed: dead letter
│   └── RecordTooLarge
├── Misuse          an agent asks of the engine what makes no sense: its bug, and what becomes of any bug becomes of it
├── NotYet          something outside is missing: prepare, then run the batch again
├── AgentStopped    an agent fails on nearly everything: its topics stop, the rest goes on
├── Fenced          another worker owns the shard: wait for the rebalance
└── Fatal           the worker cannot know what was committed: exit, be restarted
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence


class EngineError(Exception):
    """The base of what the engine raises."""


class Poison(EngineError):
    """This input can never be processed; the reason goes to the dead letter, so it holds no personal value."""


class RecordTooLarge(Poison):
    """A staged record or table row is larger than the broker takes."""


class Misuse(EngineError):
    """An agent does what the engine cannot make sense of; the text says what, and holds no value."""


class NotYet(EngineError):
    """Something outside is missing.

    The transaction is dropped, `prepare` is awaited (10 s at most) and the batch runs again. When it asks again, it
    runs record by record, and all that is asked for is prepared once more; a record that asks again is dead-lettered.
    """

    def __init__(self, prepare: Callable[[], Awaitable[object]], reason: str = "what it needs is not there") -> None:
        super().__init__(reason)
        self.prepare = prepare


def together(asking: Sequence[NotYet]) -> NotYet:
    """Return one `NotYet` for many records of a batch.

    Asked for one after another, each would cost a run of the whole batch: ten thousand records of a store that was
    disconnected would hold up their shard for hours.
    """
    wanted = list(dict.fromkeys(one.prepare for one in asking))

    async def prepare() -> None:
        answers = await asyncio.gather(*(one() for one in wanted), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer

    return NotYet(prepare, str(asking[0]))


class AgentStopped(EngineError):
    """An agent failed on nearly everything it was given; draining its topic into dead letters helps nobody."""

    def __init__(self, agent: str, topic: str, message: str) -> None:
        super().__init__(message)
        self.agent = agent
        self.topic = topic


class Fenced(EngineError):
    """Another producer has taken this shard's transactional id: nothing was or can be written."""


class TooLargeForBroker(EngineError):
    """The broker refused a produced batch for its size; nothing of the transaction is visible."""


class DiskFailed(BaseException):
    """Tables on disk cannot be read. No `Exception`: it is no record's fault, and no agent may catch it and go on."""


class Fatal(EngineError):
    """The worker has to exit; `code` tells the supervisor why."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
