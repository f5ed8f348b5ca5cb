"""Calls of a forgotten person that wait in the outbox: taken back, as the agent that staged them would have it."""

from typing import Final

from streams.engine.agent import Shard
from streams.engine.outbox import OUTBOX
from streams.forward import taken_back
from streams.messages import SEND, called_off
from streams.profile_rules.sessions import KIND

_SENDINGS: Final = frozenset(SEND.values())


def take_back(shard: Shard, key: str) -> None:
    """Take one call back, unless it is under way or has to end first.

    Events and links of sessions are dropped; a message that was not begun is not sent. Calls about profiles stay: the
    profiles agent waits for them, and erases after them (profile_rules/destination.py).

    Args:
        shard: the transaction.
        key: of the outbox row.
    """
    outbox = shard.table(OUTBOX)
    row = outbox.get(key)
    if row is None:
        return
    effect = row["effect"]
    if effect["agent"] == "forward":
        taken_back(shard, effect["store"])
    elif effect["kind"] in _SENDINGS and row["state"] == "staged":
        called_off(shard, effect["store"], effect["id"].partition("/")[2].rpartition("/")[0])
    elif effect["kind"] != KIND:
        return
    del outbox[key]
