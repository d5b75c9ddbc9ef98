"""The explained health scores of one GPU."""

from __future__ import annotations

from math import isfinite
from typing import Final, Literal

import msgspec

Band = Literal["excellent", "good", "fair", "degraded", "poor", "insufficient"]
PenaltyState = Literal["measured", "cap", "not_measured"]

_BANDS: Final[tuple[tuple[int, Band], ...]] = ((90, "excellent"), (80, "good"), (70, "fair"), (60, "degraded"))

# The guide's message, of temperatures, power, load and ECC counters, has 0.54; temperatures alone have 0.19.
LEAST_COVERAGE: Final = 0.5
# The least score of the bands that say a GPU is well.
WELL: Final = 70


def whole(score: float) -> int | None:
    """Return a score in whole points, halves up as people count; None for a null one.

    >>> whole(89.5), whole(89.49), whole(float("nan"))
    (90, 89, None)
    """
    return int(score + 0.5) if isfinite(score) else None


def band_of(overall: int | None, coverage: float | None) -> Band | None:
    """Return the band of a score in whole points, of whose inputs ``coverage`` (0 to 1; None: unknown) is measured.

    Below LEAST_COVERAGE no score says that a GPU is well; what was found wrong is wrong all the same.

    >>> [band_of(score, 1.0) for score in (90, 89, 80, 79, 69, 59, None)]
    ['excellent', 'good', 'good', 'fair', 'degraded', 'poor', None]
    >>> [band_of(score, 0.3) for score in (100, 70, 69, 20, None)]
    ['insufficient', 'insufficient', 'degraded', 'poor', None]
    """
    if overall is None:
        return None
    if overall >= WELL and coverage is not None and coverage < LEAST_COVERAGE:
        return "insufficient"
    return next((name for least, name in _BANDS if overall >= least), "poor")


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
