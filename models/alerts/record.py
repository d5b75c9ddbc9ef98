"""AlertEvent: an alert's change of state with everything that a person needs to act."""

from __future__ import annotations

from math import isfinite
from typing import Any

from models.alerts.alert_state import AlertState
from models.alerts.rule_spec import RUNBOOKS
from models.gpu.shared import workload_of
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Scope, Status
from schemas.ids import digest
from schemas.raw import HOST_PREFIX
from schemas.times import format_time


def subject(state: GpuState) -> tuple[Scope, str]:
    """Return scope and id of what a state stands for."""
    if state.is_host:
        return "host", state.gpu_id.removeprefix(HOST_PREFIX)
    return "gpu", state.gpu_id


def alert_event(
    state: GpuState,
    alert: AlertState,
    status: Status,
    at: float,
    reason: str,
    *,
    ends_at: float | None = None,
) -> AlertEvent:
    """Return the record of ``alert`` becoming ``status`` at ``at`` (epoch s, event time)."""
    scope, id = subject(state)
    labels = state.labels
    fingerprint = digest(scope, id, alert.key)
    starts_at = format_time(alert.starts_at)
    updated_at = format_time(at)
    evidence: list[dict[str, Any]] = list(alert.evidence)
    if status == "resolved":
        others = [other.rule for other in state.alerts.values() if _beside(other, alert)]
        evidence.append({"kind": "incident", "open_rules": sorted(others)})
    return AlertEvent(
        event_id=digest(
            fingerprint,
            alert.incident_id,
            status,
            starts_at,
            updated_at,
            reason,
            alert.severity,
            alert.page,
            alert.action.text,
        ),
        incident_id=alert.incident_id,
        fingerprint=fingerprint,
        dedup_key=digest(scope, id, alert.cause),
        status=status,
        rule=alert.rule,
        cause_class=alert.cause,
        severity=alert.severity,
        page=alert.page,
        history=alert.history,
        reason=reason,
        scope=scope,
        gpu_id=None if scope == "host" else id,
        host_id=state.host_id or (id if scope == "host" else None),
        members=[] if scope == "host" else [id],
        suppressed_by=alert.suppressed_by,
        model=labels.get("model"),
        serial=labels.get("serial"),
        pci_bus_id=alert.pci or labels.get("pci_bus_id"),
        slot=labels.get("slot"),
        rack_id=labels.get("rack_id"),
        workload=workload_of(labels),
        starts_at=starts_at,
        updated_at=updated_at,
        ends_at=None if ends_at is None else format_time(ends_at),
        value=alert.value if isfinite(alert.value) else None,
        limit=alert.limit if isfinite(alert.limit) else None,
        unit=alert.unit,
        worst=alert.worst if isfinite(alert.worst) else None,
        last=alert.last if isfinite(alert.last) else None,
        count=alert.count,
        summary=alert.summary,
        action_code=alert.action.code,
        action_ladder=list(alert.action.ladder),
        action_text=alert.action.text,
        tenant_text=alert.action.tenant_text(status),
        trial=alert.trial,
        evidence=evidence,
        runbook=f"{RUNBOOKS}#{alert.rule}",
    )


def _beside(other: AlertState, alert: AlertState) -> bool:
    return other is not alert and other.open and other.incident_id == alert.incident_id
