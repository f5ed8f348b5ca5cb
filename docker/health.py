"""Health check of a container: `python health.py http://127.0.0.1:8080/health/ready` or `tcp://127.0.0.1:8090`.

Exit code 0: a 2xx answer, or a connection that is accepted. Without an address: the main process is not a zombie.
"""

import socket
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

TIMEOUT_S = 3.0


def problem(address: str | None) -> str | None:
    """Return what is wrong, or None."""
    if address is None:
        state = Path("/proc/1/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[0]
        return f"the main process is in state {state}" if state in "ZXT" else None
    parts = urlsplit(address)
    try:
        if parts.scheme == "tcp":
            socket.create_connection((parts.hostname or "", parts.port or 0), TIMEOUT_S).close()
        else:
            urlopen(address, timeout=TIMEOUT_S).close()  # noqa: S310  the address is written in docker-compose.yml
    except (URLError, OSError) as error:
        return f"{address}: {error}"
    return None


if __name__ == "__main__":
    found = problem(sys.argv[1] if len(sys.argv) > 1 else None)
    if found is not None:
        sys.exit(found)
