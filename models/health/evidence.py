"""Hard evidence: what is noted, while it stands, and which scores it caps.

A flag caps while the device says so (its last measured value). An event caps until a reset was seen, nothing
is pending and the GPU ran 24 hours under load without another of its kind; uncorrected errors also end with
the window. What happened before lives on in the risk.
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

from models.gpu.columns import CORRECTED, HOUR_SECONDS, SRAM_CORRECTED
from models.gpu.evidence import Evidence
from models.gpu.measured import measured
from models.gpu.slots import (
    BANKS_NONE,
    DBE,
    DBE_AGGREGATE,
    GPU_PRESENT,
    NVLINK_FAILED,
    PAGE_RETIRED_DBE,
    PAGE_RETIRED_PENDING,
    PAGE_RETIRED_SBE,
    RECOVERY_ACTION,
    REMAP_FAILED,
    REMAP_PENDING,
    SRAM_THRESHOLD,
    UNREPAIRABLE,
)
from models.gpu.state import GpuState
from models.health.profile import Profile
from schemas.sample import CLOCK_AHEAD_SECONDS

UNCORRECTED: Final = "dbe"
STORM: Final = "corrected_storm"
NVLINK: Final = "nvlink_failed"
LOST: Final = "lost"
SLOWDOWN: Final = "thermal_slowdown"

# A log read at the first start tells of events before the GPU was first sampled: whether a reset came between
# cannot be known, so beyond this they are history, not health.
_FIRST_SIGHT_SECONDS: Final = 600.0

# Flags that stand while their last measured value is above zero.
_FLAGS: Final = (
    (REMAP_FAILED, "row_remap_failed"),
    (REMAP_PENDING, "row_remap_pending"),
    (PAGE_RETIRED_PENDING, "page_retired_pending"),
    (SRAM_THRESHOLD, "sram_threshold"),
    (UNREPAIRABLE, "memory_unrepairable"),
    (BANKS_NONE, "bank_spares"),
    (RECOVERY_ACTION, "recovery_action"),
)


class Standing(NamedTuple):
    """Evidence that stands: ``times`` seen, ``value`` as measured (of a flag or a count)."""

    kind: str
    times: int
    value: float


def observe(state: GpuState, profile: Profile) -> None:
    """Note what the last sample shows, and forget what no longer stands.

    Called after each sample and after events that came alone; for the same sample twice it adds nothing.
    """
    if state.reset_seen and state.evidence:
        for item in state.evidence.values():
            # An event's own clock may run ahead; beyond the limit it does not tell whether it followed the reset.
            if not item.reset_seen and not state.time < item.last_at <= state.append_time + CLOCK_AHEAD_SECONDS:
                item.reset_seen = True
                item.loaded_mark = state.loaded_seconds
                state.evidence_dirty = True
    increments = state.increments
    if increments:
        if DBE in increments or (DBE_AGGREGATE in increments and not measured(state.values[DBE])):
            _note_once(state, UNCORRECTED)
        if NVLINK_FAILED in increments:
            _note_once(state, NVLINK)
    if state.hour.sums[CORRECTED] >= profile.memory.corrected_storm_per_hour:
        storm = state.evidence.get(STORM)
        if storm is None or storm.last_at < state.windows.hour * HOUR_SECONDS:
            state.note(STORM, state.time, history=state.history)
    if state.evidence:
        ended = [kind for kind, item in state.evidence.items() if _is_over(state, kind, item, profile)]
        for kind in ended:
            del state.evidence[kind]
            state.evidence_dirty = True


def _note_once(state: GpuState, kind: str) -> None:
    item = state.evidence.get(kind)
    if item is None or item.last_at != state.time:
        state.note(kind, state.time, history=state.history)


def _is_over(state: GpuState, kind: str, item: Evidence, profile: Profile) -> bool:
    ends = profile.evidence
    caps = kind in profile.overall_caps or kind in profile.memory_caps
    if (not caps or kind in ends.window_kinds) and state.time - item.last_at >= ends.window_seconds:
        return True
    return (
        caps
        and item.reset_seen
        and clean_loaded_seconds(state, item) >= ends.clean_loaded_seconds
        and not is_pending(state)
    )


def stands_until(state: GpuState, profile: Profile) -> float:
    """Return the event time (epoch s) before which no evidence ends; -inf where each sample may end one."""
    ends = profile.evidence
    until = inf
    for kind, item in state.evidence.items():
        caps = kind in profile.overall_caps or kind in profile.memory_caps
        if item.last_at > state.time or (caps and item.reset_seen):  # its clock runs ahead; its clean time runs
            return -inf
        if not caps or kind in ends.window_kinds:
            until = min(until, item.last_at + ends.window_seconds)
    return until


def clean_loaded_seconds(state: GpuState, item: Evidence) -> float:
    """Return the time under load since the evidence was last seen, or since the reset after it."""
    return state.loaded_seconds - item.loaded_mark


def is_pending(state: GpuState) -> bool:
    """Tell whether the device waits for a reset: a row remap, a page retirement or a recovery action."""
    lasting = state.lasting
    return lasting[REMAP_PENDING] > 0.0 or lasting[PAGE_RETIRED_PENDING] > 0.0 or lasting[RECOVERY_ACTION] > 0.0


def any_standing(state: GpuState, profile: Profile) -> bool:
    """Tell at little cost whether :func:`standing` can have anything."""
    lasting = state.lasting
    return bool(
        state.evidence
        or lasting[REMAP_FAILED] > 0.0
        or lasting[REMAP_PENDING] > 0.0
        or lasting[SRAM_THRESHOLD] > 0.0
        or lasting[UNREPAIRABLE] > 0.0
        or lasting[BANKS_NONE] > 0.0
        or lasting[RECOVERY_ACTION] > 0.0
        or lasting[PAGE_RETIRED_DBE] > 0.0
        or lasting[PAGE_RETIRED_SBE] > 0.0
        or lasting[PAGE_RETIRED_PENDING] > 0.0
        or lasting[GPU_PRESENT] == 0.0
        or SLOWDOWN in state.alerts
        or state.hour.total(CORRECTED, state.windows.week) > profile.memory.corrected_limit_7d
        or state.hour.total(SRAM_CORRECTED, state.windows.week) > profile.memory.sram_corrected_limit_7d
    )


def standing(state: GpuState, profile: Profile) -> list[Standing]:
    """Return the evidence that stands and caps a score, flags first."""
    lasting = state.lasting
    found = [Standing(kind, 1, lasting[slot]) for slot, kind in _FLAGS if lasting[slot] > 0.0]
    if retired_pages(state) >= profile.memory.retired_pages_limit:
        found.append(Standing("pages_retired", 1, retired_pages(state)))
    if lasting[GPU_PRESENT] == 0.0 and LOST not in state.evidence:
        found.append(Standing(LOST, 1, 1.0))
    alert = state.alerts.get(SLOWDOWN)
    if alert is not None and alert.open:
        found.append(Standing(SLOWDOWN, 1, 1.0))
    week = state.windows.week
    corrected = state.hour.total(CORRECTED, week)
    if corrected > profile.memory.corrected_limit_7d:
        found.append(Standing("corrected_7d", 1, corrected))
    sram = state.hour.total(SRAM_CORRECTED, week)
    if sram > profile.memory.sram_corrected_limit_7d:
        found.append(Standing("sram_corrected_7d", 1, sram))
    first_sight = state.first_time - _FIRST_SIGHT_SECONDS
    found.extend(
        Standing(kind, item.count, float(item.count))
        for kind, item in state.evidence.items()
        if not item.last_at < first_sight
    )
    return [item for item in found if item.kind in profile.overall_caps or item.kind in profile.memory_caps]


def retired_pages(state: GpuState) -> float:
    """Return the retired pages of both causes; an absent cause adds nothing."""
    total = 0.0
    for slot in (PAGE_RETIRED_SBE, PAGE_RETIRED_DBE):
        if state.lasting[slot] > 0.0:
            total += state.lasting[slot]
    return total
