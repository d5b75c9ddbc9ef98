"""GpuStatus: a GPU's latest state, and when it is news."""

from __future__ import annotations

from typing import Any

from agents.score.records import status_values, whole
from models.alerts.alert_state import SEVERITY_RANK, AlertState
from models.gpu.state import GpuState
from schemas.health_score import Band
from schemas.status import GpuStatus, OpenAlert
from schemas.times import format_time

_SAID = "status"
_BANDS: tuple[tuple[Band, int], ...] = (("excellent", 90), ("good", 80), ("fair", 70), ("degraded", 60))
# Order of what is remembered in state.said: a restored state can be told before its next sample.
_OVERALL, _THERMAL, _MEMORY, _POWER, _PARTIAL, _RISK, _LEVEL, _P7, _P30 = range(9)


def is_news(state: GpuState, said: bool) -> bool:
    """Tell whether a score, the risk or a level moved since the last news; ``said``: an alert or advice was said.

    What is news is remembered in ``state.said``.
    """
    scores, risk = state.scores, state.risk
    if scores is None or risk is None:
        return said
    now = (scores.overall, scores.thermal, scores.memory, scores.power, risk.risk_score)
    if now == state.shown and not said:  # not a tenth of a point has moved
        return False
    state.shown = now
    last = state.said.get(_SAID)
    if (
        last is not None
        and not said
        and last[_OVERALL] == whole(scores.overall)
        and last[_THERMAL] == whole(scores.thermal)
        and last[_MEMORY] == whole(scores.memory)
        and last[_POWER] == whole(scores.power)
        and last[_RISK] == risk.risk_score
        and last[_LEVEL] == risk.level
    ):
        return False
    state.said[_SAID] = _now(state)
    state.evidence_dirty = True
    return True


def _now(state: GpuState) -> list[Any]:
    scores, risk = state.scores, state.risk
    return [
        whole(scores.overall),
        whole(scores.thermal),
        whole(scores.memory),
        whole(scores.power),
        scores.partial,
        risk.risk_score,
        risk.level,
        risk.probability_7d,
        risk.probability_30d,
    ]


def gpu_status(state: GpuState) -> GpuStatus:
    """Return the record; between a restore and the next sample its scores are those said last."""
    if state.scores is not None and state.risk is not None:
        now = _now(state)
    else:
        now = state.said.get(_SAID) or [None, None, None, None, False, 0, "low", 0.0, 0.0]
    labels = state.labels
    advice = state.said.get("advice")
    alerts = open_alerts(state)
    pod, namespace = labels.get("pod"), labels.get("namespace")
    return GpuStatus(
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        model=labels.get("model"),
        serial=labels.get("serial"),
        pci_bus_id=labels.get("pci_bus_id"),
        slot=labels.get("slot"),
        rack_id=labels.get("rack_id"),
        driver_version=labels.get("driver_version"),
        workload=f"{namespace}/{pod}" if namespace and pod else pod,
        source=labels.get("source"),
        simulated=labels.get("simulated") == "true",
        last_seen=format_time(state.time) if state.time == state.time else "",
        appended_at=format_time(state.append_time) if state.append_time == state.append_time else "",
        interval_seconds=state.interval_seconds,
        values=dict(state.host_facts) if state.is_host else status_values(state),
        overall_score=now[_OVERALL],
        thermal_score=now[_THERMAL],
        memory_score=now[_MEMORY],
        power_score=now[_POWER],
        link_score=None,
        band=band_of(now[_OVERALL]),
        partial=now[_PARTIAL],
        risk_score=now[_RISK],
        risk_level=now[_LEVEL],
        failure_probability_7d=now[_P7],
        failure_probability_30d=now[_P30],
        action=advice["action"] if advice else None,
        alerts=alerts,
        missing=any(alert.rule in ("gpu_missing", "host_missing") for alert in alerts),
        samples=state.samples,
        late_samples=state.late_samples,
    )


def open_alerts(state: GpuState) -> list[OpenAlert]:
    """Return the alerts that fire, the gravest first."""
    firing: list[AlertState] = [alert for alert in state.alerts.values() if alert.open]
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


def band_of(overall: int | None) -> Band | None:
    """Return the band of an overall score in whole points.

    >>> band_of(90), band_of(59), band_of(None)
    ('excellent', 'poor', None)
    """
    if overall is None:
        return None
    for band, least in _BANDS:
        if overall >= least:
            return band
    return "poor"
