"""What an agent declares, looked at before the worker starts: what would fail, or count twice, on its first record."""

import inspect
from typing import Any

from schemas.topics import Topic
from streams.engine.agent import Agent
from streams.engine.table import Table

METHODS = {
    "process": "batch, shard",
    "tick": "now, shard",
    "outcome": "outcome, shard",
    "abandoned": "record, shard",
}
"""What the engine calls, and with what."""


def require_sound(agent: Agent) -> None:
    """Refuse an agent that cannot work as it was declared.

    Raises:
        TypeError: says of which agent, what, and what it should be.
    """
    if not isinstance(agent, Agent):
        hint = ": give an instance of it" if isinstance(agent, type) else ""
        raise TypeError(f"{agent!r} is no Agent{hint}")
    name = getattr(agent, "name", None)
    if not (isinstance(name, str) and name):
        raise TypeError(f"agent {type(agent).__name__} has no `name`: give its class one, a text")
    _require_listed(name, "inputs", getattr(agent, "inputs", None), Topic)
    _require_listed(name, "tables", agent.tables, Table)
    for method, given in METHODS.items():
        _require_plain(name, method, getattr(agent, method))
        _require_called_with(name, method, getattr(agent, method), given)


def _require_listed(agent: str, what: str, listed: Any, kind: type) -> None:
    """Refuse what is no list of topics or tables; a topic that stands in it twice would be processed twice."""
    if not (isinstance(listed, list | tuple) and all(isinstance(one, kind) for one in listed)):
        raise TypeError(
            f"agent {agent}: `{what}` is a tuple of {kind.__name__} objects, with a comma behind a single one, "
            f"not {type(listed).__name__}"
        )
    names = [one.name for one in listed]
    if len(set(names)) < len(names):
        raise TypeError(f"agent {agent}: `{what}` names one twice: {sorted(names)}")


def _require_plain(agent: str, method: str, function: Any) -> None:
    """Refuse a method that does nothing when it is called: all of its events would count as processed."""
    if (
        inspect.iscoroutinefunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise TypeError(
            f"agent {agent}: {method}() is a generator or a coroutine, which does nothing when it is called: "
            "make it a plain function (no `yield`, no `async`); what has to be awaited is an effect or `NotYet`"
        )


def _require_called_with(agent: str, method: str, function: Any, given: str) -> None:
    try:
        inspect.signature(function).bind(*given.split(", "))
    except TypeError:
        raise TypeError(f"agent {agent}: {method}() is called with ({given}), which it does not take") from None
