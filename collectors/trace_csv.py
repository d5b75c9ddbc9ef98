"""The 10 Hz CSV traces of 8-GPU nodes (one row a GPU and tick) as raw messages.

References
----------
Columns: github.com/atharvanihalani/gpu-telemetry-exploration (2026), read through DCGM.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from collectors.damage import Damage
from schemas.times import format_time, parse_time

COLUMNS: Final[Mapping[str, str]] = {
    "power_w": "DCGM_FI_DEV_POWER_USAGE",
    "temp_c": "DCGM_FI_DEV_GPU_TEMP",
    "mem_used_mib": "DCGM_FI_DEV_FB_USED",
    "mem_total_mib": "DCGM_FI_DEV_FB_TOTAL",
    "gpu_util_pct": "DCGM_FI_DEV_GPU_UTIL",
    "mem_util_pct": "DCGM_FI_DEV_MEM_COPY_UTIL",
    "sm_active": "DCGM_FI_PROF_SM_ACTIVE",
    "tensor_active": "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE",
    "dram_active": "DCGM_FI_PROF_DRAM_ACTIVE",
    "fp16_active": "DCGM_FI_PROF_PIPE_FP16_ACTIVE",
    "pcie_tx_bytes_s": "DCGM_FI_PROF_PCIE_TX_BYTES",
    "pcie_rx_bytes_s": "DCGM_FI_PROF_PCIE_RX_BYTES",
    "nvlink_tx_bytes_s": "DCGM_FI_PROF_NVLINK_TX_BYTES",
    "nvlink_rx_bytes_s": "DCGM_FI_PROF_NVLINK_RX_BYTES",
    "throttle_reasons": "DCGM_FI_DEV_CLOCKS_EVENT_REASONS",
    "energy_mj": "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION",
}
INTERVAL_SECONDS: Final = 0.1


def is_trace_header(line: str) -> bool:
    """Tell whether ``line`` is the header of such a trace."""
    columns = line.strip().split(",")
    return "timestamp" in columns and "gpu" in columns and any(name in COLUMNS for name in columns)


def synthetic_uuid(*parts: str) -> str:
    """Return a GPU UUID that only depends on ``parts``, for recordings that carry none.

    >>> synthetic_uuid("t2_telemetry", "0") == synthetic_uuid("t2_telemetry", "0")
    True
    """
    digits = blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()
    return f"GPU-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def trace_messages(lines: Iterable[str], *, name: str, host_id: str, damage: Damage) -> Iterator[dict[str, Any]]:
    """Yield one raw message a row; a row that cannot be read is counted in ``damage``.

    Parameters
    ----------
    name
        Name of the trace: with the index it makes the GPU's synthetic UUID.
    """
    reader = csv.reader(line.replace("\0", "") for line in lines)
    header = next(reader, [])
    wanted = [(header.index(column), metric) for column, metric in COLUMNS.items() if column in header]
    time_at, gpu_at = header.index("timestamp"), header.index("gpu")
    model_at = header.index("gpu_model") if "gpu_model" in header else None
    uuids: dict[str, str] = {}
    for number, row in enumerate(_rows(reader, damage), start=2):
        if len(row) != len(header):
            damage.add("wrong number of columns", number, ",".join(row))
            continue
        gpu = row[gpu_at].strip()
        try:
            time = parse_time(float(row[time_at]))
        except ValueError:
            damage.add("no time", number, ",".join(row))
            continue
        if not (gpu.isascii() and gpu.isdecimal() and len(gpu) < 4):
            damage.add("no GPU index", number, ",".join(row))
            continue
        if gpu not in uuids:
            uuids[gpu] = synthetic_uuid(name, gpu)
        labels = {"gpu": gpu}
        if model_at is not None and row[model_at]:
            labels["model"] = row[model_at]
        yield {
            "timestamp": format_time(time),
            "gpu_id": uuids[gpu],
            "host_id": host_id,
            "metrics": {metric: _value(row[at]) for at, metric in wanted},
            "labels": labels,
            "interval_seconds": INTERVAL_SECONDS,
            "source": "trace",
            "schema_version": 1,
        }


def _rows(reader: Iterator[list[str]], damage: Damage) -> Iterator[list[str]]:
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            damage.add("not CSV", 0, str(error))
            continue
        if row:
            yield row


def _value(text: str) -> float | str:
    """Return the number, else the text: an empty cell is a blank, which is decided downstream."""
    try:
        number = float(text)
    except ValueError:
        return text[:200]
    return number if abs(number) < float("inf") else text[:200]
