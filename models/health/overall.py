"""All scores of one GPU after a sample: unrounded, NaN where their required inputs are not measured."""

from __future__ import annotations

from math import nan
from typing import Final

from models.gpu import published
from models.gpu.state import GpuState
from models.health import evidence, memory, power, thermal
from models.health.coverage import (
    MEMORY_REQUIRED,
    POWER_REQUIRED,
    THERMAL_REQUIRED,
    measured,
    measured_last,
    overall_ratio,
)
from models.health.profile import Profile, Weights

EMIT_SECONDS: Final = 900.0
EMIT_POINTS: Final = 1.0
NO_CAP: Final = 100.0


class Scores:
    """The scores of one GPU at ``time`` (event time, epoch s), 0 to 100, unrounded, NaN where null.

    ``partial`` tells that a sub-score is null; ``inputs`` are the bits of :mod:`models.health.coverage`;
    ``memory_cap`` and ``overall_cap`` what hard evidence allows at most (100: no cap); ``evidence`` how
    often the evidence that stands was seen; ``weights`` are those of the profile that they were scored by.
    """

    __slots__ = (
        "evidence",
        "inputs",
        "memory",
        "memory_cap",
        "overall",
        "overall_cap",
        "partial",
        "power",
        "thermal",
        "time",
        "weights",
    )

    def __init__(self, time: float, inputs: int, weights: Weights) -> None:
        self.time = time
        self.weights = weights
        self.inputs = inputs
        self.thermal = nan
        self.memory = nan
        self.power = nan
        self.overall = nan
        self.partial = False
        self.memory_cap = NO_CAP
        self.overall_cap = NO_CAP
        self.evidence = 0

    @property
    def coverage(self) -> float:
        """Return the share of the inputs of all scores that are measured, 0 to 1."""
        return overall_ratio(self.inputs, self.weights)


def score(state: GpuState, profile: Profile, *, taken: bool = True) -> Scores:
    """Return the scores after the last sample; a few microseconds.

    A null sub-score leaves the overall to the weighted mean of the others; hard evidence caps the overall
    whatever is null, and nothing measured is null, never 100. ``taken`` is false after events that came alone:
    a restored state knows which inputs its last sample measured, not their values.
    """
    inputs = measured(state, profile) if taken else measured_last(state, profile)
    scores = Scores(state.time, inputs, profile.weights)
    if evidence.any_standing(state, profile):
        _cap(scores, state, profile)
    weights = profile.weights
    weight = lost = 0.0
    if inputs & THERMAL_REQUIRED == THERMAL_REQUIRED:
        points = thermal.lost(state, profile)
        scores.thermal = part = 100.0 if points is thermal.NOTHING_LOST else thermal.score(points)
        weight = weights.thermal
        lost = weight * (100.0 - part)
    if inputs & MEMORY_REQUIRED == MEMORY_REQUIRED:
        part = max(100.0 - memory.lost(state, profile), 0.0)
        if part > scores.memory_cap:
            part = scores.memory_cap
        scores.memory = part
        weight += weights.memory
        lost += weights.memory * (100.0 - part)
    if inputs & POWER_REQUIRED == POWER_REQUIRED:
        spread, brake = power.lost(state, profile)
        if spread == spread or brake == brake:
            part = 100.0
            if spread > 0.0:
                part -= spread
            if brake > 0.0:
                part -= brake
            scores.power = part = part if part > 0.0 else 0.0
            weight += weights.power
            lost += weights.power * (100.0 - part)
    if weight > 0.0:
        overall = max(100.0 - lost / weight, 0.0)
        scores.overall = overall if overall < scores.overall_cap else scores.overall_cap
    parts = scores.thermal + scores.memory + scores.power
    scores.partial = parts != parts  # one of them is NaN
    return scores


def _cap(scores: Scores, state: GpuState, profile: Profile) -> None:
    for item in evidence.standing(state, profile):
        scores.evidence += item.times
        scores.memory_cap = min(scores.memory_cap, profile.memory_caps.get(item.kind, NO_CAP))
        scores.overall_cap = min(scores.overall_cap, profile.overall_caps.get(item.kind, NO_CAP))


def moved(scores: Scores, last: published.Health | None) -> bool:
    """Tell whether the scores are to be published again; ``last`` is what :func:`to_published` kept.

    They are when one moved a whole point or became or ceased to be null, when evidence came or went, and
    every 15 minutes of event time.
    """
    if last is None or scores.time - last.at >= EMIT_SECONDS or scores.evidence != last.evidence:
        return True
    return (
        _moved(scores.overall, last.overall)
        or _moved(scores.thermal, last.thermal)
        or _moved(scores.memory, last.memory)
        or _moved(scores.power, last.power)
    )


def _moved(now: float, before: float | None) -> bool:
    if before is None:
        return now == now
    return not -EMIT_POINTS < now - before < EMIT_POINTS  # NaN: it ceased to be measured


def to_published(scores: Scores) -> published.Health:
    """Return what to keep in ``state.published.health`` when the scores are published."""
    return published.Health(
        at=scores.time,
        overall=_or_none(scores.overall),
        thermal=_or_none(scores.thermal),
        memory=_or_none(scores.memory),
        power=_or_none(scores.power),
        evidence=scores.evidence,
        coverage=scores.coverage,
    )


def _or_none(value: float) -> float | None:
    return value if value == value else None
