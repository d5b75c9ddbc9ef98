"""Which inputs of the scores are measured, and what share of each score's inputs that is."""

from __future__ import annotations

from typing import Final

from models.gpu.columns import RESIDUAL_COUNT
from models.gpu.remembered import Inputs
from models.gpu.slots import (
    BANKS_NONE,
    DBE,
    GPU_TEMP,
    MEM_TEMP,
    PAGE_RETIRED_DBE,
    PAGE_RETIRED_PENDING,
    POWER_USAGE,
    REMAP_FAILED,
    REMAP_PENDING,
    SBE,
    SRAM_THRESHOLD,
    TEMP_MARGIN,
    TEMP_SLOWDOWN,
    UNREPAIRABLE,
)
from models.gpu.state import GpuState
from models.health.profile import Profile, Weights

# One bit an input, with the name that explanations use.
TEMP_INPUT: Final = 1 << 0
LIMIT_INPUT: Final = 1 << 1
MEMORY_TEMP_INPUT: Final = 1 << 2
THERMAL_TIME_INPUT: Final = 1 << 3
CORRECTED_INPUT: Final = 1 << 4
UNCORRECTED_INPUT: Final = 1 << 5
REMAP_FAILED_INPUT: Final = 1 << 6
REMAP_PENDING_INPUT: Final = 1 << 7
BANKS_INPUT: Final = 1 << 8
SRAM_INPUT: Final = 1 << 9
UNREPAIRABLE_INPUT: Final = 1 << 10
POWER_INPUT: Final = 1 << 11
LOAD_INPUT: Final = 1 << 12
RESIDUAL_INPUT: Final = 1 << 13
BRAKE_INPUT: Final = 1 << 14

INPUTS: Final = {
    "thermal": {
        TEMP_INPUT: "gpu_temp_celsius",
        LIMIT_INPUT: "gpu_temp_slowdown_celsius",
        MEMORY_TEMP_INPUT: "memory_temp_celsius",
        THERMAL_TIME_INPUT: "thermal_slowdown_ratio",
    },
    "memory": {
        CORRECTED_INPUT: "ecc_sbe_volatile_total",
        UNCORRECTED_INPUT: "ecc_dbe_volatile_total",
        REMAP_FAILED_INPUT: "row_remap_failed",
        REMAP_PENDING_INPUT: "row_remap_pending",
        BANKS_INPUT: "bank_remap_avail_none",
        SRAM_INPUT: "sram_threshold_exceeded",
        UNREPAIRABLE_INPUT: "memory_unrepairable",
    },
    "power": {
        POWER_INPUT: "power_usage_watts",
        LOAD_INPUT: "sm_active_ratio",
        RESIDUAL_INPUT: "power_residual_watts",
        BRAKE_INPUT: "power_brake_ratio",
    },
}
THERMAL_REQUIRED: Final = TEMP_INPUT
MEMORY_REQUIRED: Final = CORRECTED_INPUT | UNCORRECTED_INPUT | REMAP_FAILED_INPUT
POWER_REQUIRED: Final = POWER_INPUT | LOAD_INPUT


def measured(state: GpuState, profile: Profile) -> int:
    """Return the bits of the inputs that are measured: in the last sample, or within the grace before it.

    What is absent, and since when, is kept in ``state.remembered.inputs``: it changes only when an input comes
    or goes.
    """
    now = _measured_now(state, profile)
    inputs = state.remembered.inputs
    if inputs is None:
        state.remembered.inputs = Inputs(now)
        state.evidence_dirty = True
        return now
    if now == inputs.mask and not inputs.absent:
        return now
    return _with_grace(state, inputs, now, profile.evidence.input_grace_seconds)


def measured_last(state: GpuState, profile: Profile) -> int:
    """Return what :func:`measured` returned at the last sample, also where the state was restored since."""
    inputs = state.remembered.inputs
    return measured(state, profile) if inputs is None else inputs.mask


def measured_in_sample(state: GpuState) -> int:
    """Return the bits of the inputs that the last sample's own values measure: all but those that last."""
    values = state.values
    mask = 0
    if values[GPU_TEMP] == values[GPU_TEMP]:
        mask = TEMP_INPUT
    if values[TEMP_MARGIN] == values[TEMP_MARGIN]:
        mask |= LIMIT_INPUT
    if values[MEM_TEMP] == values[MEM_TEMP]:
        mask |= MEMORY_TEMP_INPUT
    if state.thermal_seconds == state.thermal_seconds:
        mask |= THERMAL_TIME_INPUT
    if values[SBE] == values[SBE]:
        mask |= CORRECTED_INPUT
    if values[DBE] == values[DBE]:
        mask |= UNCORRECTED_INPUT
    if values[POWER_USAGE] == values[POWER_USAGE]:
        mask |= POWER_INPUT
    if state.load_ratio == state.load_ratio:
        mask |= LOAD_INPUT
    if state.brake_seconds == state.brake_seconds:
        mask |= BRAKE_INPUT
    return mask


def _measured_now(state: GpuState, profile: Profile) -> int:
    lasting = state.lasting
    mask = measured_in_sample(state)
    if lasting[TEMP_SLOWDOWN] == lasting[TEMP_SLOWDOWN]:
        mask |= LIMIT_INPUT
    # Before Ampere pages are retired and no row is ever remapped: the same question, older signals.
    if lasting[REMAP_FAILED] == lasting[REMAP_FAILED] or lasting[PAGE_RETIRED_DBE] == lasting[PAGE_RETIRED_DBE]:
        mask |= REMAP_FAILED_INPUT
    if (
        lasting[REMAP_PENDING] == lasting[REMAP_PENDING]
        or lasting[PAGE_RETIRED_PENDING] == lasting[PAGE_RETIRED_PENDING]
    ):
        mask |= REMAP_PENDING_INPUT
    if lasting[BANKS_NONE] == lasting[BANKS_NONE]:
        mask |= BANKS_INPUT
    if lasting[SRAM_THRESHOLD] == lasting[SRAM_THRESHOLD]:
        mask |= SRAM_INPUT
    if lasting[UNREPAIRABLE] == lasting[UNREPAIRABLE]:
        mask |= UNREPAIRABLE_INPUT
    if state.hour.total(RESIDUAL_COUNT, state.windows.week) >= profile.power.least_residual_minutes:
        mask |= RESIDUAL_INPUT
    return mask


def _with_grace(state: GpuState, inputs: Inputs, now: int, grace_seconds: float) -> int:
    """Return ``now`` and what was absent for less than the grace; keep both in ``inputs`` where they changed."""
    since = dict(inputs.absent)
    mask = now
    still: list[tuple[int, float]] = []
    gone = inputs.mask & ~now
    while gone:
        bit = gone & -gone
        gone ^= bit
        at = since.get(bit, state.time)
        if state.time - at < grace_seconds:
            mask |= bit
            still.append((bit, at))
    if mask != inputs.mask or still != inputs.absent:
        inputs.mask, inputs.absent = mask, still
        state.evidence_dirty = True
    return mask


def ratio(mask: int, score: str) -> float:
    """Return the share of a score's inputs that ``mask`` has, 0 to 1."""
    inputs = INPUTS[score]
    return sum(1 for bit in inputs if mask & bit) / len(inputs)


def overall_ratio(mask: int, weights: Weights) -> float:
    """Return the shares of the three scores, weighted as the scores are."""
    parts = (
        weights.thermal * ratio(mask, "thermal")
        + weights.memory * ratio(mask, "memory")
        + weights.power * ratio(mask, "power")
    )
    return min(parts, 1.0)
