"""Dead letters of agents: what a call did not bring about, for people to see (docs/failures.md)."""

from base64 import b64encode
from typing import Any

import orjson

from schemas.clock import to_text
from schemas.topics import DEAD_LETTERS, Topic
from streams.engine.agent import Shard


def bury(shard: Shard, store: str, letter: str, topic: Topic, key: bytes, **fields: Any) -> None:
    """Write a dead letter.

    Args:
        shard: the transaction.
        store: whose.
        letter: its stable id; a later letter of the same id takes its place.
        topic: of the record that led to the call, which stands in this shard.
        key: of that record.
        fields: others of `schemas.fates.DeadLetter`: `step` and `reason` at least; no personal value in them.
    """
    row = {
        "store": store, "letter": letter, "topic": topic.name, "partition": shard.number,
        "key": b64encode(key).decode(), "at": to_text(shard.now), **fields,
    }  # fmt: skip
    shard.send(DEAD_LETTERS, DEAD_LETTERS.key(store, letter), orjson.dumps(row))
