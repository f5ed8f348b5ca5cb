"""What an operator may choose about the collector; read by the front door and handed in."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """Limits are per worker process; sizes in bytes, times in seconds.

    Attributes:
        port: 0 takes a free one; the address bound is told to `ready`.
        spool: folder of the spool; each worker process keeps its own folder inside.
        ack_timeout: how long a request waits for Kafka before its events go to the spool.
        body_limit: of a request as sent and as unpacked; answers 413 above.
        batch_limit: events in one `POST /v1/track/batch`.
        read_timeout: for a request's head, and again for its body; then 408 and the connection is closed.
        idle_timeout: for which a connection is kept between two requests; longer than balancers keep theirs (60 s: AWS,
            nginx), or a request may meet the end of its connection, and is 502 to its page.
        rate: events a second of one store; `burst` is what may come at once.
        concurrency: requests in work at once; 503 above, so that a flood cannot eat the memory.
        trusted_proxies: how many proxies of ours stand in front (their `X-Forwarded-For` is believed).
        proxy_concurrency: calls passed on to Hellotext at once.
        reuse_port: several worker processes may listen on one port.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    spool: Path = field(default_factory=lambda: Path("state/spool"))
    spool_limit: int = 1 << 30
    segment_size: int = 4 << 20
    ack_timeout: float = 2.0
    body_limit: int = 256 * 1024
    batch_limit: int = 500
    read_timeout: float = 10.0
    idle_timeout: float = 75.0
    rate: float = 5_000.0
    burst: float = 20_000.0
    concurrency: int = 10_000
    trusted_proxies: int = 0
    proxy_concurrency: int = 32
    proxy_timeout: float = 5.0
    drain_timeout: float = 10.0
    ready_after: float = 10.0
    reuse_port: bool = True
