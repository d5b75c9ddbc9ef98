"""Packed state records: versioned, pinned by name, without pickle or import paths.

Three records a GPU: ``hot`` changes at each sample, ``evidence`` when something happened, ``window`` once an
event-hour. All numbers that a sample adds to are float64, so that a restored state goes on exactly where the
other one stood.
"""

from __future__ import annotations

from math import nan
from struct import Struct
from typing import Any, Final

import msgspec
import numpy as np

from models.alerts.alert_state import AlertState
from models.gpu.published import Published
from models.gpu.remembered import Remembered
from models.gpu.state import Evidence, GpuState
from models.gpu.windows import COLUMNS, DAYS, HOURS, KNOWN_SUMS, MEANS, WIDTH, empty_buckets
from schemas.signals import INDEX, SIGNALS

VERSION: Final = 1

# Position in this tuple is what the hot record stores: append only.
PINNED_COUNTERS: Final = (
    "thermal_violation_seconds_total",
    "sw_thermal_slowdown_seconds_total",
    "hw_thermal_slowdown_seconds_total",
    "energy_joules_total",
    "power_violation_seconds_total",
    "sync_boost_violation_seconds_total",
    "board_limit_violation_seconds_total",
    "low_util_violation_seconds_total",
    "reliability_violation_seconds_total",
    "sw_power_cap_seconds_total",
    "sync_boost_seconds_total",
    "hw_power_brake_seconds_total",
    "ecc_sbe_volatile_total",
    "ecc_dbe_volatile_total",
    "ecc_sbe_aggregate_total",
    "ecc_dbe_aggregate_total",
    "ecc_sbe_sram_volatile_total",
    "ecc_dbe_sram_volatile_total",
    "ecc_sbe_sram_aggregate_total",
    "ecc_dbe_sram_aggregate_total",
    "page_retired_sbe_total",
    "page_retired_dbe_total",
    "row_remap_uncorrectable_total",
    "row_remap_correctable_total",
    "pcie_replay_total",
    "pcie_correctable_errors_total",
    "nvlink_crc_flit_errors_total",
    "nvlink_crc_data_errors_total",
    "nvlink_replay_errors_total",
    "nvlink_recovery_errors_total",
    "nvlink_recovery_successful_total",
    "nvlink_recovery_failed_total",
    "nvlink_recovery_events_total",
)
# Columns of the window record: append only, and a new column means a new version.
PINNED_COLUMNS: Final = COLUMNS

_PIN: Final = {INDEX[name]: position for position, name in enumerate(PINNED_COUNTERS)}
_SLOT: Final = tuple(INDEX[name] for name in PINNED_COUNTERS)
_SECONDS: Final = MEANS + KNOWN_SUMS
_SCALARS: Final = (
    "first_time",
    "first_append_time",
    "time",
    "append_time",
    "interval_seconds",
    "xid_gauge",
    "last_hour_thermal",
    "last_hour_corrected",
    "open_gap_seconds",
    "loaded_seconds",
    "_episode_end",
    "_energy_time",
    "_minute_temp",
    "_minute_memory",
    "_minute_margin",
    "_minute_power",
    "_minute_clock",
    "_minute_load",
    "_minute_load_low",
    "_minute_load_high",
)
# version, samples, late samples, epoch, samples of the open hour, open hour, open day, open minute, its
# samples, those of them without temperature, memory temperature and margin, counters, fallen ones
_HEAD: Final = Struct("<BQQIIiiqIIIIBB")
_FLOATS: Final = Struct(f"<{len(_SCALARS) + WIDTH + len(_SECONDS)}d")
_WINDOW_HEAD: Final = Struct("<BBii")


class StateVersionError(ValueError):
    """A state record was written by a newer version of the system."""


def pack_hot(state: GpuState) -> bytes:
    """Return the record of everything that a sample changes."""
    counters = state.counters
    last = counters.last
    seconds = state._open_seconds
    head = _HEAD.pack(
        VERSION,
        state.samples,
        state.late_samples,
        counters.epoch,
        state.open_samples,
        state.windows.hour,
        state.windows.day,
        state._minute,
        state._minute_count,
        state._temp_missing,
        state._memory_temp_missing,
        state._margin_missing,
        len(last),
        len(counters.fallen),
    )
    floats = _FLOATS.pack(
        state.first_time,
        state.first_append_time,
        state.time,
        state.append_time,
        state.interval_seconds,
        state.xid_gauge,
        state.last_hour_thermal,
        state.last_hour_corrected,
        state.open_gap_seconds,
        state.loaded_seconds,
        state._episode_end,
        state._energy_time,
        state._minute_temp,
        state._minute_memory,
        state._minute_margin,
        state._minute_power,
        state._minute_clock,
        state._minute_load,
        state._minute_load_low,
        state._minute_load_high,
        *state.open,
        *[seconds[column] for column in _SECONDS],
    )
    pins = bytes([_PIN[slot] for slot in last] + [_PIN[slot] for slot in counters.fallen])
    values = Struct(f"<{len(pins)}d").pack(*last.values(), *counters.fallen.values())
    return head + floats + pins + values


def unpack_hot(state: GpuState, record: bytes) -> None:
    """Put a hot record into ``state``."""
    _check(record[0])
    fields = _HEAD.unpack_from(record)
    _, state.samples, state.late_samples, state.counters.epoch, state.open_samples = fields[:5]
    state.windows.hour, state.windows.day, state._minute, state._minute_count = fields[5:9]
    state._temp_missing, state._memory_temp_missing, state._margin_missing, known, fallen = fields[9:]
    floats = _FLOATS.unpack_from(record, _HEAD.size)
    for name, value in zip(_SCALARS, floats, strict=False):
        setattr(state, name, value)
    state.open = list(floats[len(_SCALARS) : len(_SCALARS) + WIDTH])
    for column, value in zip(_SECONDS, floats[len(_SCALARS) + WIDTH :], strict=True):
        state._open_seconds[column] = value
    start = _HEAD.size + _FLOATS.size
    pins = record[start : start + known + fallen]
    values = Struct(f"<{known + fallen}d").unpack_from(record, start + known + fallen)
    pairs = [(_SLOT[pin], value) for pin, value in zip(pins, values, strict=True)]
    state.counters.last = dict(pairs[:known])
    state.counters.fallen = dict(pairs[known:])


def pack_evidence(state: GpuState) -> bytes:
    """Return the record of what happened."""
    lasting = {SIGNALS[slot].name: value for slot, value in enumerate(state.lasting) if value == value}
    return msgspec.msgpack.encode(
        {
            "version": VERSION,
            "host_id": state.host_id,
            "labels": state.labels,
            "lasting": lasting,
            "digests": state.digests,
            "evidence": {
                kind: [
                    item.first_at,
                    item.last_at,
                    item.count,
                    item.reset_seen,
                    item.loaded_mark,
                    item.history,
                ]
                for kind, item in state.evidence.items()
            },
            "alerts": [alert.to_plain() for alert in state.alerts.values()],
            "host_facts": state.host_facts,
            # One map under the name that version 1 gave it: each struct takes its own keys back.
            "said": msgspec.to_builtins(state.published) | msgspec.to_builtins(state.remembered),
            "pending_rows": [[hour, row.tobytes(), opened] for hour, row, opened in state.pending_rows],
        }
    )


def unpack_evidence(state: GpuState, record: bytes) -> None:
    """Put an evidence record into ``state``."""
    content: dict[str, Any] = msgspec.msgpack.decode(record)
    _check(content["version"])
    state.host_id = content["host_id"]
    state.labels = content["labels"]
    for name, value in content["lasting"].items():
        if name in INDEX:
            state.lasting[INDEX[name]] = value
    state.digests = content["digests"]
    for kind, (first_at, last_at, count, reset_seen, clean, history) in content["evidence"].items():
        item = Evidence(first_at, history=history)
        item.last_at, item.count, item.reset_seen, item.loaded_mark = last_at, count, reset_seen, clean
        state.evidence[kind] = item
    state.published = msgspec.convert(content["said"], Published)
    state.remembered = msgspec.convert(content["said"], Remembered)
    state.pending_rows = [
        (hour, np.frombuffer(row, dtype="<f4").copy(), opened) for hour, row, opened in content["pending_rows"]
    ]
    for packed in content["alerts"]:
        alert = AlertState.from_plain(packed)
        state.alerts[alert.key] = alert
    state.host_facts = content["host_facts"]


def pack_window(state: GpuState) -> bytes:
    """Return the record of the closed hours and days."""
    windows = state.windows
    head = _WINDOW_HEAD.pack(VERSION, WIDTH, windows.hour, windows.day)
    return head + windows.hours.rows().tobytes() + windows.days.rows().tobytes()


def unpack_window(state: GpuState, record: bytes) -> None:
    """Put a window record into ``state``; the rows that closed after it come from the evidence record."""
    version, width, hour, day = _WINDOW_HEAD.unpack_from(record)
    _check(version)
    rows = np.frombuffer(record, dtype="<f4", offset=_WINDOW_HEAD.size).reshape(HOURS + DAYS, width)
    windows = state.windows
    # Columns that a newer version added were not observed then.
    whole = empty_buckets(HOURS + DAYS)
    whole[:, :width] = rows
    windows.hours.fill(whole[:HOURS])
    windows.days.fill(whole[HOURS:])
    windows.hour, windows.day = hour, day


def finish(state: GpuState) -> None:
    """Bring a state whose records were all read to where it stood: replay pending rows, rebuild the totals."""
    windows = state.windows
    hour, day = windows.hour, windows.day
    if state.pending_rows:
        windows.hour = state.pending_rows[0][0]
        windows.day = windows.hour // 24
        for _, row, opened in state.pending_rows:
            windows.close_hour(row, opened)
    elif hour >= 0:
        windows.hour, windows.day = hour, day
        windows.rebuild()
    state.values = [nan] * len(SIGNALS)
    state.evidence_dirty = False


def _check(version: int) -> None:
    if version > VERSION:
        raise StateVersionError(f"state record of version {version}; this program reads up to {VERSION}")
