"""Rule -> cause class: alerts of one GPU with one cause are one incident."""

from __future__ import annotations

from typing import Final, Literal

CauseClass = Literal["memory", "thermal", "power", "link", "lost", "driver", "application", "pipeline", "trend"]

# The XID rules are absent: their cause is that of the code (an NVLink XID is no memory fault).
CAUSES: Final[dict[str, CauseClass]] = {
    "gpu_lost": "lost",
    "gpu_missing": "lost",
    "gpu_count_low": "lost",
    "host_missing": "lost",
    "ecc_uncorrected": "memory",
    "ecc_corrected_rate": "memory",
    "row_remap_pending": "memory",
    "row_remap_failed": "memory",
    "sram_threshold": "memory",
    "pages_retired": "memory",
    "bank_spares": "memory",
    "thermal_limit": "thermal",
    "thermal_slowdown": "thermal",
    "power_brake": "power",
    "power_instability": "power",
    "clock_stuck": "power",
    "nvlink_errors": "link",
    "nvswitch_fatal": "link",
    "pcie_replay": "link",
    "pcie_width": "link",
    "pcie_gen": "link",
    "recovery_action": "driver",
    "score_degraded": "trend",
    "score_poor": "trend",
    "risk_high": "trend",
    "drift": "trend",
    "telemetry_gap": "pipeline",
    "exporter_down": "pipeline",
    "pipeline_stale": "pipeline",
    "watchdog": "pipeline",
}


def cause_of(rule: str) -> CauseClass:
    """Return the cause class of a rule that is not an XID rule."""
    return CAUSES[rule]
