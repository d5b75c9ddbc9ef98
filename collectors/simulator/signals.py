"""Every signal that a simulated GPU reports, under DCGM's names and in DCGM's raw units."""

from __future__ import annotations

from typing import Final

import numpy as np

from collectors.simulator.chance import Floats, bell, uniform
from collectors.simulator.load import EPOCH, IDLE, INFERENCE, TRAINING
from collectors.simulator.physics import THROTTLED_SHARE, Group, Physics

_DAY_SECONDS: Final = 86_400.0
_HOUR_SECONDS: Final = 3_600.0
_NANO: Final = 1e9
# Corrected errors grow from one an hour to 250 an hour in three days, and no further than 5,000.
_TREND_PER_SECOND: Final = float(np.log(250.0)) / (3 * _DAY_SECONDS)
_TREND_CAP_SECONDS: Final = float(np.log(5_000.0)) / _TREND_PER_SECOND
_SOFTWARE_SLOWDOWN_SHARE: Final = 0.3
# clocks event bits (nvml.h)
_BIT_IDLE, _BIT_POWER_CAP, _BIT_HW, _BIT_SW_THERMAL, _BIT_HW_THERMAL = 0x1, 0x4, 0x8, 0x20, 0x40
_CAP_SHARE: Final = 0.9
_XID_ORDER: Final = (("ecc_uncorrected", 94.0), ("remap_failed", 64.0), ("off_bus", 79.0))


def signals(group: Group, physics: Physics) -> dict[str, Floats]:
    """Return each signal's values by name; every array broadcasts to (GPUs, times)."""
    return {
        **_heat_and_power(group, physics),
        **_held_clocks(group, physics),
        **_memory(group),
        **_load(group, physics),
        **_links(group),
    }


def _heat_and_power(group: Group, physics: Physics) -> dict[str, Floats]:
    model, load = group.model, group.load
    die = np.round(physics.die_celsius)
    found: dict[str, Floats] = {
        "DCGM_FI_DEV_GPU_TEMP": die,
        "DCGM_FI_DEV_MEMORY_TEMP": np.round(physics.memory_celsius) if model.memory_celsius else np.zeros((1, 1)),
        "DCGM_FI_DEV_POWER_USAGE": np.round(physics.power_watts, 3),
        "DCGM_FI_DEV_POWER_USAGE_INSTANT": np.round(
            physics.power_watts * (1.0 + 0.004 * bell(group.seed, 31, group.index, group.tick)), 3
        ),
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": np.round(physics.energy_joules * 1e3),
        "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": _constant(model.power_limit_watts),
        "DCGM_FI_DEV_POWER_MGMT_LIMIT": _constant(model.power_limit_watts),
        "DCGM_FI_DEV_POWER_MGMT_LIMIT_DEF": _constant(model.power_limit_watts),
        "DCGM_FI_DEV_PSTATE": _constant(0.0),
    }
    if model.reports_margin:
        found["DCGM_FI_DEV_GPU_TEMP_LIMIT"] = model.max_op_celsius - die
    if model.slowdown_celsius is not None and model.shutdown_celsius is not None:
        found["DCGM_FI_DEV_SLOWDOWN_TEMP"] = _constant(model.slowdown_celsius)
        found["DCGM_FI_DEV_SHUTDOWN_TEMP"] = _constant(model.shutdown_celsius)
        found["DCGM_FI_DEV_GPU_MAX_OP_TEMP"] = _constant(model.max_op_celsius)
    if model.memory_max_op_celsius is not None:
        found["DCGM_FI_DEV_MEM_MAX_OP_TEMP"] = _constant(model.memory_max_op_celsius)
    clock = model.sm_clock_mhz * (1.0 - 0.10 * load.share + 0.004 * bell(group.seed, 32, group.index, group.tick))
    clock = np.where(physics.throttled, 0.5 * clock, clock)
    clock = np.where(load.kind == IDLE, model.idle_sm_clock_mhz, clock)
    found["DCGM_FI_DEV_SM_CLOCK"] = np.round(clock / 15.0) * 15.0
    found["DCGM_FI_DEV_MEM_CLOCK"] = _constant(model.memory_clock_mhz)
    found["DCGM_FI_DEV_MAX_SM_CLOCK"] = _constant(model.sm_clock_mhz)
    return found


def _held_clocks(group: Group, physics: Physics) -> dict[str, Floats]:
    load = group.load
    hot = group.since("hot_gpu") > 0.0
    soft = hot & (uniform(group.seed, 33, group.index, group.tick) < _SOFTWARE_SLOWDOWN_SHARE)
    capped = (load.share > _CAP_SHARE) & ~group.active("power_instability")
    bits = (
        np.where(load.kind == IDLE, _BIT_IDLE, 0)
        + np.where(capped, _BIT_POWER_CAP, 0)
        + np.where(soft, _BIT_SW_THERMAL, 0)
        + np.where(physics.throttled, _BIT_HW | _BIT_HW_THERMAL, 0)
    ).astype(np.float64)
    # About the time at the cap: what only has to grow as a busy GPU's counter does.
    cap_seconds = 0.1 * load.share_seconds
    soft_seconds = _SOFTWARE_SLOWDOWN_SHARE * group.since("hot_gpu")
    hard_seconds = THROTTLED_SHARE * group.since("throttling")
    nothing = _constant(0.0)
    return {
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": bits,
        "DCGM_FI_DEV_POWER_VIOLATION": np.round(cap_seconds * _NANO),
        "DCGM_FI_DEV_THERMAL_VIOLATION": np.round(soft_seconds * _NANO),
        "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION": nothing,
        "DCGM_FI_DEV_RELIABILITY_VIOLATION": nothing,
        "DCGM_FI_DEV_SYNC_BOOST_VIOLATION": nothing,
        "DCGM_FI_DEV_LOW_UTIL_VIOLATION": nothing,
        "DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_POWER_CAP_NS": np.round(cap_seconds * _NANO),
        "DCGM_FI_DEV_CLOCKS_EVENT_REASON_SYNC_BOOST_NS": nothing,
        "DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN_NS": np.round(soft_seconds * _NANO),
        "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS": np.round(hard_seconds * _NANO),
        "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS": nothing,
    }


def _memory(group: Group) -> dict[str, Floats]:
    seed, index, load, model = group.seed, group.index, group.load, group.model
    since_epoch = group.times[None, :] - EPOCH
    # Most healthy GPUs correct nothing for weeks, a few some errors a day.
    often = np.maximum(uniform(seed, 41, index) - 0.6, 0.0) * 10.0 / _DAY_SECONDS
    corrected = np.floor(often * since_epoch + uniform(seed, 42, index))
    trend = np.minimum(group.since("ecc_trend"), _TREND_CAP_SECONDS)
    beyond = group.since("ecc_trend") - trend
    grown = np.expm1(_TREND_PER_SECOND * trend) / _TREND_PER_SECOND / _HOUR_SECONDS
    corrected = corrected + np.floor(grown + beyond * 5_000.0 / _HOUR_SECONDS)
    uncorrected = group.active("ecc_uncorrected").astype(np.float64)
    failed = group.active("remap_failed").astype(np.float64)
    life = np.floor(20.0 * uniform(seed, 43, index) ** 4)
    remapped = np.where(uniform(seed, 44, index) > 0.95, 1.0, 0.0)
    total = model.memory_mib
    reserved = np.round(0.007 * total)
    free_share = np.select([load.kind == IDLE, load.kind == INFERENCE], [1.0, 0.3], 0.1)
    used = np.round((total - reserved) * (1.0 - free_share))
    nothing = _constant(0.0)
    return {
        "DCGM_FI_DEV_ECC_CURRENT": _constant(1.0),
        "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": corrected,
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": uncorrected,
        "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL": corrected + life,
        "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL": uncorrected,
        "DCGM_FI_DEV_ECC_SBE_VOL_SRM": nothing,
        "DCGM_FI_DEV_ECC_DBE_VOL_SRM": nothing,
        "DCGM_FI_DEV_THRESHOLD_SRM": nothing,
        "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": nothing,
        "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": remapped + uncorrected + failed,
        "DCGM_FI_DEV_ROW_REMAP_PENDING": uncorrected,
        "DCGM_FI_DEV_ROW_REMAP_FAILURE": failed,
        "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_MAX": model.banks - remapped - uncorrected - failed,
        "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_HIGH": remapped + uncorrected,
        "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_PARTIAL": nothing,
        "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_LOW": nothing,
        "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_NONE": failed,
        "DCGM_FI_DEV_MEMORY_UNREPAIRABLE_FLAG": nothing,
        "DCGM_FI_DEV_FB_TOTAL": _constant(total),
        "DCGM_FI_DEV_FB_RESERVED": _constant(float(reserved)),
        "DCGM_FI_DEV_FB_USED": used,
        "DCGM_FI_DEV_FB_FREE": total - reserved - used,
        "DCGM_FI_DEV_FB_USED_PERCENT": np.round(used / (total - reserved), 4),
        "DCGM_FI_DEV_XID_ERRORS": _last_xid(group),
        "DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION": np.where(uncorrected > 0.0, 4.0, 0.0),
    }


def _last_xid(group: Group) -> Floats:
    last: Floats = np.zeros((len(group.gpus), len(group.times)))
    for fault, code in _XID_ORDER:
        last = np.where(group.active(fault), code, last)
    return last


def _load(group: Group, physics: Physics) -> dict[str, Floats]:
    load, seed = group.load, group.seed
    spread = 1.0 + 0.02 * bell(seed, 51, group.index, group.tick)
    work = np.clip(physics.work * spread, 0.0, 1.0)
    training = (load.kind == TRAINING).astype(np.float64)
    return {
        "DCGM_FI_DEV_GPU_UTIL": np.round(100.0 * np.clip(load.utilisation * spread, 0.0, 1.0)),
        "DCGM_FI_DEV_MEM_COPY_UTIL": np.round(100.0 * 0.6 * work),
        "DCGM_FI_DEV_ENC_UTIL": _constant(0.0),
        "DCGM_FI_DEV_DEC_UTIL": _constant(0.0),
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": np.round(work, 6),
        "DCGM_FI_PROF_SM_ACTIVE": np.round(0.92 * work, 6),
        "DCGM_FI_PROF_SM_OCCUPANCY": np.round(0.41 * work, 6),
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": np.round((0.18 + 0.30 * training) * work, 6),
        "DCGM_FI_PROF_DRAM_ACTIVE": np.round((0.45 - 0.10 * training) * work, 6),
        "DCGM_FI_PROF_PIPE_FP64_ACTIVE": _constant(0.0),
        "DCGM_FI_PROF_PIPE_FP32_ACTIVE": np.round(0.08 * work, 6),
        "DCGM_FI_PROF_PIPE_FP16_ACTIVE": np.round(0.05 * work, 6),
        "DCGM_FI_PROF_PCIE_TX_BYTES": np.round(1.0e6 + 2.0e9 * work),
        "DCGM_FI_PROF_PCIE_RX_BYTES": np.round(1.0e6 + 3.0e9 * work),
    }


def _links(group: Group) -> dict[str, Floats]:
    load, model = group.load, group.model
    nothing = _constant(0.0)
    found: dict[str, Floats] = {
        # A healthy link replays a few packets in its life.
        "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": np.floor(6.0 * uniform(group.seed, 61, group.index)),
        "DCGM_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS": nothing,
        "DCGM_FI_DEV_PCIE_LINK_GEN": np.where(load.kind == IDLE, 1.0, model.pcie_gen),
        "DCGM_FI_DEV_PCIE_LINK_WIDTH": _constant(16.0),
        "DCGM_FI_DEV_PCIE_MAX_LINK_GEN": _constant(model.pcie_gen),
        "DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH": _constant(16.0),
    }
    if model.nvlinks:
        traffic = np.round(2.5e9 * model.nvlinks * load.utilisation * (load.kind == TRAINING))
        found |= {
            "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL": nothing,
            "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL": nothing,
            "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL": nothing,
            "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL": nothing,
            "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": np.round(2.0 * traffic / 1e6),
            "DCGM_FI_PROF_NVLINK_TX_BYTES": traffic,
            "DCGM_FI_PROF_NVLINK_RX_BYTES": traffic,
        }
    return found


def _constant(value: float) -> Floats:
    return np.full((1, 1), value)
