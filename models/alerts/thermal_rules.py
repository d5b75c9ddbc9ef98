"""Temperature at or past hot: the chip's limit, its margin, or the memory's own limit."""

from __future__ import annotations

from models.alerts.alert_state import AlertState
from models.alerts.lifecycle import hold
from models.alerts.rule_texts import ACTIONS
from models.alerts.rules_settings import Rules
from models.gpu.slots import GPU_TEMP, MEM_TEMP, MEM_TEMP_MAX_OP, TEMP_MARGIN, TEMP_SLOWDOWN
from models.gpu.state import GpuState
from schemas.alert import AlertEvent


def hot_celsius(state: GpuState, rules: Rules) -> float:
    """Return the chip temperature (C) that is hot for this device."""
    slowdown = state.lasting[TEMP_SLOWDOWN]
    return slowdown - rules.hot_below_slowdown_celsius if slowdown == slowdown else rules.hot_celsius


def memory_hot_celsius(state: GpuState, rules: Rules) -> float:
    """Return the memory temperature (C) that is hot for this device."""
    limit = state.lasting[MEM_TEMP_MAX_OP]
    return limit if limit == limit else rules.memory_hot_celsius


def thermal_limit(state: GpuState, rules: Rules, events: list[AlertEvent]) -> None:
    """Move ``thermal_limit``.

    A margin of 0 or less counts only with thermal time or a temperature at hot: some H100s report a stuck 0.
    """
    rule = "thermal_limit"
    temp, memory, margin = state.values[GPU_TEMP], state.values[MEM_TEMP], state.values[TEMP_MARGIN]
    hot, memory_hot = hot_celsius(state, rules), memory_hot_celsius(state, rules)
    believed = margin > 0.0 or state.thermal_seconds > 0.0 or temp >= hot
    by_margin = margin < rules.hot_margin_celsius and believed
    active = temp >= hot or memory >= memory_hot or by_margin
    known = rule in state.alerts
    if not active and not known:
        return
    distance = rules.thermal_limit_distance_celsius
    measured = temp == temp or memory == memory or margin == margin
    cool = not (
        temp >= hot - distance
        or memory >= memory_hot - distance
        or (margin < rules.hot_margin_celsius + distance and believed)
    )
    draft = None
    if not known:
        if memory >= memory_hot:
            what, value, limit = "Memory temperature", memory, memory_hot
        elif temp >= hot:
            what, value, limit = "GPU temperature", temp, hot
        else:
            what, value, limit = "Margin to the temperature limit", margin, rules.hot_margin_celsius
        draft = AlertState(
            rule,
            rule,
            "thermal",
            state.time,
            severity="warning",
            page=False,
            summary=f"{what} {value:.0f} C, the limit is {limit:.0f} C",
            action=ACTIONS[rule],
            value=value,
            limit=limit,
            unit="C",
        )
    hold(
        state,
        rule,
        state.time,
        active=active,
        clear=measured and cool,
        hold_seconds=rules.thermal_limit_hold_seconds,
        clear_seconds=rules.thermal_limit_clear_seconds,
        draft=draft,
        events=events,
    )
