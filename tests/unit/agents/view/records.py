"""One valid record of every stored event topic."""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.alert import AlertEvent
from schemas.dead_letter import DeadLetter, Reason
from schemas.failure_event import FailureEvent
from schemas.gpu_event import GpuEvent
from schemas.gpu_hour import GpuHour
from schemas.health_score import Coverage, HealthScore, Penalty
from schemas.notification import Notification
from schemas.operator_action import OperatorAction
from schemas.recommendation import Recommendation
from schemas.risk_score import Contribution, RiskScore

AT: Final = "2026-02-09T12:00:00.250Z"
GPU: Final = "GPU-5a1b2c3d-0000-1111-2222-333344445555"
HOST: Final = "node-1"

HEALTH: Final = HealthScore(
    event_id="health-1",
    gpu_id=GPU,
    host_id=HOST,
    model="NVIDIA H100 80GB HBM3",
    calculated_at=AT,
    overall_score=66,
    thermal_score=40,
    memory_score=80,
    power_score=None,
    link_score=None,
    band="degraded",
    partial=True,
    coverage=Coverage(thermal=1.0, memory=0.5, power=0.0, overall=0.8),
    profile_version=1,
    window_seconds=604_800.0,
    penalties=[Penalty(score="thermal", signal="gpu_temp_celsius", value=80.5, limit=75.0, unit="C", points=11.0)],
)
RISK: Final = RiskScore(
    event_id="risk-1",
    gpu_id=GPU,
    host_id=HOST,
    calculated_at=AT,
    risk_score=51,
    risk_level="high",
    failure_probability_7d=0.01,
    failure_probability_30d=0.04,
    contributions=[Contribution(feature="temp_max_7d", value=91.0, points=20.0, log_odds=0.7)],
    model_version=1,
    features={"temp_max_7d": 91.0, "ecc_total_7d": None},
)
HOUR: Final = GpuHour(
    event_id="hour-1",
    gpu_id=GPU,
    host_id=HOST,
    model=None,
    slot="3",
    hour="2026-02-09T11:00:00.000Z",
    samples=360,
    observed_seconds=3600.0,
    gap_seconds=0.0,
    means={"gpu_temp_celsius": 61.2},
    minima={"gpu_temp_celsius": 55.0},
    maxima={"gpu_temp_celsius": 70.0},
    increments={"ecc_sbe_volatile_total": 2.0},
    residuals={"0.8": {"mean": 1.5}},
)
EVENT: Final = GpuEvent(
    event_id="event-1",
    gpu_id=GPU,
    host_id=HOST,
    kind="xid",
    at=AT,
    code=79,
    signal=None,
    source="kernel_log",
    line="NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.",
    history=False,
    detail={"class": "hardware"},
)
ALERT: Final = AlertEvent(
    event_id="alert-1",
    incident_id="incident-1",
    fingerprint="fingerprint-1",
    dedup_key="dedup-1",
    status="firing",
    rule="gpu_lost",
    cause_class="lost",
    severity="critical",
    page=True,
    history=False,
    reason="FIRST_FIRING",
    scope="gpu",
    gpu_id=GPU,
    host_id=HOST,
    members=[],
    suppressed_by=None,
    model=None,
    serial="1650123456789",
    pci_bus_id="0000:3b:00",
    slot="3",
    rack_id=None,
    workload=None,
    starts_at=AT,
    updated_at=AT,
    ends_at=None,
    value=79.0,
    limit=None,
    unit="",
    summary="GPU lost",
    worst=None,
    count=3,
    action_code="restart_node",
    action_ladder=["power_cycle", "replace"],
    action_text="restart node",
    tenant_text="save your work",
    trial=False,
    evidence=[{"xid": 79}],
    runbook="docs/runbooks.md#gpu_lost",
)
ADVICE: Final = Recommendation(
    event_id="advice-1",
    gpu_id=GPU,
    host_id=HOST,
    model=None,
    decided_at=AT,
    policy="expected_value",
    action="KEEP",
    expected_value_usd={"KEEP": 50_000.0, "SELL": 40_000.0, "DECOMMISSION": 2_000.0},
    margin_usd=10_000.0,
    break_even_probability=0.3,
    previous_action=None,
    reasons=["FIRST_DECISION"],
    assumptions_version=1,
    health_score=66,
    risk_score=51,
    failure_probability_30d=0.04,
    residual_value_usd=20_000.0,
    monthly_revenue_usd=1_500.0,
    monthly_cost_usd=400.0,
    monthly_profit_usd=1_100.0,
    npv_keep_12m_usd=12_000.0,
    horizon_months=12,
    confidence="medium",
    warranty_claim=False,
    guide_action="SELL",
)
NOTE: Final = Notification(
    notification_id="note-1",
    incident_id="incident-1",
    scope="gpu",
    members=[GPU],
    status="firing",
    page=True,
    reason="FIRST_FIRING",
    receivers=["webhook"],
    at=AT,
    rule="gpu_lost",
    severity="critical",
    summary="GPU lost",
)
ACTION: Final = OperatorAction(
    action_id="action-1", kind="acknowledgement", at=AT, author="ops", target={"incident_id": "incident-1"}
)
FAILURE: Final = FailureEvent(event_id="failure-1", gpu_id=GPU, failed_at=AT, kind="gpu_lost", origin="derived")
LETTER: Final = DeadLetter(
    event_id="letter-1",
    reason=Reason.NOT_JSON,
    detail="Expecting value",
    topic="gpu-metrics-raw",
    partition=3,
    offset=17,
    key=None,
    payload="ew==",
    payload_bytes=1,
    at=AT,
)
EXAMPLES: Final[tuple[msgspec.Struct, ...]] = (
    HEALTH,
    RISK,
    HOUR,
    EVENT,
    ALERT,
    ADVICE,
    NOTE,
    ACTION,
    FAILURE,
    LETTER,
)
