"""The records that role score makes from a state alone.

Scores, risk, alerts and advice make theirs in their own rooms, where they are explained.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from models.alerts.xid import Occurrence
from models.gpu.columns import (
    BRAKE,
    COLUMNS,
    CORRECTED,
    EPISODES,
    LINK_ERRORS,
    LOADED,
    MARGIN,
    MARGIN_MIN,
    MEMORY_TEMP,
    MEMORY_TEMP_MAX,
    OBSERVED,
    POWER,
    RESIDUAL_COUNT,
    RESIDUAL_SQUARE,
    RESIDUAL_SUM,
    SRAM_CORRECTED,
    TEMP,
    TEMP_MAX,
    THERMAL,
    UNCORRECTED,
    UTIL,
)
from models.gpu.measured import measured
from models.gpu.slots import STATUS_SLOTS
from models.gpu.state import ClosedHour, GpuState
from schemas.gpu_event import EventKind, GpuEvent
from schemas.gpu_hour import GpuHour
from schemas.ids import digest
from schemas.signals import SIGNALS
from schemas.times import format_time

_STATUS_NAMES: Final = tuple(SIGNALS[slot].name for slot in STATUS_SLOTS)
_MEANS: Final = (
    (TEMP, "gpu_temp_celsius"),
    (MARGIN, "gpu_temp_margin_celsius"),
    (MEMORY_TEMP, "memory_temp_celsius"),
)
_MEANS_LOAD: Final = ((UTIL, "load_ratio"), (POWER, "power_usage_watts"))
_MAXIMA: Final = ((TEMP_MAX, "gpu_temp_celsius"), (MEMORY_TEMP_MAX, "memory_temp_celsius"))
_INCREMENTS: Final = (
    CORRECTED,
    UNCORRECTED,
    SRAM_CORRECTED,
    THERMAL,
    BRAKE,
    EPISODES,
    LINK_ERRORS,
    LOADED,
)


class Record(NamedTuple):
    """One record to publish under the GPU's id."""

    topic: str
    value: msgspec.Struct


def gpu_hour(state: GpuState, closed: ClosedHour) -> GpuHour:
    """Return the record of an hour that closed."""
    row = closed.row.tolist()
    hour = format_time(closed.hour * 3600.0)

    def of(pairs: tuple[tuple[int, str], ...]) -> dict[str, float]:
        return {name: row[column] for column, name in pairs if measured(row[column])}

    residuals: dict[str, dict[str, float]] = {}
    if row[RESIDUAL_COUNT] > 0:
        residuals["power_watts"] = {
            "count": row[RESIDUAL_COUNT],
            "sum": row[RESIDUAL_SUM],
            "square_sum": row[RESIDUAL_SQUARE],
        }
    return GpuHour(
        event_id=digest("hour", state.gpu_id, closed.hour),
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        model=state.labels.get("model"),
        slot=state.labels.get("slot"),
        hour=hour,
        samples=closed.samples,
        observed_seconds=row[OBSERVED],
        gap_seconds=closed.gap_seconds,
        means=of(_MEANS + _MEANS_LOAD),
        minima=of(((MARGIN_MIN, "gpu_temp_margin_celsius"),)),
        maxima=of(_MAXIMA),
        increments={COLUMNS[column]: row[column] for column in _INCREMENTS if measured(row[column])},
        residuals=residuals,
    )


def gpu_event(
    state: GpuState,
    kind: EventKind,
    at: float,
    *,
    code: int | None = None,
    signal: str | None = None,
    source: str | None = None,
    line: str | None = None,
    history: bool = False,
    detail: dict[str, Any] | None = None,
) -> GpuEvent:
    """Return an event record; its id says the same thing again under the same id."""
    return GpuEvent(
        event_id=digest("event", state.gpu_id, kind, at, code, signal, line),
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        kind=kind,
        at=format_time(at),
        code=code,
        signal=signal,
        source=source,
        line=line,
        history=history,
        detail=detail or {},
    )


def xid_event(state: GpuState, occurrence: Occurrence) -> GpuEvent:
    """Return the record of an XID."""
    entry = occurrence.entry
    return gpu_event(
        state,
        "xid",
        occurrence.at,
        code=occurrence.code,
        source=occurrence.source,
        line=occurrence.line or None,
        history=occurrence.history,
        detail={"mnemonic": entry.mnemonic, "class": entry.xid_class, "bursts_24h": occurrence.bursts},
    )


def epoch_events(state: GpuState) -> Iterator[GpuEvent]:
    """Yield that the driver's counters began again, and that another board answers under this id."""
    if state.reset_seen:
        yield gpu_event(
            state, "counter_epoch", state.time, history=state.history, detail={"epoch": state.counters.epoch}
        )
    for slot in state.replaced:
        yield gpu_event(state, "identity_change", state.time, signal=SIGNALS[slot].name, history=state.history)


def status_values(state: GpuState) -> dict[str, float | None]:
    """Return a GPU's main values, None where the last sample did not measure one."""
    values = state.status_values
    return {name: value if measured(value) else None for name, value in zip(_STATUS_NAMES, values, strict=True)}
