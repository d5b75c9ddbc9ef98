"""Memory: uncorrected errors and their containment, the rate of corrected ones, and the device's flags."""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.alert_state import AlertState
from models.alerts.faults import tell
from models.alerts.lifecycle import hold, strengthen
from models.alerts.rule_texts import ACTIONS
from models.alerts.rules_settings import Rules
from models.alerts.xid_rules import CONTAINED, UNCONTAINED, recent
from models.gpu.columns import CORRECTED, HOUR_SECONDS
from models.gpu.slots import (
    BANKS_NONE,
    DBE,
    DBE_AGGREGATE,
    PAGE_RETIRED_DBE,
    PAGE_RETIRED_SBE,
    REMAP_FAILED,
    REMAP_PENDING,
    SBE,
    SRAM_THRESHOLD,
)
from models.gpu.state import GpuState
from schemas.alert import AlertEvent, Severity
from schemas.times import format_time

# Rule, signal, severity, page, what it says.
_FLAGS: Final[tuple[tuple[str, int, Severity, bool, str], ...]] = (
    ("row_remap_pending", REMAP_PENDING, "warning", False, "A row remapping waits for a reset"),
    ("row_remap_failed", REMAP_FAILED, "critical", True, "Row remapping failed"),
    ("sram_threshold", SRAM_THRESHOLD, "critical", False, "The SRAM error threshold is exceeded"),
    ("bank_spares", BANKS_NONE, "warning", False, "Banks without a spare row"),
)


def memory_rules(state: GpuState, rules: Rules, events: list[AlertEvent]) -> None:
    """Move the rules of memory by the last sample."""
    # The board's lifetime count stands in only where the driver's is not measured: the two tell one error.
    slot = DBE if state.values[DBE] == state.values[DBE] else DBE_AGGREGATE
    count = state.increments.get(slot, 0.0)
    if count > 0.0:
        _uncorrected(state, count, rules, events)
    _corrected_rate(state, rules, events)
    for rule, slot, severity, page, summary in _FLAGS:
        value = state.values[slot]
        _standing(state, rule, value, 0.0, severity, page, summary, rules, events)
    pages = retired_pages(state)
    summary = f"{pages:.0f} pages are retired"
    _standing(state, "pages_retired", pages, rules.retired_pages - 1.0, "error", False, summary, rules, events)


def retired_pages(state: GpuState) -> float:
    """Return the pages retired for either kind of error; NaN where neither is measured in this sample."""
    corrected, uncorrected = state.values[PAGE_RETIRED_SBE], state.values[PAGE_RETIRED_DBE]
    if corrected != corrected:
        return uncorrected
    return corrected if uncorrected != uncorrected else corrected + uncorrected


def _standing(
    state: GpuState,
    rule: str,
    value: float,
    limit: float,
    severity: Severity,
    page: bool,
    summary: str,
    rules: Rules,
    events: list[AlertEvent],
) -> None:
    alert: AlertState | None = state.alerts.get(rule)
    active = value > limit
    draft = None
    if alert is None:
        if not active:
            return
        draft = AlertState(
            rule,
            rule,
            "memory",
            state.time,
            severity=severity,
            page=page,
            summary=summary,
            action=ACTIONS[rule],
            value=value,
            limit=limit,
            unit="count",
        )
    elif alert.clean_seconds > 0.0:  # an XID opened it; the flag says now whether it stands
        if value != value or state.time <= alert.last_at:
            return
        alert.clean_seconds = 0.0
        alert.deadline = inf
        state.evidence_dirty = True
    hold(
        state,
        rule,
        state.time,
        active=active,
        clear=value <= limit,
        hold_seconds=0.0,
        clear_seconds=rules.flag_clear_seconds,
        draft=draft,
        events=events,
    )


def _uncorrected(state: GpuState, count: float, rules: Rules, events: list[AlertEvent]) -> None:
    """An increment: contained where XID 94 says so and none says otherwise, and no second one in 24 h."""
    at = state.time
    near = max(rules.containment_seconds, rules.silence_intervals * state.interval_seconds)
    contained = recent(state, CONTAINED, at, near) and not recent(state, UNCONTAINED, at, near)
    before: float | None = state.said.get("uncorrected_at")
    apart = inf if before is None else at - before
    repeated = rules.containment_seconds < apart <= rules.uncorrected_repeat_seconds
    state.said["uncorrected_at"] = at
    severe = repeated or not contained
    what = "again within 24 h" if repeated else "contained" if contained else "not contained"
    draft = AlertState(
        "ecc_uncorrected",
        "ecc_uncorrected",
        "memory",
        at,
        severity="critical" if severe else "error",
        page=severe,
        summary=f"Uncorrected memory errors: {count:.0f} new, {what}",
        action=ACTIONS["ecc_uncorrected" if severe else "ecc_contained"],
        value=count,
        limit=0.0,
        unit="errors",
    )
    evidence = {"kind": "increment", "signal": "ecc_dbe", "value": count, "at": format_time(at)}
    clean = rules.clean_with_reset_action_seconds
    history = state.history
    tell(state, draft, at, clean_seconds=clean, history=history, evidence=evidence, events=events)


def corrected_per_hour(state: GpuState) -> float:
    """Return corrected errors of the last 60 minutes: the open hour, and of the one before the part inside."""
    before = state.hour.last_corrected
    if before > 0.0:
        before *= 1.0 - state.time % HOUR_SECONDS / HOUR_SECONDS
    return state.hour.sums[CORRECTED] + before


def _corrected_rate(state: GpuState, rules: Rules, events: list[AlertEvent]) -> None:
    rule = "ecc_corrected_rate"
    rate = corrected_per_hour(state)
    alert: AlertState | None = state.alerts.get(rule)
    active = rate >= rules.corrected_per_hour
    if alert is None and not active:
        return
    severity: Severity = "error" if rate >= rules.corrected_error_per_hour else "warning"
    summary = f"Corrected memory errors: {rate:.0f} in the last hour"
    draft = None
    if alert is None:
        draft = AlertState(
            rule,
            rule,
            "memory",
            state.time,
            severity=severity,
            page=False,
            summary=summary,
            action=ACTIONS[rule],
            value=rate,
            limit=rules.corrected_per_hour,
            unit="errors per hour",
        )
    elif active:
        said = strengthen(
            state,
            alert,
            state.time,
            severity=severity,
            page=False,
            action=alert.action,
            summary=summary,
            history=state.history,
        )
        if said is not None:
            events.append(said)
    measured = state.values[SBE] == state.values[SBE]
    hold(
        state,
        rule,
        state.time,
        active=active,
        clear=rate < rules.corrected_clear_per_hour and measured,
        hold_seconds=0.0,
        clear_seconds=rules.corrected_clear_seconds,
        draft=draft,
        events=events,
    )
