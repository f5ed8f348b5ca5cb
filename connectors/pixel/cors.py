"""Preflights (contracts/hellotext A2): every call of the client is preflighted, without credentials."""

from typing import Final

from connectors.pixel.answers import Answer

_ALWAYS: Final = ("authorization", "content-type", "accept", "idempotency-key")
_METHODS: Final = b"GET, POST, PATCH, DELETE, OPTIONS"
_TOKEN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~")


def preflight(requested: bytes) -> Answer:
    """Return the answer to an `OPTIONS`, whatever its path.

    `authorization` is listed by name, since `*` does not cover it; headers that the page adds are echoed.

    Args:
        requested: `Access-Control-Request-Headers`.
    """
    names = dict.fromkeys(_ALWAYS)
    for part in requested.decode("latin-1").lower().split(","):
        name = part.strip()
        if name and set(name) <= _TOKEN:
            names[name] = None
    headers = (
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", ", ".join(names).encode()),
        (b"access-control-max-age", b"86400"),
        (b"vary", b"access-control-request-headers"),
    )
    return Answer(204, b"", headers)
