"""A GPU's latest state, as the look-ups show it."""

from __future__ import annotations

import msgspec

from schemas.health_score import Band
from schemas.recommendation import Action
from schemas.risk_score import RiskLevel


class OpenAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that is firing."""

    rule: str
    severity: str
    page: bool
    starts_at: str
    incident_id: str
    summary: str


class GpuStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Latest record of one GPU (or of a host, whose gpu_id is ``host:<host_id>``); event time unless named.

    ``coverage`` is the share of the scores' inputs that were measured, 0 to 1;
    ``clock_ahead_seconds`` how far the clock that dates its samples is ahead of the broker's (negative: behind; 0: it
    is right).
    """

    gpu_id: str
    host_id: str
    model: str | None
    serial: str | None
    pci_bus_id: str | None
    slot: str | None
    rack_id: str | None
    driver_version: str | None
    workload: str | None
    source: str | None
    simulated: bool
    last_seen: str
    appended_at: str
    interval_seconds: float
    values: dict[str, float | None]
    overall_score: int | None
    thermal_score: int | None
    memory_score: int | None
    power_score: int | None
    link_score: int | None
    band: Band | None
    partial: bool
    risk_score: int
    risk_level: RiskLevel
    failure_probability_7d: float
    failure_probability_30d: float
    action: Action | None
    alerts: list[OpenAlert]
    missing: bool
    samples: int
    late_samples: int
    coverage: float | None = None
    clock_ahead_seconds: float = 0.0
    schema_version: int = 1
