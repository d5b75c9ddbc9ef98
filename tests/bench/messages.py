"""Two kinds of message for a healthy fleet under load: the guide's, and ours with every signal."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

import orjson

from schemas.times import format_time

START: Final = 1_770_638_400.0
INTERVAL_SECONDS: Final = 10.0

_GUIDE: Final = {
    "DCGM_FI_DEV_MEM_CLOCK": 2619,
    "DCGM_FI_DEV_POWER_LIMIT": 700.0,
    "DCGM_FI_DEV_FB_TOTAL": 81559,
    "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": 0,
    "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0,
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 4,
    "DCGM_FI_DEV_XID_ERRORS": 0,
    "DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 3,
    "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0,
    "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS": 0,
    "DCGM_FI_DEV_CORRECTABLE_REMAPPED_ROWS": 0,
}
_OURS: Final = {
    "DCGM_FI_DEV_GPU_MAX_OP_TEMP": 87,
    "DCGM_FI_DEV_MEM_MAX_OP_TEMP": 95,
    "DCGM_FI_DEV_SLOWDOWN_TEMP": 89,
    "DCGM_FI_DEV_SHUTDOWN_TEMP": 92,
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": 700.0,
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": 700.0,
    "DCGM_FI_DEV_POWER_MGMT_LIMIT_DEF": 700.0,
    "DCGM_FI_DEV_THERMAL_VIOLATION": 0,
    "DCGM_FI_DEV_BOARD_LIMIT_VIOLATION": 0,
    "DCGM_FI_DEV_RELIABILITY_VIOLATION": 0,
    "DCGM_FI_DEV_FB_RESERVED": 551,
    "DCGM_FI_DEV_ECC_CURRENT": 1,
    "DCGM_FI_DEV_ECC_SBE_AGG_TOTAL": 12,
    "DCGM_FI_DEV_ECC_DBE_AGG_TOTAL": 0,
    "DCGM_FI_DEV_ECC_SBE_VOL_SRM": 0,
    "DCGM_FI_DEV_ECC_DBE_VOL_SRM": 0,
    "DCGM_FI_DEV_THRESHOLD_SRM": 0,
    "DCGM_FI_DEV_ROW_REMAP_PENDING": 0,
    "DCGM_FI_DEV_PCIE_LINK_GEN": 5,
    "DCGM_FI_DEV_PCIE_LINK_WIDTH": 16,
    "DCGM_FI_DEV_PCIE_MAX_LINK_GEN": 5,
    "DCGM_FI_DEV_PCIE_MAX_LINK_WIDTH": 16,
    "DCGM_FI_DEV_PCIE_COUNT_CORRECTABLE_ERRORS": 0,
    "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL": 0,
    "DCGM_FI_DEV_NVLINK_CRC_DATA_ERROR_COUNT_TOTAL": 0,
    "DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_TOTAL": 0,
    "DCGM_FI_DEV_NVLINK_RECOVERY_ERROR_COUNT_TOTAL": 0,
    "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_MAX": 2560,
    "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_HIGH": 0,
    "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_PARTIAL": 0,
    "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_LOW": 0,
    "DCGM_FI_DEV_BANKS_REMAP_ROWS_AVAIL_NONE": 0,
    "DCGM_EXP_XID_ERRORS_COUNT": 0,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 4,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN_NS": 0,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS": 0,
    "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN_NS": 0,
    "DCGM_FI_DEV_MEMORY_UNREPAIRABLE_FLAG": 0,
    "DCGM_FI_DEV_GET_GPU_RECOVERY_ACTION": 0,
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.41,
    "DCGM_FI_PROF_DRAM_ACTIVE": 0.38,
}
_LABELS: Final = {
    "model": "NVIDIA H100 80GB HBM3",
    "driver_version": "590.48.01",
    "pci_bus_id": "0000:1b:00",
    "slot": "2",
    "pod": "train-7b-0",
    "namespace": "research",
}


def fleet(kind: str, gpus: int, rounds: int, seed: int = 1) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of ``rounds`` ticks of ``gpus`` GPUs; ``kind`` is ``guide`` or ``ours``."""
    generator = random.Random(seed)
    ids = [f"GPU-{generator.getrandbits(128):032x}" for _ in range(gpus)]
    energy = [generator.uniform(1e9, 9e10) for _ in ids]
    for tick in range(rounds):
        at = format_time(START + tick * INTERVAL_SECONDS)
        for index, gpu_id in enumerate(ids):
            power = 560 + 60 * generator.random()
            energy[index] += power * INTERVAL_SECONDS * 1000
            message: dict[str, Any] = {
                "timestamp": at if kind == "ours" else at.rstrip("Z"),
                "gpu_id": gpu_id,
                "host_id": f"node-{index // 8:04d}",
                "metrics": {
                    "DCGM_FI_DEV_GPU_TEMP": 60 + generator.randrange(6),
                    "DCGM_FI_DEV_MEMORY_TEMP" if kind == "ours" else "DCGM_FI_DEV_MEM_TEMP": 70
                    + generator.randrange(6),
                    "DCGM_FI_DEV_POWER_USAGE": round(power, 3),
                    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": round(energy[index]),
                    "DCGM_FI_DEV_POWER_VIOLATION": tick * 2_000_000_000,
                    "DCGM_FI_DEV_GPU_UTIL": 90 + generator.randrange(10),
                    "DCGM_FI_DEV_MEM_COPY_UTIL": 40 + generator.randrange(10),
                    "DCGM_FI_DEV_FB_USED": 61000 + generator.randrange(100),
                    "DCGM_FI_DEV_SM_CLOCK": 1900 + generator.randrange(80),
                    **_GUIDE,
                },
            }
            if kind == "ours":
                message["metrics"].update(_OURS)
                message["metrics"]["DCGM_FI_PROF_SM_ACTIVE"] = round(0.8 + 0.1 * generator.random(), 6)
                message["metrics"]["DCGM_FI_PROF_GR_ENGINE_ACTIVE"] = 0.99
                message["labels"] = _LABELS
                message["interval_seconds"] = INTERVAL_SECONDS
                message["source"] = "dcgm-exporter"
                message["schema_version"] = 1
            yield gpu_id.encode(), orjson.dumps(message)
