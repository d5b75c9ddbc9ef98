"""Thermal score: heat above the device's own limits, and time under thermal slowdown."""

from __future__ import annotations

from math import exp, inf, nan
from typing import Final

from models.gpu.columns import MARGIN, MARGIN_MIN, MEMORY_TEMP, MEMORY_TEMP_MAX, TEMP, TEMP_MAX, THERMAL
from models.gpu.hour import LEAST_SHARE_SECONDS
from models.gpu.slots import MEM_TEMP_MAX_OP, TEMP_SLOWDOWN
from models.gpu.state import GpuState
from models.health.profile import Profile

# Points by: 7-d mean, 7-d max, memory mean, memory max, slowdown time.
Lost = tuple[float, float, float, float, float]
NOTHING_LOST: Final[Lost] = (0.0, 0.0, 0.0, 0.0, 0.0)


def limits(state: GpuState, profile: Profile) -> tuple[float, float]:
    """Return (warm, hot) in C: from the device's slowdown limit, else the profile's fallback."""
    thermal = profile.thermal
    slowdown = state.lasting[TEMP_SLOWDOWN]
    if slowdown == slowdown:
        return slowdown - thermal.warm_below_slowdown_celsius, slowdown - thermal.hot_below_slowdown_celsius
    return thermal.warm_celsius, thermal.hot_celsius


def memory_limit(state: GpuState, profile: Profile) -> float:
    """Return the memory's limit in C: the device's own, else the profile's fallback."""
    limit = state.lasting[MEM_TEMP_MAX_OP]
    return limit if limit == limit else profile.thermal.memory_hot_celsius


def judged_by_margin(state: GpuState, profile: Profile) -> bool:
    """Tell whether the device's margin, rather than its temperature, is judged.

    Margins of 0 or less that nothing confirms are not measurements (some H100s report a stuck 0), so such a
    device has a margin for too little of its time and its temperature is judged.
    """
    week = state.windows.week
    seconds = state.hour.known_seconds(MARGIN, week)
    return seconds > 0.0 and seconds >= profile.thermal.least_margin_share_ratio * state.hour.known_seconds(
        TEMP, week
    )


def slowdown_ratio(state: GpuState) -> float:
    """Return the larger of the 7-d share and the last observed hour's share of time under thermal slowdown.

    0 to 1; NaN where nothing tells. Less than 10 minutes of known time count as 10.
    """
    week = state.windows.week
    known = state.hour.known_seconds(THERMAL, week)
    if not known > 0.0:
        return nan
    total = state.hour.total(THERMAL, week)
    if not total > 0.0:
        return 0.0
    ratio = total / (known if known > LEAST_SHARE_SECONDS else LEAST_SHARE_SECONDS)
    last = state.hour.last_observed_thermal_ratio()
    if last > ratio:
        ratio = last
    return ratio if ratio < 1.0 else 1.0


def lost(state: GpuState, profile: Profile) -> Lost:
    """Return the points lost by each part; a part that is not measured loses none."""
    thermal = profile.thermal
    week = state.windows.week
    if judged_by_margin(state, profile):
        mean_over = thermal.warm_margin_celsius - state.hour.mean(MARGIN, week)
        max_over = thermal.hot_margin_celsius - state.hour.lowest(MARGIN_MIN, week)
    else:
        warm, hot = limits(state, profile)
        mean_over = state.hour.mean(TEMP, week) - warm
        max_over = state.hour.highest(TEMP_MAX, week) - hot
    memory_mean_over = memory_max_over = -inf
    memory_mean = state.hour.mean(MEMORY_TEMP, week)
    if memory_mean == memory_mean:
        limit = memory_limit(state, profile)
        memory_mean_over = memory_mean - limit + thermal.memory_warm_below_hot_celsius
        memory_max_over = state.hour.highest(MEMORY_TEMP_MAX, week) - limit
    ratio = slowdown_ratio(state) if state.hour.total(THERMAL, week) > 0.0 else 0.0
    if not (mean_over > 0.0 or max_over > 0.0 or memory_mean_over > 0.0 or memory_max_over > 0.0 or ratio > 0.0):
        return NOTHING_LOST
    return (
        mean_over * thermal.mean_points_per_celsius if mean_over > 0.0 else 0.0,
        max_over * thermal.max_points_per_celsius if max_over > 0.0 else 0.0,
        memory_mean_over * thermal.mean_points_per_celsius if memory_mean_over > 0.0 else 0.0,
        memory_max_over * thermal.max_points_per_celsius if memory_max_over > 0.0 else 0.0,
        slowdown_points(ratio, profile) if ratio > 0.0 else 0.0,
    )


def slowdown_points(ratio: float, profile: Profile) -> float:
    """Return what a share of time under thermal slowdown costs: steep at first, never above its limit.

    >>> from models.health.profile import load_profile
    >>> round(slowdown_points(0.01, load_profile(None))), round(slowdown_points(0.05, load_profile(None)))
    (11, 38)
    """
    thermal = profile.thermal
    return thermal.slowdown_points * (1.0 - exp(-ratio / thermal.slowdown_scale_ratio))


def score(points: Lost) -> float:
    """Return the score that the lost points leave, 0 to 100."""
    left = 100.0 - sum(points)
    return left if left > 0.0 else 0.0
