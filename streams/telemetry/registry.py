"""What a worker measures about itself, as Prometheus metrics: one registry a process.

Rates are left to the reader (``rate(...)`` of the counters).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST

# From a tenth of the aimed step (13 us) to a stall of a second; a step is observed as a chunk's mean.
_STEP_BUCKETS = (2e-6, 5e-6, 1e-5, 1.5e-5, 2e-5, 3e-5, 5e-5, 8e-5, 1.5e-4, 5e-4, 5e-3, 0.05, 1.0)
_MOST_SOURCES = 32
_WAIT_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Telemetry:
    """The metrics of one process.

    Parameters
    ----------
    role
        Constant label ``role`` of ``gpu_health_role_info``.
    restarts
        How often the supervisor has restarted this role.

    >>> telemetry = Telemetry("score")
    >>> telemetry.dead_letters.labels("not_json").inc()
    >>> b'gpu_health_dead_letters_total{reason="not_json"} 1.0' in telemetry.exposition()
    True
    """

    def __init__(self, role: str, restarts: int = 0) -> None:
        self.role = role
        self._sources: set[str] = set()
        self._partitions: dict[str, set[str]] = {}
        self.registry = CollectorRegistry()
        registry = self.registry
        info = Info("gpu_health_role", "Role of this process", registry=registry)
        info.info({"role": role})
        self.restarts = Gauge("gpu_health_restarts", "Restarts of this role by its supervisor", registry=registry)
        self.restarts.set(restarts)
        self.records_in = Counter(
            "gpu_health_records_in", "Records read, by topic (without prefix)", ["topic"], registry=registry
        )
        self.records_out = Counter(
            "gpu_health_records_out", "Records published, by topic", ["topic"], registry=registry
        )
        self.unreadable = Counter(
            "gpu_health_unreadable_records",
            "Records of other roles that could not be read, by topic",
            ["topic"],
            registry=registry,
        )
        self.lag_records = Gauge(
            "gpu_health_lag_records",
            "Records of the partition not read yet",
            ["topic", "partition"],
            registry=registry,
        )
        self.lag_seconds = Gauge(
            "gpu_health_lag_seconds",
            "Age of the oldest message that the role has not read",
            ["role"],
            registry=registry,
        )
        self.samples = Counter("gpu_health_samples", "Samples scored", registry=registry)
        self.late_samples = Counter(
            "gpu_health_late_samples",
            "Samples not newer than the GPU's last, by source",
            ["source"],
            registry=registry,
        )
        self.unknown_names = Counter(
            "gpu_health_unknown_names",
            "Values whose name is no signal's, by source",
            ["source"],
            registry=registry,
        )
        self.dropped_values = Counter(
            "gpu_health_dropped_values",
            "Values that were refused while the rest of their message was taken, by source and reason",
            ["source", "reason"],
            registry=registry,
        )
        self.rekeyed = Counter("gpu_health_rekeyed", "Messages sent on under their gpu_id as key", registry=registry)
        self.step_seconds = Histogram(
            "gpu_health_step_seconds",
            "Time of the step a message, mean of a chunk",
            buckets=_STEP_BUCKETS,
            registry=registry,
        )
        self.dead_letters = Counter(
            "gpu_health_dead_letters", "Messages refused, by reason", ["reason"], registry=registry
        )
        self.checkpoint_seconds = Histogram(
            "gpu_health_checkpoint_seconds",
            "Time of a checkpoint's transaction",
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self.restore_seconds = Gauge(
            "gpu_health_restore_seconds", "Time the last restore of a partition's state took", registry=registry
        )
        self.gpus = Gauge("gpu_health_gpus", "GPUs whose state this process holds", registry=registry)
        self.rows_given = Counter(
            "gpu_health_rows_given",
            "Rows that the database was given and took, by table",
            ["table"],
            registry=registry,
        )
        self.rows = Counter(
            "gpu_health_rows_written",
            "Rows that are new in the database, by table; fewer than given: their keys were there",
            ["table"],
            registry=registry,
        )
        self.rows_refused = Counter(
            "gpu_health_rows_refused",
            "Rows that the database will never take, by table",
            ["table"],
            registry=registry,
        )
        self.flush_seconds = Histogram(
            "gpu_health_flush_seconds",
            "Time of a batch's write to the database",
            buckets=_WAIT_BUCKETS,
            registry=registry,
        )
        self.notifications = Counter(
            "gpu_health_notifications",
            "Decisions on notifications, by status and reason",
            ["status", "reason"],
            registry=registry,
        )
        self.deliveries = Counter(
            "gpu_health_deliveries",
            "Deliveries to receivers, by receiver and outcome",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.broker_seen_seconds = Gauge(
            "gpu_health_broker_seen_timestamp_seconds",
            "Time of the broker's last answer",
            registry=registry,
        )
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    def observe_chunk(self, messages: int, elapsed_seconds: float) -> None:
        """Count a chunk of the raw topic and its mean step time."""
        if messages:
            self.samples.inc(messages)
            self.step_seconds.observe(elapsed_seconds / messages)

    @contextlib.contextmanager
    def timed(self, histogram: Histogram) -> Iterator[None]:
        """Observe the time of the block in ``histogram``, also where it fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            histogram.observe(time.perf_counter() - started)

    def count_dead_letters(self, by_reason: Mapping[str, int]) -> None:
        """Add refused messages by reason."""
        for reason, count in by_reason.items():
            self.dead_letters.labels(reason).inc(count)

    def count_by_source(
        self, late: Mapping[str, int], unknown_names: Mapping[str, int], dropped: Mapping[tuple[str, str], int]
    ) -> None:
        """Add what was late, unknown or refused, by source; senders that make sources up share one series."""
        for source, count in late.items():
            self.late_samples.labels(self._source(source)).inc(count)
        for source, count in unknown_names.items():
            self.unknown_names.labels(self._source(source)).inc(count)
        for (source, reason), count in dropped.items():
            self.dropped_values.labels(self._source(source), reason).inc(count)

    def _source(self, source: str) -> str:
        if source in self._sources or len(self._sources) < _MOST_SOURCES:
            self._sources.add(source)
            return source
        return "others"

    def set_lag(self, topic: str, lags: Iterable[tuple[int, int]]) -> None:
        """Set the lags of all partitions of ``topic`` (without prefix) that are ours; others have no series."""
        now = {str(partition): max(0, lag) for partition, lag in lags}
        for partition in self._partitions.get(topic, set()) - now.keys():
            self.lag_records.remove(topic, partition)
        for partition, lag in now.items():
            self.lag_records.labels(topic, partition).set(lag)
        self._partitions[topic] = set(now)

    def add_collector(self, collector: Collector) -> None:
        """Register a collector that is asked at each scrape."""
        self.registry.register(collector)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)
