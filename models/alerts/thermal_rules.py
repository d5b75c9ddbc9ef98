"""Temperature at or past hot: the chip's limit, its margin, or the memory's own limit."""

from __future__ import annotations

from typing import Final

from models.alerts.alert_state import Worse
from models.alerts.operator_actions import Action
from models.alerts.rule_spec import CLEAR, IDLE, Look, Reading, RuleSpec
from models.alerts.rules_settings import Rules
from models.gpu.measured import measured
from models.gpu.slots import GPU_TEMP, MEM_TEMP, MEM_TEMP_MAX_OP, TEMP_MARGIN, TEMP_SLOWDOWN
from models.gpu.state import GpuState


def hot_celsius(state: GpuState, rules: Rules) -> float:
    """Return the chip temperature (C) that is hot for this device."""
    slowdown = state.lasting[TEMP_SLOWDOWN]
    return slowdown - rules.hot_below_slowdown_celsius if measured(slowdown) else rules.hot_celsius


def memory_hot_celsius(state: GpuState, rules: Rules) -> float:
    """Return the memory temperature (C) that is hot for this device."""
    limit = state.lasting[MEM_TEMP_MAX_OP]
    return limit if measured(limit) else rules.memory_hot_celsius


def _thermal_limit(look: Look) -> Reading:
    """A margin of 0 or less counts only with thermal time or a temperature at hot: some H100s report a stuck 0."""
    state, rules = look.state, look.rules
    temp, memory, margin = state.values[GPU_TEMP], state.values[MEM_TEMP], state.values[TEMP_MARGIN]
    hot, memory_hot = hot_celsius(state, rules), memory_hot_celsius(state, rules)
    believed = margin > 0.0 or state.thermal_seconds > 0.0 or temp >= hot
    if not (temp >= hot or memory >= memory_hot or (margin < rules.hot_margin_celsius and believed)):
        seen = measured(temp) or measured(memory) or measured(margin)
        distance = rules.thermal_limit_distance_celsius
        warm = (
            temp >= hot - distance
            or memory >= memory_hot - distance
            or (margin < rules.hot_margin_celsius + distance and believed)
        )
        return CLEAR if seen and not warm else IDLE
    worse: Worse = "higher"
    if memory >= memory_hot:
        what, value, limit = "Memory temperature", memory, memory_hot
    elif temp >= hot:
        what, value, limit = "GPU temperature", temp, hot
    else:
        what, value, limit = "Margin to the temperature limit", margin, rules.hot_margin_celsius
        worse = "lower"
    return Reading(True, False, value, limit, what, what, worse=worse)


SPECS: Final = (
    RuleSpec(
        name="thermal_limit",
        cause="thermal",
        severity="warning",
        page=False,
        action=Action("check_cooling", "Check airflow, fans, inlet temperature and neighbours"),
        summary="{what} {value:.0f} C, the limit is {limit:.0f} C",
        unit="C",
        fires=(
            "at or past hot: slowdown limit - {hot_below_slowdown_celsius:g} C, else {hot_celsius:g} C; memory at "
            "its own limit, else {memory_hot_celsius:g} C; margin below {hot_margin_celsius:g} C"
        ),
        clears="{thermal_limit_distance_celsius:g} C below",
        hold="thermal_limit_hold_seconds",
        clear="thermal_limit_clear_seconds",
        reads=_thermal_limit,
    ),
)
