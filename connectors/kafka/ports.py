"""Free ports on this machine's own address."""

import random
import socket
from collections.abc import Collection
from typing import Final

from connectors.kafka.errors import PortTaken
from connectors.kafka.properties import HOST

RANGE: Final = range(15_000, 32_000)
"""Below the ports that systems give to outgoing connections: a broker that is down for a moment finds its own again."""


def is_free(port: int, host: str = HOST) -> bool:
    """Return whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Java does: closing connections do not count
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count: int, *, besides: Collection[int | None] = ()) -> list[int]:
    """Return different ports where nobody listens, none of those that are meant for something else already."""
    found: list[int] = []
    # Not the shared generator: processes that seed it alike, as tests do, would all come upon the same port at once.
    for port in random.Random().sample(RANGE, len(RANGE)):
        if len(found) == count:
            break
        if port not in besides and is_free(port):
            found.append(port)
    return found


def require_free(port: int) -> None:
    """Refuse a port that is in use.

    Raises:
        PortTaken: somebody listens there, or this process may not.
    """
    if not is_free(port):
        raise PortTaken(
            f"port {port} of {HOST} is in use (or not allowed to this user): stop what listens there, "
            "give another port, or none, and a free one is found"
        )
