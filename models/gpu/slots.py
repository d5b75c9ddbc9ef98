"""Indexes of the signals that the models read, and the bits of the clocks-event mask (nvml.h)."""

from __future__ import annotations

from typing import Final

from schemas.signals import INDEX

GPU_TEMP: Final = INDEX["gpu_temp_celsius"]
MEM_TEMP: Final = INDEX["memory_temp_celsius"]
TEMP_MARGIN: Final = INDEX["gpu_temp_margin_celsius"]
POWER_USAGE: Final = INDEX["power_usage_watts"]
POWER_INSTANT: Final = INDEX["power_instant_watts"]
ENERGY: Final = INDEX["energy_joules_total"]
SM_CLOCK: Final = INDEX["sm_clock_hertz"]
GPU_UTIL: Final = INDEX["gpu_util_ratio"]
SM_ACTIVE: Final = INDEX["sm_active_ratio"]
GR_ACTIVE: Final = INDEX["gr_engine_active_ratio"]
REASONS: Final = INDEX["clocks_event_reasons"]
SW_THERMAL: Final = INDEX["sw_thermal_slowdown_seconds_total"]
HW_THERMAL: Final = INDEX["hw_thermal_slowdown_seconds_total"]
THERMAL_VIOLATION: Final = INDEX["thermal_violation_seconds_total"]
POWER_BRAKE: Final = INDEX["hw_power_brake_seconds_total"]
SBE: Final = INDEX["ecc_sbe_volatile_total"]
DBE: Final = INDEX["ecc_dbe_volatile_total"]
SBE_AGGREGATE: Final = INDEX["ecc_sbe_aggregate_total"]
DBE_AGGREGATE: Final = INDEX["ecc_dbe_aggregate_total"]
SRAM_SBE: Final = INDEX["ecc_sbe_sram_volatile_total"]
XID_LAST: Final = INDEX["xid_last"]
LINK_COUNTERS: Final = tuple(
    INDEX[name]
    for name in (
        "nvlink_crc_flit_errors_total",
        "nvlink_crc_data_errors_total",
        "nvlink_replay_errors_total",
        "nvlink_recovery_errors_total",
        "nvlink_recovery_failed_total",
        "nvlink_recovery_events_total",
    )
)
MEM_COPY_UTIL: Final = INDEX["mem_copy_util_ratio"]
POWER_LIMIT: Final = INDEX["power_limit_enforced_watts"]
POWER_LIMIT_REQUESTED: Final = INDEX["power_limit_requested_watts"]
POWER_LIMIT_DEFAULT: Final = INDEX["power_limit_default_watts"]
TEMP_SLOWDOWN: Final = INDEX["gpu_temp_slowdown_celsius"]
TEMP_SHUTDOWN: Final = INDEX["gpu_temp_shutdown_celsius"]
TEMP_MAX_OP: Final = INDEX["gpu_temp_max_op_celsius"]
MEM_TEMP_MAX_OP: Final = INDEX["memory_temp_max_op_celsius"]
ECC_MODE: Final = INDEX["ecc_mode"]
REMAP_FAILED: Final = INDEX["row_remap_failed"]
REMAP_PENDING: Final = INDEX["row_remap_pending"]
REMAP_UNCORRECTABLE: Final = INDEX["row_remap_uncorrectable_total"]
REMAP_CORRECTABLE: Final = INDEX["row_remap_correctable_total"]
PAGE_RETIRED_SBE: Final = INDEX["page_retired_sbe_total"]
PAGE_RETIRED_DBE: Final = INDEX["page_retired_dbe_total"]
PAGE_RETIRED_PENDING: Final = INDEX["page_retired_pending"]
SRAM_THRESHOLD: Final = INDEX["sram_threshold_exceeded"]
UNREPAIRABLE: Final = INDEX["memory_unrepairable"]
BANKS_NONE: Final = INDEX["bank_remap_avail_none"]
RECOVERY_ACTION: Final = INDEX["gpu_recovery_action"]
PCIE_REPLAY: Final = INDEX["pcie_replay_total"]
NVLINK_FAILED: Final = INDEX["nvlink_recovery_failed_total"]
FB_USED: Final = INDEX["fb_used_bytes"]
FB_TOTAL: Final = INDEX["fb_total_bytes"]
GPU_PRESENT: Final = INDEX["gpu_present"]

HW_SLOWDOWN_BIT: Final = 0x08
SW_THERMAL_BIT: Final = 0x20
HW_THERMAL_BIT: Final = 0x40
BRAKE_BIT: Final = 0x80
THERMAL_BITS: Final = SW_THERMAL_BIT | HW_THERMAL_BIT
# Idle, user clocks, power cap, sync boost, display clocks: busy or capped, never sick.
BENIGN_MASK: Final = 0x117
# What a status shows of the last sample.
STATUS_SLOTS: Final = (
    GPU_TEMP,
    MEM_TEMP,
    TEMP_MARGIN,
    POWER_USAGE,
    POWER_LIMIT,
    GPU_UTIL,
    SM_ACTIVE,
    SM_CLOCK,
    FB_USED,
    FB_TOTAL,
    REASONS,
    SBE,
    DBE,
    ENERGY,
    REMAP_PENDING,
    REMAP_FAILED,
)
