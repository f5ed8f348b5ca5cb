"""How the engine calls an agent: it has done its work when it returns, and whatever it raises is an `Exception`."""

import inspect
from typing import Any

from streams.engine.agent import Agent
from streams.engine.errors import DiskFailed, Misuse


def call(agent: Agent, method: str, *given: Any) -> None:
    """Call an agent's method.

    Raises:
        Misuse: it returned something (a generator that nobody runs, for one), or raised what ends a process.
        Exception: what it raised.
    """
    try:
        returned = getattr(agent, method)(*given)
    except (Exception, KeyboardInterrupt, DiskFailed):
        raise
    except BaseException as error:  # SystemExit, CancelledError, a panic in Rust: in a topic it would stop every worker
        text = f"agent {agent.name}: {method}() raised {type(error).__name__}, which ends a process or a task"
        raise Misuse(text).with_traceback(error.__traceback__) from error
    if returned is not None:
        if inspect.iscoroutine(returned):
            returned.close()
        raise Misuse(
            f"agent {agent.name}: {method}() returned a {type(returned).__name__}: it returns nothing, "
            "and what it leaves for later never happens"
        )
