"""A GPU with a bit of everything in its state, for the tests of its packed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.gpu import packing
from models.gpu.state import GpuState
from schemas.raw import MetricValue
from tests.unit.models.health.gpu import START, sample

INTERVAL_SECONDS: Final = 60.0
# The samples of 70 hours, 5 hours of silence, 4 hours and a half, and a last one with a bad read of 0.
SAMPLES: Final = 4470
LABELS: Final = {"model": "NVIDIA H100 80GB HBM3", "serial": "1650000000010", "pci_bus_id": "0000:1b:00.0"}

Packed = dict[str, bytes]


def residual(watts: float, load: float, clock: float, lasting: Sequence[float]) -> float:
    """Return what a load model would: here simply what lies above 500 W."""
    return watts - 500.0


def metrics(index: int) -> dict[str, MetricValue]:
    """Return what the GPU measures at its sample ``index``."""
    found: dict[str, MetricValue] = {
        "gpu_temp_celsius": 60.0 + index % 7,
        "memory_temp_celsius": 70.0 + index % 5 if index % 11 else None,
        "power_usage_watts": 400.0 + index % 13,
        "energy_joules_total": 24_000.0 * (index % 3000),  # the driver is loaded again at sample 3000
        "sm_active_ratio": 0.9 if index % 400 < 390 else 0.02,
        "sm_clock_hertz": 1.7e9 + 1e6 * (index % 3),
        "clocks_event_reasons": 32.0 if index % 500 < 4 else 0.0,
        "ecc_sbe_volatile_total": float(index // 90 % 30),
        "ecc_dbe_volatile_total": 0.0,
        "ecc_sbe_aggregate_total": float(index // 90),
        "nvlink_replay_errors_total": float(index // 1000),
        "row_remap_failed": 0.0,
        "row_remap_correctable_total": float(index // 2000),
        "gpu_temp_slowdown_celsius": 89.0,
        "xid_last": 0.0,
    }
    if index % 1440 > 700:
        found["gpu_temp_margin_celsius"] = 26.0 - index % 7
    if index == SAMPLES:
        found["energy_joules_total"] = 0.0
    return found


def time_of(index: int) -> float:
    """Return the event time (epoch s) of sample ``index``."""
    return START + INTERVAL_SECONDS * index + (5 * 3600.0 if index >= 4200 else 0.0)


def through() -> tuple[GpuState, Packed]:
    """Return the state after the whole story, and its records: the window's is 2 hours older than the others."""
    state = GpuState("GPU-1", "")
    records: Packed = {}
    for index in range(SAMPLES + 1):
        one = sample(time_of(index), metrics(index), interval=INTERVAL_SECONDS, labels=LABELS)
        closed = state.update(one, residual)
        if index == 1000:
            state.note("xid:31", time_of(index), history=False)
        if closed is not None and index < 4350:
            state.pending_rows.clear()
            records["window"] = packing.pack_window(state)
    state.late_samples = 3
    state.digests.append("c0ffee")
    records["hot"] = packing.pack_hot(state)
    records["evidence"] = packing.pack_evidence(state)
    return state, records


def restored(records: Packed) -> GpuState:
    """Return the state that ``records`` hold."""
    state = GpuState("GPU-1", "")
    if "hot" in records:
        packing.unpack_hot(state, records["hot"])
    if "window" in records:
        packing.unpack_window(state, records["window"])
    if "evidence" in records:
        packing.unpack_evidence(state, records["evidence"])
    packing.finish(state)
    return state
