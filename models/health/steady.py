"""What must hold for the scores and the risk to stay as they are: most samples cannot move them.

Scores and risk are functions of sums over days. While a GPU is free of corrected errors, throttling and brake
time within the window, only means move from sample to sample, and a mean on the safe side of its limit costs
nothing wherever it lies there. So after a full computation :func:`bounds` states the bounds within which the next
one would give the same numbers, and :meth:`Steady.holds` compares a sample with them at a fraction of the cost.

The bounds are exact, not a tolerance: a worker that has just restored the state, and so computes everything, gives
the same scores, records and advice as one that skipped. Where a number does drift (errors by day, a mean beyond
its limit, a share of throttled time) nothing is steady and every sample is judged.
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

from models.gpu.columns import (
    BRAKE,
    CORRECTED,
    HOUR_SECONDS,
    MARGIN,
    MARGIN_MIN,
    MEMORY_TEMP,
    MEMORY_TEMP_MAX,
    OBSERVED,
    RESIDUAL_COUNT,
    TEMP,
    TEMP_MAX,
    THERMAL,
)
from models.gpu.margin import BELIEVED_BELOW_SLOWDOWN_CELSIUS, BELIEVED_CELSIUS
from models.gpu.slots import (
    DBE,
    DBE_AGGREGATE,
    GPU_TEMP,
    MEM_TEMP,
    NVLINK_FAILED,
    SBE,
    SRAM_SBE,
    TEMP_MARGIN,
    TEMP_SLOWDOWN,
)
from models.gpu.state import GpuState
from models.health import coverage, evidence, thermal
from models.health.profile import Profile

# The longer, the tighter the bounds of a GPU that was observed for minutes, the rarer the full computation.
HORIZON_SECONDS: Final = 300.0
# Where nothing was steady it rarely is at the next sample: how many samples of the hour lie between two tries.
TRY_SAMPLES: Final = 6
# Two orders of summation differ by less than 1e-9 C; within this distance of a limit every sample is judged.
NEAR_CELSIUS: Final = 1e-6
NEAR_SECONDS: Final = 1e-6

_JUDGED_COUNTERS: Final = frozenset((SBE, DBE, DBE_AGGREGATE, SRAM_SBE, NVLINK_FAILED))


class OwnBounds(NamedTuple):
    """Between which temperatures and margins (C) a sample's own values leave the means where they cost nothing."""

    temp_most: float
    memory_temp_most: float
    margin_most: float
    margin_least: float


class Steady:
    """Bounds within which a sample leaves scores and risk as they are.

    ``side_inputs`` is what scores and risk were computed with, compared by identity. ``until`` is event time
    (epoch s), exclusive. ``temp_most``, ``memory_temp_most``, ``margin_most`` and
    ``margin_least`` (C) bound the sample's own values; ``temp_max``, ``memory_temp_max``, ``margin_min`` (C) and
    ``residual_count`` are the extremes over the window and the open hour's steady minutes, which move when an
    event minute closes; ``measured`` are the bits of :func:`models.health.coverage.measured_in_sample`.
    """

    __slots__ = (
        "margin_least",
        "margin_min",
        "margin_most",
        "measured",
        "memory_temp_max",
        "memory_temp_most",
        "residual_count",
        "side_inputs",
        "temp_max",
        "temp_most",
        "until",
    )

    def __init__(self, state: GpuState, side_inputs: object, until: float, own: OwnBounds) -> None:
        week = state.windows.week
        self.side_inputs = side_inputs
        self.until = until
        self.temp_most, self.memory_temp_most, self.margin_most, self.margin_least = own
        self.temp_max = state.hour.highest(TEMP_MAX, week)
        self.memory_temp_max = state.hour.highest(MEMORY_TEMP_MAX, week)
        self.margin_min = state.hour.lowest(MARGIN_MIN, week)
        self.residual_count = state.hour.sums[RESIDUAL_COUNT]
        self.measured = coverage.measured_in_sample(state)

    def holds(self, state: GpuState, side_inputs: object) -> bool:
        """Tell whether the sample that ``state`` has just taken leaves scores and risk as they are.

        The caller judges a sample that noted evidence or changed a label or a lasting value. A NaN compares
        false: what is not measured crosses no bound.
        """
        values, hour = state.values, state.hour.sums
        margin = values[TEMP_MARGIN]
        return not (
            side_inputs is not self.side_inputs
            or state.time >= self.until
            or values[GPU_TEMP] > self.temp_most
            or values[MEM_TEMP] > self.memory_temp_most
            or margin > self.margin_most
            or margin < self.margin_least
            or state.thermal_seconds > 0.0
            or state.brake_seconds > 0.0
            or state.reset_seen
            or hour[TEMP_MAX] > self.temp_max
            or hour[MEMORY_TEMP_MAX] > self.memory_temp_max
            or hour[MARGIN_MIN] < self.margin_min
            or hour[RESIDUAL_COUNT] != self.residual_count
            or not _JUDGED_COUNTERS.isdisjoint(state.increments)
            or coverage.measured_in_sample(state) != self.measured
        )


def bounds(state: GpuState, profile: Profile, side_inputs: object, until: float) -> Steady | None:
    """Return the bounds after a full computation on the last sample; None where each sample moves something.

    Parameters
    ----------
    side_inputs
        What the computation used; another object is another computation.
    until
        Event time (epoch s) at which something is due anyway.
    """
    week, hour = state.windows.week.sums, state.hour.sums
    inputs = state.remembered.inputs
    if (
        week[CORRECTED] + hour[CORRECTED] > 0.0
        or week[THERMAL] + hour[THERMAL] > 0.0
        or week[BRAKE] + hour[BRAKE] > 0.0
        or inputs is None
        or inputs.absent
        or evidence.SLOWDOWN in state.alerts
    ):
        return None
    time = state.time
    until = min(
        until,
        time + HORIZON_SECONDS,
        float((state.windows.hour + 1) * HOUR_SECONDS),
        evidence.stands_until(state, profile),
    )
    seconds = until - time
    if not seconds > 0.0:
        return None
    own = _own_bounds(state, profile, seconds)
    return Steady(state, side_inputs, until, own) if own is not None else None


def _own_bounds(state: GpuState, profile: Profile, seconds: float) -> OwnBounds | None:
    """Return the bounds of a sample's own values for ``seconds`` from now; None where there are none."""
    temp_most = margin_most = inf
    margin_least = -inf
    limits = profile.thermal
    week = state.windows.week
    known = state.hour.known_seconds(MARGIN, week)
    if known > 0.0:
        share = limits.least_margin_share_ratio
        beyond = known - share * state.hour.known_seconds(TEMP, week)
        if -seconds <= beyond <= seconds * share:  # temperature or margin: which one is judged may change
            return None
    if known == week.seconds[MARGIN]:  # none in the open hour: the first one counts for all of it
        slowdown = state.lasting[TEMP_SLOWDOWN]
        hot = slowdown - BELIEVED_BELOW_SLOWDOWN_CELSIUS if slowdown == slowdown else BELIEVED_CELSIUS
        margin_most = 0.0
        temp_most = hot - NEAR_CELSIUS
    if thermal.judged_by_margin(state, profile):
        room = _room(state, MARGIN, limits.warm_margin_celsius + NEAR_CELSIUS, -1.0)
        margin_least = limits.warm_margin_celsius - room / seconds
    else:
        warm, _ = thermal.limits(state, profile)
        room = _room(state, TEMP, warm - NEAR_CELSIUS, 1.0)
        temp_most = min(temp_most, warm - NEAR_CELSIUS + room / seconds)
    if not room > 0.0:
        return None
    warm = thermal.memory_limit(state, profile) - limits.memory_warm_below_hot_celsius - NEAR_CELSIUS
    room = _room(state, MEMORY_TEMP, warm, 1.0)
    if not room > 0.0:
        return None
    return OwnBounds(temp_most, warm + room / seconds, margin_most, margin_least)


def _room(state: GpuState, column: int, limit: float, sign: float) -> float:
    """Return how many degree seconds beyond ``limit`` the mean of a column can take and still not pass it.

    ``sign`` is 1 where the mean must stay below, -1 where above. Infinite where the open hour has none: then a
    first value changes what is measured.
    """
    week = state.windows.week
    total, seconds = state.hour.sums[column], state.hour.measured_seconds(column)
    if not seconds > 0.0:
        return inf
    closed = sign * (limit * week.seconds[column] - week.sums[column])
    now = sign * (limit * seconds - total)
    if state.hour.sums[OBSERVED] - seconds < NEAR_SECONDS:
        return closed + now
    # Not measured throughout: the open hour's mean counts for all of its observed time, so both means must stay.
    return now if closed >= 0.0 else 0.0
