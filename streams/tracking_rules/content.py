"""What an event says, as short digests: the same content is the same event told again. Pure."""

from hashlib import blake2b
from typing import Any, Final

import orjson

from streams.engine.agent import Poison

# Not what happened, but when and how it was told: a browser that tries again adds `tracked_at`, may have changed its
# network, and may have been given consent meanwhile.
_CIRCUMSTANCES: Final = frozenset(("store", "given_id", "tracked_at", "consent", "device", "sent_by"))
_LONG: Final = 10
"""Bytes: that among a hundred million contents of a store two share a digest has odds of 4 in a billion."""
_SHORT: Final = 4


def digest(data: dict[str, Any]) -> str:
    """Return the digest of an event's content, as it was told: before anything was mended.

    Raises:
        Poison: it is nested more deeply than JSON can be written.
    """
    told = {name: value for name, value in data.items() if name not in _CIRCUMSTANCES}
    try:
        raw = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise Poison("the event is nested too deeply") from None
    return blake2b(raw, digest_size=_LONG).hexdigest()


def digest_of(*parts: object) -> str:
    """Return the digest of a few texts or numbers, in their order."""
    return blake2b("\0".join(map(str, parts)).encode(), digest_size=_LONG).hexdigest()


def mark(text: str) -> str:
    """Return a digest short enough for a list of some dozen."""
    return blake2b(text.encode(), digest_size=_SHORT).hexdigest()
