"""Memory score: corrected errors by day; hard evidence caps it."""

from __future__ import annotations

from models.gpu.columns import CORRECTED, DAY_SECONDS, OBSERVED
from models.gpu.state import GpuState
from models.health.profile import Profile


def corrected_per_day(state: GpuState, profile: Profile) -> float:
    """Return corrected errors of the 7-d window by observed day; less than a day counts as one."""
    week = state.windows.week
    errors = state.hour.total(CORRECTED, week)
    if not errors > 0.0:
        return 0.0
    days = state.hour.total(OBSERVED, week) / DAY_SECONDS
    least = profile.memory.least_days
    return errors / (days if days > least else least)


def lost(state: GpuState, profile: Profile) -> float:
    """Return the points that corrected errors cost."""
    rate = corrected_per_day(state, profile)
    if not rate > 0.0:
        return 0.0
    memory = profile.memory
    points = rate * memory.points_per_corrected_error_per_day
    return points if points < memory.corrected_points_limit else memory.corrected_points_limit
