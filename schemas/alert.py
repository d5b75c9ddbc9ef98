"""An alert's change of state, as it travels on gpu-alerts."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Severity = Literal["critical", "error", "warning", "info"]
Status = Literal["firing", "resolved"]
Scope = Literal["gpu", "host", "rack", "fleet"]


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A rule fired or resolved.

    ``page`` is clock-free: this alone would page; role notify applies age, silences and the like.
    ``history`` marks what was true before the system looked: it never pages.
    """

    event_id: str
    incident_id: str
    fingerprint: str
    dedup_key: str
    status: Status
    rule: str
    cause_class: str
    severity: Severity
    page: bool
    history: bool
    reason: str
    scope: Scope
    gpu_id: str | None
    host_id: str | None
    members: list[str]
    suppressed_by: str | None
    model: str | None
    serial: str | None
    pci_bus_id: str | None
    slot: str | None
    rack_id: str | None
    workload: str | None
    starts_at: str
    updated_at: str
    ends_at: str | None
    value: float | None
    limit: float | None
    unit: str
    summary: str
    action: str
    evidence: list[dict[str, Any]]
    runbook: str
    schema_version: int = 1
