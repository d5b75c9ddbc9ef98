"""The feature vector of the failure model: pinned names, fixed scales, O(1) from a GPU's state.

The order is part of the version: the fast features come first (they can move with each sample), then those
that are constant within an hour unless evidence or a lasting value changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log1p, nan, sqrt
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from models.gpu.columns import (
    BRAKE,
    CORRECTED,
    DAY_SECONDS,
    EPISODES,
    HOUR_SECONDS,
    LINK_ERRORS,
    MEMORY_TEMP_MAX,
    OBSERVED,
    POWER,
    TEMP,
    TEMP_SQUARE,
    UTIL,
)
from models.gpu.slots import (
    BANKS_NONE,
    PAGE_RETIRED_DBE,
    PAGE_RETIRED_SBE,
    RECOVERY_ACTION,
    REMAP_CORRECTABLE,
    REMAP_FAILED,
    REMAP_PENDING,
    REMAP_UNCORRECTABLE,
    SRAM_THRESHOLD,
    TEMP_SLOWDOWN,
    UNREPAIRABLE,
)
from models.gpu.state import GpuState
from models.risk.history import sums_at

FEATURES_VERSION: Final = 1
CLIP: Final = 4.0
WEEK_SECONDS: Final = 7.0 * DAY_SECONDS

Transform = Literal["linear", "log1p"]


class Feature(NamedTuple):
    """``x = clip((transform(value) - center) / scale)``; a value that is not measured gives x = 0."""

    name: str
    transform: Transform
    center: float
    scale: float

    def scaled(self, value: float | None) -> float:
        """Return the model's input for ``value``, within -4 to 4.

        >>> Feature("ecc_uncorrectable_30d", "log1p", 0.0, 0.6931471805599453).scaled(3.0)
        2.0
        """
        if value is None or value != value:
            return 0.0
        moved = log1p(value if value > 0.0 else 0.0) if self.transform == "log1p" else value
        x = (moved - self.center) / self.scale
        return CLIP if x > CLIP else -CLIP if x < -CLIP else x


_LOG2: Final = 0.6931471805599453  # log1p(1): one event is x = 1, three are x = 2
_LOG1001: Final = log1p(1000.0)

FAST: Final = (
    Feature("ecc_correctable_7d", "log1p", 0.0, _LOG1001),
    Feature("ecc_uncorrectable_30d", "log1p", 0.0, _LOG2),
    Feature("throttle_events_7d", "log1p", 0.0, _LOG2),
    Feature("throttle_ratio_7d", "linear", 0.0, 0.05),
    Feature("temp_max_7d", "linear", 70.0, 15.0),
    Feature("thermal_excess_ratio", "linear", 0.0, 1.0),
)
SLOW: Final = (
    Feature("temp_mean_7d", "linear", 55.0, 15.0),
    Feature("temp_std_7d", "linear", 5.0, 5.0),
    Feature("memory_temp_max_7d", "linear", 75.0, 15.0),
    Feature("util_mean_7d", "linear", 50.0, 50.0),
    Feature("power_mean_7d", "linear", 300.0, 200.0),
    Feature("ecc_correctable_30d", "log1p", 0.0, _LOG1001),
    Feature("throttle_events_30d", "log1p", 0.0, _LOG2),
    Feature("power_brake_ratio_7d", "linear", 0.0, 0.05),
    Feature("link_errors_7d", "log1p", 0.0, _LOG1001),
    Feature("gap_ratio_7d", "linear", 0.0, 0.05),
    Feature("age_days", "linear", 730.0, 730.0),
    Feature("memory_events_7d", "log1p", 0.0, _LOG2),
    Feature("memory_events_30d", "log1p", 0.0, _LOG2),
    Feature("memory_events_90d", "log1p", 0.0, _LOG2),
    Feature("lost_events_7d", "log1p", 0.0, _LOG2),
    Feature("lost_events_30d", "log1p", 0.0, _LOG2),
    Feature("lost_events_90d", "log1p", 0.0, _LOG2),
    Feature("controller_events_7d", "log1p", 0.0, _LOG2),
    Feature("controller_events_30d", "log1p", 0.0, _LOG2),
    Feature("link_events_30d", "log1p", 0.0, _LOG2),
    Feature("application_events_7d", "log1p", 0.0, _LOG2),
    Feature("row_remap_failed", "linear", 0.0, 1.0),
    Feature("row_remap_pending", "linear", 0.0, 1.0),
    Feature("sram_threshold_exceeded", "linear", 0.0, 1.0),
    Feature("memory_unrepairable", "linear", 0.0, 1.0),
    Feature("banks_without_spares", "log1p", 0.0, _LOG2),
    Feature("rows_remapped_uncorrectable", "log1p", 0.0, _LOG2),
    Feature("rows_remapped_correctable", "log1p", 0.0, _LOG2),
    Feature("pages_retired", "log1p", 0.0, _LOG2),
    Feature("recovery_action", "linear", 0.0, 1.0),
)
FEATURES: Final = FAST + SLOW
NAMES: Final = tuple(feature.name for feature in FEATURES)
_NO_EVENTS: Final = (0.0, 0.0, 0.0)

# Whatever of ``lasting`` the slow features, the floors and the limits depend on; one tuple tells a change.
_LASTING: Final = itemgetter(
    REMAP_FAILED,
    REMAP_PENDING,
    SRAM_THRESHOLD,
    UNREPAIRABLE,
    BANKS_NONE,
    REMAP_UNCORRECTABLE,
    REMAP_CORRECTABLE,
    PAGE_RETIRED_SBE,
    PAGE_RETIRED_DBE,
    RECOVERY_ACTION,
    TEMP_SLOWDOWN,
)


def lasting_of(state: GpuState) -> tuple[float, ...]:
    """Return the lasting values that the slow features read."""
    found: tuple[float, ...] = _LASTING(state.lasting)
    return found


def flags_of(lasting: tuple[float, ...]) -> bool:
    """Tell whether a flag of the replace class stands: remap failed, SRAM threshold, unrepairable memory."""
    failed, _pending, sram, unrepairable, *_ = lasting
    return failed > 0.0 or sram > 0.0 or unrepairable > 0.0


def slow_values(state: GpuState, lasting: tuple[float, ...], deployed_at: float | None) -> list[float]:
    """Return the values of :data:`SLOW`, NaN where not measured.

    They are a function of the closed hours, the events and the lasting values alone, taken at the start of
    the open hour: so a worker that has just restored the state computes the same bits.
    """
    windows = state.windows
    at = windows.hour * float(HOUR_SECONDS)
    week, month = windows.week, windows.month
    mean = _mean(week.sums[TEMP], week.seconds[TEMP])
    square = _mean(week.sums[TEMP_SQUARE], week.seconds[TEMP_SQUARE])
    memory_max = week.sums[MEMORY_TEMP_MAX]
    brake_seconds = week.seconds[BRAKE]
    (
        failed,
        pending,
        sram,
        unrepairable,
        banks,
        remapped_dbe,
        remapped_sbe,
        retired_sbe,
        retired_dbe,
        recovery,
        _,
    ) = lasting
    events = {group: sums_at(counted, at) for group, counted in state.remembered.risk_history.items()}
    controller = events.get("controller", _NO_EVENTS)
    return [
        mean,
        sqrt(max(square - mean * mean, 0.0)) if mean == mean else nan,
        memory_max if memory_max != -inf else nan,
        100.0 * _mean(week.sums[UTIL], week.seconds[UTIL]),
        _mean(week.sums[POWER], week.seconds[POWER]),
        month.sums[CORRECTED],
        month.sums[EPISODES],
        week.sums[BRAKE] / brake_seconds if brake_seconds else nan,
        week.sums[LINK_ERRORS],
        _gap_ratio(state, at),
        (at - deployed_at) / DAY_SECONDS if deployed_at is not None else nan,
        *events.get("memory", _NO_EVENTS),
        *events.get("lost", _NO_EVENTS),
        controller[0],
        controller[1],
        events.get("link", _NO_EVENTS)[1],
        events.get("application", _NO_EVENTS)[0],
        failed,
        pending,
        sram,
        unrepairable,
        banks,
        remapped_dbe,
        remapped_sbe,
        retired_sbe + retired_dbe,
        (1.0 if recovery > 0.0 else 0.0) if recovery == recovery else nan,
    ]


def scale_into(x: list[float], features: Sequence[Feature], values: Sequence[float], start: int) -> None:
    """Put the scaled ``values`` of ``features`` into ``x`` from ``start`` on."""
    for offset, (feature, value) in enumerate(zip(features, values, strict=True)):
        x[start + offset] = feature.scaled(value)


def _mean(total: float, seconds: float) -> float:
    return total / seconds if seconds > 0.0 else nan


def _gap_ratio(state: GpuState, at: float) -> float:
    """Share of the closed hours of the last 7 days, since the GPU was first seen, in which nothing came."""
    span = min(at - state.first_time, WEEK_SECONDS - HOUR_SECONDS)
    if not span >= HOUR_SECONDS:
        return nan
    missing = 1.0 - state.windows.week.sums[OBSERVED] / span
    return missing if missing > 0.0 else 0.0
