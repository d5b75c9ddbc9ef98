"""Each GPU's scores as Prometheus metrics, read from the tables at each scrape."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agents.view.rows import StatusRow
from streams.web.lookups import Lookups

_LABELS = ("gpu_id", "host_id", "model")
_SCORES = ("overall_score", "thermal_score", "memory_score", "power_score", "link_score", "risk_score")


class FleetCollector(Collector):
    """Gauges by GPU: the scores (a score that is not known has no series), the probability, missing, alerts."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        rows = [row for row in self._lookups.status_rows() if not row.is_host]
        for name in _SCORES:
            text = f"Latest {name.replace('_', ' ')} of the GPU, 0 to 100"
            yield _family(f"gpu_health_{name}", text, ((row, getattr(row, name)) for row in rows))
        yield _family(
            "gpu_health_failure_probability_30d_ratio",
            "Probability of failing within 30 days",
            ((row, row.failure_probability_30d) for row in rows),
        )
        yield _family("gpu_health_missing", "1: the GPU is silent", ((row, float(row.missing)) for row in rows))
        yield _family(
            "gpu_health_open_alerts", "Open alerts of the GPU", ((row, float(len(row.alerts))) for row in rows)
        )


def _family(name: str, text: str, values: Iterator[tuple[StatusRow, float | None]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=_LABELS)
    for row, value in values:
        if value is not None:
            family.add_metric((row.gpu_id, row.host_id, row.model or ""), float(value))
    return family
