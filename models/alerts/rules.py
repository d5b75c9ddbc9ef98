"""The rules of a GPU, written out: a fast exit where nothing is wrong, then one function a rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from models.alerts.alert_state import AlertState
from models.alerts.faults import after_gap, after_reset
from models.alerts.host_rules import host_rules
from models.alerts.lifecycle import NO_EVENTS, hold, resolve
from models.alerts.memory_rules import memory_rules, retired_pages
from models.alerts.recovery import measured_recovery
from models.alerts.rule_texts import ACTIONS
from models.alerts.rules_settings import Rules
from models.alerts.thermal_rules import thermal_limit
from models.alerts.throttling import power_brake, thermal_slowdown
from models.alerts.xid import NO_OCCURRENCES, Occurrence
from models.alerts.xid_rules import take
from models.gpu.columns import CORRECTED
from models.gpu.slots import (
    BANKS_NONE,
    DBE,
    DBE_AGGREGATE,
    GPU_PRESENT,
    GPU_TEMP,
    MEM_TEMP,
    MEM_TEMP_MAX_OP,
    RECOVERY_ACTION,
    REMAP_FAILED,
    REMAP_PENDING,
    SRAM_THRESHOLD,
    TEMP_MARGIN,
    TEMP_SLOWDOWN,
)
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity
from schemas.sample import Sample


class Scored(Protocol):
    """What the rules read of the scores; NaN where a score is null."""

    @property
    def overall(self) -> float:
        """Points, 0-100."""


class Risked(Protocol):
    """What the rules read of the risk."""

    @property
    def evidence_floor(self) -> bool:
        """Whether hard evidence holds the risk up."""

    @property
    def probability_30d(self) -> float:
        """Of a failure within 30 days."""

    @property
    def fleet_probability_30d(self) -> float:
        """The fleet's base rate."""


def evaluate(
    state: GpuState,
    sample: Sample,
    scores: Scored | None,
    risk: Risked | None,
    rules: Rules,
    occurrences: Sequence[Occurrence] = NO_OCCURRENCES,
) -> Sequence[AlertEvent]:
    """Return the alerts that fire, are raised or resolve with ``sample``.

    Called for every sample after ``state.update`` had its chance: a late one, or one that carries events
    alone, was not taken by it and moves only what ``occurrences`` tell. ``scores`` and ``risk`` are None on
    hosts.
    """
    taken = sample.values is state.values
    if not occurrences and not state.alerts and (not taken or _quiet(state, sample, scores, risk, rules)):
        return NO_EVENTS
    events: list[AlertEvent] = []
    for occurrence in occurrences:
        take(state, sample, occurrence, rules, events)
    if not taken:
        return events
    if state.gap_seconds > 0.0:
        after_gap(state)
    if state.is_host:
        host_rules(state, sample, rules, events)
        return events
    if state.reset_seen:
        after_reset(state, rules)
    missing: AlertState | None = state.alerts.get("gpu_missing")
    if missing is not None:
        events.append(_seen_again(state, missing))
    memory_rules(state, rules, events)
    measured_recovery(state, rules, events)
    thermal_limit(state, rules, events)
    thermal_slowdown(state, rules, events)
    power_brake(state, rules, events)
    if scores is not None:
        _score(state, "score_degraded", "warning", scores.overall, rules.score_degraded_points, rules, events)
        _score(state, "score_poor", "error", scores.overall, rules.score_poor_points, rules, events)
    if risk is not None:
        _risk_high(state, risk, rules, events)
    lost: AlertState | None = state.alerts.get("gpu_lost")
    if lost is not None and state.values[GPU_PRESENT] == 0.0:
        lost.last_at = state.time
        lost.deadline = state.time + lost.clean_seconds
        state.evidence_dirty = True
    return events


def _quiet(state: GpuState, sample: Sample, scores: Scored | None, risk: Risked | None, rules: Rules) -> bool:
    """Whether no rule can begin: what every healthy sample pays. A NaN compares false: not measured is quiet."""
    if state.is_host:
        return sample.host_facts is None or sample.host_facts.get("exporter_up", 1.0) != 0.0
    values = state.values
    lasting = state.lasting
    increments = state.increments
    slowdown = lasting[TEMP_SLOWDOWN]
    hot = slowdown - rules.hot_below_slowdown_celsius if slowdown == slowdown else rules.hot_celsius
    memory_hot = lasting[MEM_TEMP_MAX_OP]
    if memory_hot != memory_hot:
        memory_hot = rules.memory_hot_celsius
    return not (
        values[GPU_TEMP] >= hot
        or 0.0 < values[TEMP_MARGIN] < rules.hot_margin_celsius
        or values[MEM_TEMP] >= memory_hot
        or state.thermal_seconds > 0.0
        or state.brake_seconds > 0.0
        or values[REMAP_PENDING] > 0.0
        or values[REMAP_FAILED] > 0.0
        or values[SRAM_THRESHOLD] > 0.0
        or values[BANKS_NONE] > 0.0
        or values[RECOVERY_ACTION] > 0.0
        or DBE in increments
        or DBE_AGGREGATE in increments
        or state.hour.sums[CORRECTED] + state.hour.last_corrected >= rules.corrected_per_hour
        or retired_pages(state) >= rules.retired_pages
        or (scores is not None and scores.overall < rules.score_degraded_points)
        or (risk is not None and _is_high(risk, rules))
    )


def _seen_again(state: GpuState, missing: AlertState) -> AlertEvent:
    """The GPU reports: silence is over, or never was where this sample's own time shows no gap."""
    if state.time <= missing.starts_at:
        reason = "late_data"
    else:
        reason = "restarted" if state.reset_seen else "data_again"
    return resolve(state, missing, state.time, reason)


def _score(
    state: GpuState,
    rule: str,
    severity: Severity,
    score: float,
    limit: float,
    rules: Rules,
    events: list[AlertEvent],
) -> None:
    active = score < limit
    known = rule in state.alerts
    if not active and not known:
        return
    draft = None
    if not known:
        draft = AlertState(
            rule,
            rule,
            "trend",
            state.time,
            severity=severity,
            page=False,
            summary=f"Overall health {score:.0f}, below {limit:g}",
            action=ACTIONS[rule],
            value=score,
            limit=limit,
            unit="points",
        )
    hold(
        state,
        rule,
        state.time,
        active=active,
        clear=score >= limit + rules.score_clear_distance_points,
        hold_seconds=rules.score_hold_seconds,
        clear_seconds=rules.score_clear_seconds,
        draft=draft,
        events=events,
    )


def _is_high(risk: Risked, rules: Rules) -> bool:
    return risk.evidence_floor or risk.probability_30d >= rules.risk_high_times_fleet * risk.fleet_probability_30d


def _risk_high(state: GpuState, risk: Risked, rules: Rules, events: list[AlertEvent]) -> None:
    rule = "risk_high"
    active = _is_high(risk, rules)
    known = rule in state.alerts
    if not active and not known:
        return
    draft = None
    limit = rules.risk_high_times_fleet * risk.fleet_probability_30d
    if not known:
        why = "hard evidence" if risk.evidence_floor else f"{rules.risk_high_times_fleet:g} times the fleet's"
        draft = AlertState(
            rule,
            rule,
            "trend",
            state.time,
            severity="warning",
            page=False,
            summary=f"Failure within 30 days: {risk.probability_30d:.1%} ({why})",
            action=ACTIONS[rule],
            value=risk.probability_30d,
            limit=limit,
            unit="probability",
        )
    low = risk.probability_30d < rules.risk_clear_times_fleet * risk.fleet_probability_30d
    hold(
        state,
        rule,
        state.time,
        active=active,
        clear=low and not risk.evidence_floor,
        hold_seconds=rules.risk_hold_seconds,
        clear_seconds=rules.risk_clear_seconds,
        draft=draft,
        events=events,
    )
