"""What a person reads: the first action of each rule, of each XID action word, and of each recovery action."""

from __future__ import annotations

from typing import Final

ACTIONS: Final[dict[str, str]] = {
    "gpu_lost": "RESTART_BM: drain the node and restart it; if the GPU does not come back, power cycle it",
    "gpu_missing": "Check the host, the exporter and the kernel log for a GPU that fell off the bus",
    "ecc_uncorrected": "DRAIN_AND_RESET: drain the node and reset the GPU before anything runs on it",
    "ecc_contained": "Drain the GPU when its job ends, then reset it; the application that was hit must restart",
    "ecc_corrected_rate": "Watch remapped rows; plan field diagnostics if the rate stays",
    "row_remap_pending": "Reset the GPU when convenient: the remapping takes effect then",
    "row_remap_failed": "Take the GPU out of service, run field diagnostics and open an RMA",
    "sram_threshold": "Take the GPU out of service, run field diagnostics and open an RMA",
    "pages_retired": "Run field diagnostics; the retired pages are at the limit for an RMA",
    "bank_spares": "Plan a replacement: the next fault in that bank cannot be remapped",
    "thermal_limit": "Check airflow, fans, inlet temperature and neighbours",
    "thermal_slowdown": "Check cooling now: fans, heat sink, inlet temperature; move the load away",
    "power_brake": "Check the power supplies and the rack's power limits: the board was told to brake",
    "score_degraded": "See the penalties of the health score",
    "score_poor": "See the penalties of the health score; plan to take the GPU out of service",
    "risk_high": "See the contributions of the risk; move long jobs elsewhere",
    "exporter_down": "Restart the exporter; the host itself is alive",
}

# NVIDIA's action words (docs.nvidia.com/deploy/xid-errors), in what to do first.
XID_ACTIONS: Final[dict[str, str]] = {
    "RESET_GPU": "drain the GPU and reset it",
    "RESTART_BM": "drain the node and restart it",
    "RESTART_APP": "restart the application",
    "RESTART_VM": "restart the virtual machine",
    "WORKFLOW_XID_48": "drain the GPU, reset it, then run field diagnostics",
    "WORKFLOW_NVLINK_ERR": "check seating of the link, reset the GPU, run diagnostics",
    "WORKFLOW_NVLINK5_ERR": "follow the recovery action of XID 154; without one restart the application",
    "CHECK_MECHANICALS": "check the auxiliary power cable and the board's seating",
    "UPDATE_SWFW": "update driver and firmware",
    "CHECK_UVM": "check the application's use of unified memory",
    "CONTACT_SUPPORT": "contact support",
    "IGNORE": "nothing now",
    "": "no action is given; contact support if it repeats",
}
# From nothing to do to the most that can be done; among the actions of one alert the strongest is told.
_ACTION_ORDER: Final = (
    "IGNORE",
    "CONTACT_SUPPORT",
    "CHECK_UVM",
    "RESTART_APP",
    "RESTART_VM",
    "UPDATE_SWFW",
    "WORKFLOW_NVLINK5_ERR",
    "CHECK_MECHANICALS",
    "WORKFLOW_NVLINK_ERR",
    "RESET_GPU",
    "WORKFLOW_XID_48",
    "DRAIN_AND_RESET",
    "REPLACE",
    "RESTART_BM",
)
DRAIN_AND_RESET: Final = "DRAIN_AND_RESET: drain the node, then reset the GPU; rows are remapped by the reset"
REMAP_FAILED: Final = "REPLACE: take the GPU out of service, reset it, open an RMA: remapping failed"
RUN_DIAGNOSTICS: Final = "RUN_DCGMEUD: run extended diagnostics on this GPU, then field diagnostics"
CONTACT_SUPPORT: Final = "CONTACT_SUPPORT: it comes back after every remedy; run field diagnostics"


def xid_action(word: str) -> str:
    """Return NVIDIA's action word with what it means.

    >>> xid_action("RESTART_APP")
    'RESTART_APP: restart the application'
    """
    text = XID_ACTIONS.get(word, "see NVIDIA's XID documentation")
    return f"{word}: {text}" if word else text


def action_rank(action: str) -> int:
    """Return how strong an action is, by the word before its colon; -1: no such word.

    >>> action_rank(DRAIN_AND_RESET) > action_rank(xid_action("RESET_GPU")) > action_rank("look at it")
    True
    """
    word = action.partition(":")[0]
    return _ACTION_ORDER.index(word) if word in _ACTION_ORDER else -1
