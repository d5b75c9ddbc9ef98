"""One GPU's messages and the partition that they go through."""

from __future__ import annotations

import orjson

from agents.ports import Chunk, Output
from agents.score.bundles import NoInputs
from agents.score.partition import ScorePartition
from schemas.topics import METRICS_RAW

START = 1_770_638_400.0
INTERVAL_SECONDS = 60.0
FAILED_FROM = 100
GPU = "GPU-5b4e07f6-0000-4000-8000-000000000010"


def partition() -> ScorePartition:
    """Return the logic of the one partition there is."""
    return ScorePartition(0, lambda key: 0, NoInputs())


def chunk(first: int, last: int, *, failed: bool = True) -> Chunk:
    """Return the samples ``first`` to ``last``, one each minute; a remap fails at sample 100."""
    values = []
    for index in range(first, last):
        metrics = {
            "DCGM_FI_DEV_GPU_TEMP": 60 + index % 7,
            "DCGM_FI_DEV_MEMORY_TEMP": 70 + index % 5,
            "DCGM_FI_DEV_POWER_USAGE": 400.0 + index % 11,
            "DCGM_FI_DEV_GPU_UTIL": 90,
            "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 24_000_000 * index,
            "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": index // 50,
            "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": 0,
            "DCGM_FI_DEV_ROW_REMAP_FAILURE": int(failed and index >= FAILED_FROM),
            "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": 0,
        }
        values.append(
            orjson.dumps(
                {
                    "timestamp": START + INTERVAL_SECONDS * index,
                    "gpu_id": GPU,
                    "host_id": "node-1",
                    "interval_seconds": INTERVAL_SECONDS,
                    "labels": {"model": "NVIDIA H100 80GB HBM3", "serial": "1650000000010"},
                    "metrics": metrics,
                }
            )
        )
    count = last - first
    times_ms = [round((START + INTERVAL_SECONDS * index) * 1000) + 200 for index in range(first, last)]
    return Chunk(
        METRICS_RAW, 0, first, last, -1, range(first, last), times_ms, [GPU.encode()] * count, values, [False] * count
    )


def alerts(outputs: list[Output]) -> list[tuple[str, str, str]]:
    """Return rule, status and incident of each alert published."""
    found = [orjson.loads(output.value) for output in outputs if output.topic == "gpu-alerts" and output.value]
    return [(one["rule"], one["status"], one["incident_id"]) for one in found]
