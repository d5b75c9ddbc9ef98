"""Reads the records of version 1 (release 0.1.0): scalars by name, counters by place, whole rows of buckets.

Everything here is as it was then, whatever columns and counters came since.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import numpy as np

from models.gpu.columns import (
    BRAKE,
    MARGIN,
    MEMORY_TEMP,
    OBSERVED,
    POWER,
    TEMP,
    TEMP_SQUARE,
    THERMAL,
    UTIL,
    empty_buckets,
)
from models.gpu.counters import SLOT_OF
from models.gpu.hour import UNTOLD_OF
from models.gpu.minute import (
    CLOCK,
    COUNT,
    LOAD,
    LOAD_HIGH,
    LOAD_LOW,
    MARGIN_MISSING,
    MEMORY,
    MEMORY_MISSING,
    TEMP_MISSING,
)
from models.gpu.minute import MARGIN as MINUTE_MARGIN
from models.gpu.minute import POWER as MINUTE_POWER
from models.gpu.minute import TEMP as MINUTE_TEMP
from models.gpu.state import GpuState
from models.gpu.windows import Windows

_WIDTH: Final = 21
_SECONDS: Final = (TEMP, TEMP_SQUARE, MARGIN, MEMORY_TEMP, UTIL, POWER, THERMAL, BRAKE)
# version, samples, late samples, epoch, samples of the open hour, open hour, open day, open minute, its
# samples, those of them without temperature, memory temperature and margin, counters, fallen ones
_HEAD: Final = Struct("<BQQIIiiqIIIIBB")
_SCALARS: Final = 20
_FLOATS: Final = Struct(f"<{_SCALARS + _WIDTH + len(_SECONDS)}d")
_HOURS: Final = 168
_DAYS: Final = 30
_WINDOW_HEAD: Final = Struct("<BBii")


def unpack_hot(state: GpuState, record: bytes) -> None:
    """Put a hot record into ``state``."""
    minute, hour, windows, counters = state.minute, state.hour, state.windows, state.counters
    fields = _HEAD.unpack_from(record)
    _, state.samples, state.late_samples, counters.epoch, hour.samples = fields[:5]
    windows.hour, windows.day, minute.number, *samples, known, fallen = fields[5:]
    for place, count in zip((COUNT, TEMP_MISSING, MEMORY_MISSING, MARGIN_MISSING), samples, strict=True):
        minute.sums[place] = float(count)
    floats = _FLOATS.unpack_from(record, _HEAD.size)
    (
        state.first_time,
        state.first_append_time,
        state.time,
        state.append_time,
        state.interval_seconds,
        state.xid_gauge,
        hour.last_thermal_ratio,
        hour.last_corrected,
        hour.gap_seconds,
        state.loaded_seconds,
        hour.episode_end,
        state.energy_time,
        minute.sums[MINUTE_TEMP],
        minute.sums[MEMORY],
        minute.sums[MINUTE_MARGIN],
        minute.sums[MINUTE_POWER],
        minute.sums[CLOCK],
        minute.sums[LOAD],
        minute.sums[LOAD_LOW],
        minute.sums[LOAD_HIGH],
    ) = floats[:_SCALARS]
    for column, value in enumerate(floats[_SCALARS : _SCALARS + _WIDTH]):
        hour.sums[column] = value
    for column, value in zip(_SECONDS, floats[_SCALARS + _WIDTH :], strict=True):
        hour.sums[UNTOLD_OF[column]] = hour.sums[OBSERVED] - value
    start = _HEAD.size + _FLOATS.size
    places = record[start : start + known + fallen]
    values = Struct(f"<{known + fallen}d").unpack_from(record, start + known + fallen)
    for place, value in zip(places[:known], values[:known], strict=True):
        counters.last[place] = value
    counters.fallen = {SLOT_OF[place]: value for place, value in zip(places[known:], values[known:], strict=True)}


def unpack_window(windows: Windows, record: bytes) -> None:
    """Put a window record into ``windows``."""
    _, width, windows.hour, windows.day = _WINDOW_HEAD.unpack_from(record)
    rows = np.frombuffer(record, dtype="<f4", offset=_WINDOW_HEAD.size).reshape(_HOURS + _DAYS, width)
    whole = empty_buckets(_HOURS + _DAYS)
    whole[:, :width] = rows
    windows.hours.fill(whole[:_HOURS])
    windows.days.fill(whole[_HOURS:])
