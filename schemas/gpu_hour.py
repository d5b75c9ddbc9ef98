"""One GPU's closed event-hour."""

from __future__ import annotations

import msgspec


class GpuHour(msgspec.Struct, frozen=True, kw_only=True):
    """Aggregates of one hour; a name that was not measured in it is absent from its mapping.

    ``means``, ``minima`` and ``maxima`` are gauges by canonical name (``maxima`` of one-minute means),
    ``increments`` are reset-safe counter increments, ``residuals`` the power residual by load band.
    """

    event_id: str
    gpu_id: str
    host_id: str
    model: str | None
    slot: str | None
    hour: str
    samples: int
    observed_seconds: float
    gap_seconds: float
    means: dict[str, float]
    minima: dict[str, float]
    maxima: dict[str, float]
    increments: dict[str, float]
    residuals: dict[str, dict[str, float]]
    schema_version: int = 1
