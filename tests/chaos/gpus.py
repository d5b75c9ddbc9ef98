"""GPUs for chaos: hours of event time in minutes, with heat, errors, resets, XIDs, gaps and late samples."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson

from tests.chaos.subject import Keyed

_STEP_SECONDS: Final = 97.0
_GAP_SECONDS: Final = 1_000.0
# So far back that no run reaches the present: a sample ahead of the broker's clock is refused.
_AGO_SECONDS: Final = 300 * 86_400.0
_EPOCH_TICKS: Final = 90
_CODES: Final = (13, 31, 48, 63, 94, 119)


def samples(seed: int, keys: int) -> Iterator[Keyed]:
    """Yield keyed messages of ``keys`` GPUs, in time order of each but for late ones; some are garbage."""
    chance = random.Random(seed)
    start = time.time() // 3600 * 3600 - _AGO_SECONDS
    ticks = [0] * keys
    times = [start] * keys
    while True:
        gpu = chance.randrange(keys)
        key = b"GPU-%04d" % gpu
        drawn = chance.random()
        if drawn < 0.001:
            yield key, b'{"gpu_id": "GPU-%04d", "metr' % gpu
        elif drawn < 0.01 and ticks[gpu]:
            event = {"type": "xid", "code": chance.choice(_CODES), "timestamp": times[gpu] + 0.5}
            yield key, orjson.dumps(_head(gpu, times[gpu] + 0.5) | {"metrics": {}, "events": [event]})
        elif drawn < 0.03 and ticks[gpu]:
            late = _head(gpu, times[gpu] - 2.0 * _STEP_SECONDS)
            yield key, orjson.dumps(late | {"metrics": _metrics(gpu, ticks[gpu], chance)})
        else:
            ticks[gpu] += 1
            times[gpu] += _GAP_SECONDS if drawn > 0.99 else _STEP_SECONDS
            yield key, orjson.dumps(_head(gpu, times[gpu]) | {"metrics": _metrics(gpu, ticks[gpu], chance)})


def _head(gpu: int, at: float) -> dict[str, Any]:
    return {
        "gpu_id": f"GPU-{gpu:04d}",
        "host_id": f"node-{gpu // 8}",
        "timestamp": at,
        "interval_seconds": _STEP_SECONDS,
        "labels": {"model": "NVIDIA H100 80GB HBM3", "slot": str(gpu % 8)},
    }


def _metrics(gpu: int, tick: int, chance: random.Random) -> dict[str, Any]:
    """Return a third of the fleet hot, a third with memory errors; counters begin anew every 90 ticks."""
    hot, failing = gpu % 3 == 1, gpu % 3 == 2
    since = tick % _EPOCH_TICKS
    return {
        "DCGM_FI_DEV_GPU_TEMP": 60 + 40 * hot * chance.random(),
        "DCGM_FI_DEV_POWER_USAGE": 300 + 300 * chance.random(),
        "DCGM_FI_DEV_GPU_UTIL": chance.choice((0, 60, 97)),
        "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL": since * 3 * failing,
        "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL": int(failing and since > 40),
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": since * 4e7,
        "DCGM_FI_DEV_ROW_REMAP_FAILURE": 0,
        "DCGM_FI_DEV_ROW_REMAP_PENDING": int(failing and since > 50),
        "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": chance.choice((0, 4, 0x20 if hot else 4)),
        "DCGM_FI_DEV_XID_ERRORS": 48 if failing and since > 40 else 0,
    }
