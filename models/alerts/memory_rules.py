"""Memory: uncorrected errors and their containment, the rate of corrected ones, and the device's flags."""

from __future__ import annotations

from math import inf
from typing import Final

from models.alerts.lifecycle import report
from models.alerts.operator_actions import RMA, Action
from models.alerts.recovery import decided_by_driver
from models.alerts.rule_spec import CLEAR, IDLE, Look, Reading, Reads, RuleSpec
from models.alerts.xid import CONTAINED, UNCONTAINED, recent
from models.gpu.columns import CORRECTED, HOUR_SECONDS
from models.gpu.measured import measured
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

CONTAINED_ACTION: Final = Action(
    "drain", "Drain the GPU when its job ends, then reset it; the application that was hit must restart"
)


def retired_pages(state: GpuState) -> float:
    """Return the pages retired for either kind of error; NaN where neither is measured in this sample."""
    corrected, uncorrected = state.values[PAGE_RETIRED_SBE], state.values[PAGE_RETIRED_DBE]
    if not measured(corrected):
        return uncorrected
    return corrected if not measured(uncorrected) else corrected + uncorrected


def corrected_per_hour(state: GpuState) -> float:
    """Return corrected errors of the last 60 minutes: the open hour, and of the one before the part inside."""
    before = state.hour.last_corrected
    if before > 0.0:
        before *= 1.0 - state.time % HOUR_SECONDS / HOUR_SECONDS
    return state.hour.sums[CORRECTED] + before


def _uncorrected(look: Look, events: list[AlertEvent]) -> None:
    """An increment: contained where XID 94 says so and none says otherwise, and no second one in 24 h."""
    state, rules = look.state, look.rules
    # The board's lifetime count stands in only where the driver's is not measured: the two count one error.
    slot = DBE if measured(state.values[DBE]) else DBE_AGGREGATE
    count = state.increments.get(slot, 0.0)
    if not count > 0.0:
        return
    at = state.time
    near = max(rules.containment_seconds, rules.silence_intervals * state.interval_seconds)
    contained = recent(state, CONTAINED, at, near) and not recent(state, UNCONTAINED, at, near)
    before = state.remembered.uncorrected_at
    apart = inf if before is None else at - before
    repeated = rules.containment_seconds < apart <= rules.uncorrected_repeat_seconds
    state.remembered.uncorrected_at = at
    severe = repeated or not contained
    severity: Severity = "critical" if severe else "error"
    draft = ECC_UNCORRECTED.draft(
        at,
        rules,
        value=count,
        limit=0.0,
        what="again within 24 h" if repeated else "contained" if contained else "not contained",
        severity=severity,
        page=severe,
        action=None if severe else CONTAINED_ACTION,
    )
    report(
        state,
        draft,
        at,
        clean_seconds=rules.clean_with_reset_action_seconds,
        history=state.history,
        evidence={"kind": "increment", "signal": "ecc_dbe", "value": count, "at": format_time(at)},
        events=events,
        replace_action=decided_by_driver(state, draft),
    )


def _corrected_rate(look: Look) -> Reading:
    state, rules = look.state, look.rules
    rate = corrected_per_hour(state)
    if rate < rules.corrected_per_hour:
        return CLEAR if rate < rules.corrected_clear_per_hour and measured(state.values[SBE]) else IDLE
    severity: Severity = "error" if rate >= rules.corrected_error_per_hour else "warning"
    return Reading(True, False, rate, rules.corrected_per_hour, severity=severity)


def _flag(slot: int) -> Reads:
    """Read a flag, or a count that is bad from 1 on."""

    def reads(look: Look) -> Reading:
        value = look.state.values[slot]
        if value > 0.0:
            return Reading(True, False, value, 0.0)
        return CLEAR if value <= 0.0 else IDLE

    return reads


def _retired_pages(look: Look) -> Reading:
    pages, limit = retired_pages(look.state), look.rules.retired_pages - 1.0
    if pages > limit:
        return Reading(True, False, pages, limit)
    return CLEAR if pages <= limit else IDLE


ECC_UNCORRECTED: Final = RuleSpec(
    name="ecc_uncorrected",
    cause="memory",
    severity="error",
    page=True,
    judged="contained (XID 94, no 95): error; else, or again within 24 h: critical, page",
    acts="contained: `drain`; else `drain_and_reset`",
    action=Action("drain_and_reset", "DRAIN_AND_RESET: drain the node and reset the GPU before anything runs on it"),
    summary="Uncorrected memory errors: {value:.0f} new, {what}",
    unit="errors",
    fires="an increment",
    clears=(
        "{uncorrected_repeat_seconds:span} without and a reset seen; "
        "{clean_with_reset_action_seconds:span} without one"
    ),
    moves=_uncorrected,
)
ROW_REMAP_PENDING: Final = RuleSpec(
    name="row_remap_pending",
    cause="memory",
    severity="warning",
    page=False,
    action=Action("drain", "Reset the GPU when convenient: the remapping takes effect then"),
    summary="A row remapping waits for a reset",
    unit="count",
    fires="flag, or XID 63",
    clears="flag gone",
    clear="flag_clear_seconds",
    reads=_flag(REMAP_PENDING),
    wakes=REMAP_PENDING,
)
SPECS: Final = (
    ECC_UNCORRECTED,
    RuleSpec(
        name="ecc_corrected_rate",
        cause="memory",
        severity="warning",
        page=False,
        judged="warning; error from {corrected_error_per_hour:g}",
        action=Action("watch", "Watch remapped rows; plan field diagnostics if the rate stays"),
        summary="Corrected memory errors: {value:.0f} in the last hour",
        unit="errors per hour",
        fires="{corrected_per_hour:g} in 60 minutes",
        clears="below {corrected_clear_per_hour:g}",
        clear="corrected_clear_seconds",
        reads=_corrected_rate,
    ),
    ROW_REMAP_PENDING,
    RuleSpec(
        name="row_remap_failed",
        cause="memory",
        severity="critical",
        page=True,
        action=RMA,
        summary="Row remapping failed",
        unit="count",
        fires="flag",
        clears="flag gone",
        clear="flag_clear_seconds",
        reads=_flag(REMAP_FAILED),
        wakes=REMAP_FAILED,
    ),
    RuleSpec(
        name="sram_threshold",
        cause="memory",
        severity="critical",
        page=False,
        action=RMA,
        summary="The SRAM error threshold is exceeded",
        unit="count",
        fires="flag",
        clears="flag gone",
        clear="flag_clear_seconds",
        reads=_flag(SRAM_THRESHOLD),
        wakes=SRAM_THRESHOLD,
    ),
    RuleSpec(
        name="bank_spares",
        cause="memory",
        severity="warning",
        page=False,
        action=Action(
            "watch",
            "Plan a replacement: the next fault in that bank cannot be remapped",
            ("replace", "contact_support"),
        ),
        summary="Banks without a spare row",
        unit="count",
        fires="a bank with no spare row",
        clears="none",
        clear="flag_clear_seconds",
        reads=_flag(BANKS_NONE),
        wakes=BANKS_NONE,
    ),
    RuleSpec(
        name="pages_retired",
        cause="memory",
        severity="error",
        page=False,
        action=Action("run_diagnostics", "Run field diagnostics; the retired pages are at the limit for an RMA"),
        summary="{value:.0f} pages are retired",
        unit="count",
        fires="{retired_pages:g} pages",
        clears="fewer",
        clear="flag_clear_seconds",
        reads=_retired_pages,
    ),
)
