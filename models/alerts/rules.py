"""The rules of a GPU or a host: a fast exit where nothing is wrong, then every rule looks at the sample."""

from __future__ import annotations

from collections.abc import Sequence

from models.alerts.host_rules import EXPORTER_UP
from models.alerts.lifecycle import NO_EVENTS, advance, after_gap, after_reset
from models.alerts.rule_spec import ANYTHING, NOTHING, Look, Risked, Scored
from models.alerts.rules_settings import Rules
from models.alerts.specs import GPU_RULES, HOST_RULES, WAKING
from models.alerts.transitions import tell_growth
from models.alerts.xid import NO_OCCURRENCES, Occurrence
from models.alerts.xid_rules import take
from models.gpu.columns import CORRECTED
from models.gpu.slots import (
    DBE,
    DBE_AGGREGATE,
    GPU_TEMP,
    MEM_TEMP,
    MEM_TEMP_MAX_OP,
    PAGE_RETIRED_DBE,
    PAGE_RETIRED_SBE,
    TEMP_MARGIN,
    TEMP_SLOWDOWN,
)
from models.gpu.state import GpuState
from schemas.alert import AlertEvent
from schemas.sample import Sample


def evaluate(
    state: GpuState,
    sample: Sample,
    scores: Scored | None,
    risk: Risked | None,
    rules: Rules,
    occurrences: Sequence[Occurrence] = NO_OCCURRENCES,
    *,
    taken: bool,
) -> Sequence[AlertEvent]:
    """Return the alerts that fire, are raised or resolve with ``sample``.

    Called for every sample after ``state.update`` had its chance: a late one, or one that carries events
    alone, was not taken by it and moves only what ``occurrences`` report. ``scores`` and ``risk`` are None on
    hosts.
    """
    if not taken and not occurrences:
        return NO_EVENTS
    alerts, values = state.alerts, state.values
    calm = _calm(state, sample, scores, risk, rules)
    flagged = False
    for slot in WAKING:
        if values[slot] > 0.0:
            flagged = True
            break
    if calm and not flagged and not occurrences and not alerts:
        return NO_EVENTS
    events: list[AlertEvent] = []
    for occurrence in occurrences:
        take(state, sample, occurrence, rules, events)
    if not taken:
        return events
    if state.gap_seconds > 0.0:
        after_gap(state)
    if state.reset_seen and not state.is_host:
        after_reset(state, rules)
    look = Look(state, sample, scores, risk, rules)
    for spec in HOST_RULES if state.is_host else GPU_RULES:
        if spec.name not in alerts:
            slot = spec.wakes
            if calm if slot == ANYTHING else slot == NOTHING or not values[slot] > 0.0:
                continue
        if spec.moves is not None:
            spec.moves(look, events)
        else:
            advance(spec, look, events)
    if alerts:
        tell_growth(state, events)
    return events


def _calm(state: GpuState, sample: Sample, scores: Scored | None, risk: Risked | None, rules: Rules) -> bool:
    """Whether no rule can begin but by its flag: what every sample pays. A NaN compares false: not measured is calm.

    Written out for what is not a flag, ``hot_celsius``, ``memory_hot_celsius`` and ``is_high`` too: a call for each
    rule would cost more than all of this.
    """
    if state.is_host:
        return sample.host_facts is None or sample.host_facts.get(EXPORTER_UP, 1.0) != 0.0
    values = state.values
    lasting = state.lasting
    increments = state.increments
    slowdown = lasting[TEMP_SLOWDOWN]
    hot = slowdown - rules.hot_below_slowdown_celsius if slowdown == slowdown else rules.hot_celsius
    memory_hot = lasting[MEM_TEMP_MAX_OP]
    if memory_hot != memory_hot:
        memory_hot = rules.memory_hot_celsius
    half = 0.5 * rules.retired_pages  # of a sum of two that is at its limit one is past half of it
    return not (
        values[GPU_TEMP] >= hot
        or 0.0 < values[TEMP_MARGIN] < rules.hot_margin_celsius
        or values[MEM_TEMP] >= memory_hot
        or state.thermal_seconds > 0.0
        or state.brake_seconds > 0.0
        or DBE in increments
        or DBE_AGGREGATE in increments
        or state.hour.sums[CORRECTED] + state.hour.last_corrected >= rules.corrected_per_hour
        or values[PAGE_RETIRED_SBE] >= half
        or values[PAGE_RETIRED_DBE] >= half
        or (scores is not None and scores.overall < rules.score_degraded_points)
        or (
            risk is not None
            and (
                risk.evidence_floor
                or risk.probability_30d >= rules.risk_high_times_fleet * risk.fleet_probability_30d
            )
        )
    )
