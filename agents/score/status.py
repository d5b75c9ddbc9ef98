"""GpuStatus: a GPU's latest state, and when it is news."""

from __future__ import annotations

from agents.score.records import status_values
from models.alerts.alert_state import SEVERITY_RANK
from models.gpu.measured import measured
from models.gpu.published import Status
from models.gpu.shared import workload_of
from models.gpu.state import GpuState
from models.health.overall import Scores
from models.risk.serving import Risk
from schemas.health_score import band_of, whole
from schemas.status import GpuStatus, OpenAlert
from schemas.times import format_time


def is_news(state: GpuState, urgent: bool) -> bool:
    """Tell whether a score, the risk or a level moved since the last news.

    ``urgent`` tells that an alert or a recommendation is published. What is news is kept in
    ``state.published.status``.
    """
    scores, risk = state.scores, state.risk
    if scores is None or risk is None:
        return urgent
    if scores is state.shown and not urgent:  # not computed again, nor the risk: nothing has moved
        return False
    state.shown = scores
    last = state.published.status
    if (
        last is not None
        and not urgent
        and last.overall == whole(scores.overall)
        and last.thermal == whole(scores.thermal)
        and last.memory == whole(scores.memory)
        and last.power == whole(scores.power)
        and last.risk_score == risk.risk_score
        and last.risk_level == risk.level
    ):
        return False
    state.published.status = _now(scores, risk)
    state.evidence_dirty = True
    return True


def _now(scores: Scores, risk: Risk) -> Status:
    return Status(
        whole(scores.overall),
        whole(scores.thermal),
        whole(scores.memory),
        whole(scores.power),
        scores.partial,
        risk.risk_score,
        risk.level,
        risk.probability_7d,
        risk.probability_30d,
    )


def gpu_status(state: GpuState, *, of_sample: bool = True) -> GpuStatus:
    """Return the record; between a restore and the next sample its scores are those of the last news.

    ``of_sample`` is false where a message could not be taken: then it says that the GPU lives, and no values.
    """
    if of_sample and state.scores is not None and state.risk is not None:
        now = _now(state.scores, state.risk)
    else:
        now = state.published.status or Status()
    labels = state.labels
    advice = state.published.advice
    coverage = _coverage(state, of_sample=of_sample)
    values = status_values(state) if of_sample and not state.is_host else {}
    heard = state.heard
    alerts = open_alerts(state)
    return GpuStatus(
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        model=labels.get("model"),
        serial=labels.get("serial"),
        pci_bus_id=labels.get("pci_bus_id"),
        slot=labels.get("slot"),
        rack_id=labels.get("rack_id"),
        driver_version=labels.get("driver_version"),
        workload=workload_of(labels),
        source=labels.get("source"),
        simulated=labels.get("simulated") == "true",
        last_seen=format_time(state.time if measured(state.time) else heard) if measured(heard) else "",
        appended_at=format_time(heard) if measured(heard) else "",
        clock_ahead_seconds=round(state.clock_ahead_seconds, 1),
        interval_seconds=state.interval_seconds,
        values=dict(state.host_facts) if state.is_host else values,
        overall_score=now.overall,
        thermal_score=now.thermal,
        memory_score=now.memory,
        power_score=now.power,
        link_score=None,
        coverage=coverage,
        band=band_of(now.overall, coverage),
        partial=now.partial,
        risk_score=now.risk_score,
        risk_level=now.risk_level,
        failure_probability_7d=now.probability_7d,
        failure_probability_30d=now.probability_30d,
        action=advice.action if advice else None,
        alerts=alerts,
        missing=any(alert.rule in ("gpu_missing", "host_missing") for alert in alerts),
        samples=state.samples,
        late_samples=state.late_samples,
    )


def _coverage(state: GpuState, *, of_sample: bool) -> float | None:
    """Return the share of the scores' inputs that are measured, that of the last HealthScore after a restore."""
    if of_sample and state.scores is not None:
        return round(state.scores.coverage, 2)
    health = state.published.health
    return None if health is None or health.coverage is None else round(health.coverage, 2)


def open_alerts(state: GpuState) -> list[OpenAlert]:
    """Return the alerts that fire, the gravest first."""
    firing = [alert for alert in state.alerts.values() if alert.open]
    firing.sort(key=lambda alert: (-SEVERITY_RANK[alert.severity], alert.starts_at, alert.key))
    return [
        OpenAlert(
            rule=alert.rule,
            severity=alert.severity,
            page=alert.page,
            starts_at=format_time(alert.starts_at),
            incident_id=alert.incident_id,
            summary=alert.summary,
        )
        for alert in firing
    ]
