"""The engine's settings: values handed in by the front door, each with the reason for its default."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EffectSettings:
    """How calls to destinations are made.

    Attributes:
        concurrent: calls under way in a worker.
        per_destination: calls under way for one (store, destination): few, so that one store cannot take them all.
        gathered: the same for destinations whose handler makes calls together, by destination: as many as shall leave
            in one request. They are a few connections however many they are, and `concurrent` does not count them.
        rate: calls a second for one (store, destination), when `rates` does not name the destination.
        rates: calls a second, by destination.
        timeout_s: after which a call is `uncertain`.
        breaker_after: failures in a row that open the breaker of a (store, destination).
        breaker_first_s: how long it stays open at first; it doubles up to `breaker_longest_s`.
        grace_s: how long calls under way may end when the shard moves to another worker.
    """

    concurrent: int = 64
    per_destination: int = 8
    gathered: dict[str, int] = field(default_factory=dict)
    rate: float = 20.0
    rates: dict[str, float] = field(default_factory=dict)
    timeout_s: float = 60.0
    breaker_after: int = 5
    breaker_first_s: float = 5.0
    breaker_longest_s: float = 300.0
    grace_s: float = 2.0


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a worker runs.

    Attributes:
        instance: names this worker among all: static member id and folder of its state. Unique and stable.
        wait_ms: pause between the starts of two batches of a topic in a shard. A lone event never waits longer. 15 ms
            is the best trade measured: 10 ms is no faster a hop and costs more CPU, 20 ms adds 3 ms, 100 ms adds 40.
        batch_records: a batch of a topic in a shard ends with the Kafka batch that reaches so many records; bounds
            memory and the time of a transaction.
        fetch_bytes: most bytes fetched of one partition at once: some 5,000 of the pixel's events. A fetch and a
            transaction cost the same however much they carry; 2 MB make a backlog 5 % slower, 8 MB 4 % faster, and
            the turns twice as long.
        fetch_wait_ms: how long the broker holds a fetch when nothing is new and every partition is part of it. One
            fetch is under way per broker, so while a partition is left out, the fetch is made to end in time for it.
        session_timeout_ms: after which a dead worker's shards move on. With static membership a restarted worker is
            back long before.
        heartbeat_ms: a third of the session time-out or less.
        rebalance_timeout_ms: how long a rebalance waits for workers to let go.
        transaction_timeout_ms: the broker aborts a transaction that is open for longer; readers of every partition
            that it touched wait until then, so it is short.
        max_poll_interval_ms: a worker whose agents hang for longer loses its shards.
        standby_replicas: workers that keep a copy of each table, to take over without a restore.
        tick_ms: how often `tick` is called.
        state_folder: where disk tables live; None forbids them.
        web_host: address of the worker's web pages (health, metrics); loopback unless asked otherwise.
        web_port: their port; None serves none.
        compression: `lz4`, `gzip`, or None; of everything the engine produces.
        effects: how calls to destinations are made.
    """

    instance: str = "worker-0"
    wait_ms: int = 15
    batch_records: int = 10_000
    fetch_bytes: int = 4 << 20
    fetch_wait_ms: int = 100
    session_timeout_ms: int = 6_000
    heartbeat_ms: int = 1_000
    rebalance_timeout_ms: int = 20_000
    transaction_timeout_ms: int = 20_000
    max_poll_interval_ms: int = 300_000
    standby_replicas: int = 0
    tick_ms: int = 1_000
    state_folder: Path | None = None
    web_host: str = "127.0.0.1"
    web_port: int | None = None
    compression: str | None = None
    effects: EffectSettings = field(default_factory=EffectSettings)
