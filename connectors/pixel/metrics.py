"""The collector's metrics, in one registry per process."""

from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """What an operator watches; names are documented in docs/collector.md."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("collector_requests", "Requests answered.", ("route", "status"), registry=self.registry)
        self.events = Counter("collector_events", "Events accepted.", ("kind",), registry=self.registry)
        self.acknowledged = Counter(
            "collector_records_acknowledged", "Records that Kafka acknowledged.", registry=self.registry
        )
        self.spooled = Counter("collector_records_spooled", "Records kept in the spool.", registry=self.registry)
        self.drained = Counter("collector_records_drained", "Records sent on from the spool.", registry=self.registry)
        self.spool_bytes = Gauge("collector_spool_bytes", "Bytes waiting in the spool.", registry=self.registry)
        self.kafka_away = Gauge("collector_kafka_away", "1 while Kafka does not acknowledge.", registry=self.registry)
        self.group_size = Histogram(
            "collector_group_records",
            "Records sent to Kafka together.",
            buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
            registry=self.registry,
        )
        self._answered = lru_cache(maxsize=256)(self.requests.labels)
        self._accepted = lru_cache(maxsize=16)(self.events.labels)

    def answered(self, route: str, status: int) -> None:
        """Count a request; the labels are few, and looking them up costs more than counting."""
        self._answered(route, status).inc()

    def accepted(self, kind: str, number: int) -> None:
        """Count accepted events."""
        self._accepted(kind).inc(number)
