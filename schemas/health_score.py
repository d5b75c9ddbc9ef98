"""The explained health scores of one GPU."""

from __future__ import annotations

from typing import Literal

import msgspec

Band = Literal["excellent", "good", "fair", "degraded", "poor"]
PenaltyState = Literal["measured", "cap", "not_measured"]


class Penalty(msgspec.Struct, frozen=True, kw_only=True):
    """Points lost by one signal.

    For a cap, ``limit`` is the highest score it allows and ``points`` what it took. A signal that is not
    measured loses no points: it is named so that a null score or a low coverage explains itself.
    """

    score: str
    signal: str
    value: float | None
    limit: float | None
    unit: str
    points: float
    state: PenaltyState = "measured"


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """Share of each score's inputs that were measured, 0 to 1."""

    thermal: float
    memory: float
    power: float
    overall: float


class HealthScore(msgspec.Struct, frozen=True, kw_only=True):
    """Scores are whole points 0 to 100; None where their required inputs are not measured."""

    event_id: str
    gpu_id: str
    host_id: str
    model: str | None
    calculated_at: str
    overall_score: int | None
    thermal_score: int | None
    memory_score: int | None
    power_score: int | None
    link_score: int | None
    band: Band | None
    partial: bool
    coverage: Coverage
    profile_version: int
    window_seconds: float
    penalties: list[Penalty]
    schema_version: int = 1
