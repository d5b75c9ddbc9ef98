"""Power score: what load, clock and cap do not explain, and time under the power brake."""

from __future__ import annotations

from math import exp, nan, sqrt

from models.gpu.columns import BRAKE, RESIDUAL_COUNT, RESIDUAL_SQUARE, RESIDUAL_SUM
from models.gpu.hour import LEAST_SHARE_SECONDS
from models.gpu.slots import POWER_LIMIT
from models.gpu.state import GpuState
from models.health.profile import Profile


def instability_watts(state: GpuState, profile: Profile) -> float:
    """Return the standard deviation of the 7-d power residual in minutes of steady load.

    NaN below the profile's least number of minutes: without a load model there are none.
    """
    week = state.windows.week
    minutes = state.hour.total(RESIDUAL_COUNT, week)
    if minutes < profile.power.least_residual_minutes:
        return nan
    mean = state.hour.total(RESIDUAL_SUM, week) / minutes
    variance = state.hour.total(RESIDUAL_SQUARE, week) / minutes - mean * mean
    return sqrt(variance) if variance > 0.0 else 0.0


def limit_watts(state: GpuState, profile: Profile) -> float:
    """Return the spread that costs nothing: a share of the enforced limit, else the fallback."""
    enforced = state.lasting[POWER_LIMIT]
    if enforced == enforced:
        return enforced * profile.power.instability_limit_ratio
    return profile.power.instability_limit_watts


def brake_ratio(state: GpuState) -> float:
    """Return the larger of the 7-d and the open hour's share of time under the power brake.

    0 to 1; NaN where nothing tells. Less than 10 minutes of known time count as 10.
    """
    week = state.windows.week
    known = state.hour.known_seconds(BRAKE, week)
    if not known > 0.0:
        return nan
    total = state.hour.total(BRAKE, week)
    if not total > 0.0:
        return 0.0
    ratio = total / (known if known > LEAST_SHARE_SECONDS else LEAST_SHARE_SECONDS)
    open_known = known - week.seconds[BRAKE]
    open_ratio = state.hour.sums[BRAKE] / (open_known if open_known > LEAST_SHARE_SECONDS else LEAST_SHARE_SECONDS)
    if open_ratio > ratio:
        ratio = open_ratio
    return ratio if ratio < 1.0 else 1.0


def lost(state: GpuState, profile: Profile) -> tuple[float, float]:
    """Return the points lost by instability and by the brake; NaN for a part that is not measured."""
    power = profile.power
    spread = instability_watts(state, profile)
    if spread == spread:
        over = spread - limit_watts(state, profile)
        spread = over / power.watts_per_point if over > 0.0 else 0.0
    ratio = brake_ratio(state)
    if ratio > 0.0:
        ratio = brake_points(ratio, profile)
    return spread, ratio


def brake_points(ratio: float, profile: Profile) -> float:
    """Return what a share of time under the power brake costs: as thermal slowdown, it saturates.

    >>> from models.health.profile import load_profile
    >>> round(brake_points(0.05, load_profile(None)))
    38
    """
    power = profile.power
    return power.brake_points * (1.0 - exp(-ratio / power.brake_scale_ratio))
