"""How the engine calls an agent: it has done its work when it returns, and whatever it raises is an `Exception`."""

import inspect
from typing import Any

from streams.engine.agent import Agent
from streams.engine.errors import DiskFailed, Misuse

METHODS = ("process", "tick", "outcome", "abandoned")


def require_plain_methods(agent: Agent) -> None:
    """Refuse an agent whose methods do nothing when they are called: all of its events would count as processed.

    Raises:
        TypeError
    """
    for method in METHODS:
        function = getattr(agent, method)
        if (
            inspect.iscoroutinefunction(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise TypeError(
                f"agent {agent.name}: {method}() is a generator or a coroutine, which does nothing when it is called: "
                "make it a plain function (no `yield`, no `async`); what has to be awaited is an effect or `NotYet`"
            )


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
