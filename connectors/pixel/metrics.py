"""The collector's metrics, in one registry per process."""

from collections import Counter as Counts
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector


class Metrics:
    """What an operator watches; names are documented in docs/collector.md."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = _Plain("collector_requests", "Requests answered.", ("route", "status"), self.registry)
        self._events = _Plain("collector_events", "Events accepted.", ("kind",), self.registry)
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

    def answered(self, route: str, status: str) -> None:
        """Count a request."""
        self._requests.counts[route, status] += 1

    def accepted(self, kind: str, number: int) -> None:
        """Count accepted events."""
        self._events.counts[kind,] += number


class _Plain(Collector):
    """A counter of one thread: integers, made into metrics when somebody asks (0.1 us a count instead of 0.4)."""

    def __init__(self, name: str, documentation: str, labels: tuple[str, ...], registry: CollectorRegistry) -> None:
        self._described = (name, documentation, labels)
        self.counts: Counts[tuple[str, ...]] = Counts()
        registry.register(self)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield what was counted."""
        name, documentation, labels = self._described
        family = CounterMetricFamily(name, documentation, labels=labels)
        for values, count in self.counts.items():
            family.add_metric(values, count)
        yield family
