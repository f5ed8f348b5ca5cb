"""Prometheus metrics of a worker."""

from collections.abc import Mapping
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RECORDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000)


class Metrics:
    """What a worker counts; one registry each, so that tests can run many in a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.events = Counter("streams_events_total", "Records consumed and committed.", ["topic"],
                              registry=self.registry)  # fmt: skip
        self.batch = Histogram("streams_batch_records", "Records of one topic in one transaction.", ["topic"],
                               buckets=_RECORDS, registry=self.registry)  # fmt: skip
        self.transaction = Histogram("streams_transaction_seconds", "From the start of a turn to its commit.",
                                     buckets=_SECONDS, registry=self.registry)  # fmt: skip
        self.aborts = Counter("streams_aborts_total", "Transactions that came to nothing.", ["reason"],
                              registry=self.registry)  # fmt: skip
        self.lag = Gauge("streams_lag_records", "Committed records that are not consumed yet.", ["topic", "shard"],
                         registry=self.registry)  # fmt: skip
        self.lost = Counter("streams_lost_records_total", "Offsets deleted by retention before they were consumed.",
                            ["topic"], registry=self.registry)  # fmt: skip
        self.restore = Gauge("streams_restore_remaining_records", "Changelog records to read before work begins.",
                             registry=self.registry)  # fmt: skip
        self.restored = Counter("streams_restored_records_total", "Changelog records applied.", ["table"],
                                registry=self.registry)  # fmt: skip
        self.halted = Gauge("streams_topic_halted", "1 when an agent failed on nearly everything.", ["agent", "topic"],
                            registry=self.registry)  # fmt: skip
        self.shards = Gauge("streams_shards", "Shards that this worker owns.", registry=self.registry)
        self.effects = Counter("streams_effects_total", "Calls to destinations, by how they ended.",
                               ["destination", "status"], registry=self.registry)  # fmt: skip
        self.effects_waiting = Gauge("streams_effects_waiting", "Effects in the outbox.", registry=self.registry)
        self.breakers = Gauge("streams_breaker_open", "1 while calls to the destination are suspended.",
                              ["store", "destination"], registry=self.registry)  # fmt: skip
        self.last_commit: dict[int, float] = {}

    def let_go(self) -> None:
        """Forget what was measured of shards: those that come back are measured anew, the others by somebody else."""
        self.shards.set(0)
        self.lag.clear()
        self.breakers.clear()

    def turn(self, shard: int, records: Mapping[str, int], seconds: float) -> None:
        """Count a committed turn."""
        for topic, count in records.items():
            self.events.labels(topic).inc(count)
            self.batch.labels(topic).observe(count)
        self.transaction.observe(seconds)
        self.last_commit[shard] = monotonic()
