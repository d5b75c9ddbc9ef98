"""The scores as they travel: rounded, with every penalty, every cap and every input that is missing."""

from __future__ import annotations

from models.gpu.columns import MARGIN, MARGIN_MIN, MEMORY_TEMP, MEMORY_TEMP_MAX, OBSERVED, TEMP, TEMP_MAX
from models.gpu.measured import measured
from models.gpu.state import GpuState
from models.health import coverage, evidence, memory, power, thermal
from models.health.overall import NO_CAP, Scores
from models.health.profile import Profile
from schemas.health_score import Coverage, HealthScore, Penalty, band_of, whole
from schemas.ids import digest
from schemas.times import format_time


def health_score(state: GpuState, scores: Scores, profile: Profile) -> HealthScore:
    """Return the record of ``scores``, which are those after the state's last sample."""
    mask = scores.inputs
    overall = whole(scores.overall)
    return HealthScore(
        event_id=_event_id(state, scores),
        gpu_id=state.gpu_id,
        host_id=state.host_id,
        model=state.labels.get("model"),
        calculated_at=format_time(scores.time),
        overall_score=overall,
        thermal_score=whole(scores.thermal),
        memory_score=whole(scores.memory),
        power_score=whole(scores.power),
        link_score=None,
        band=band_of(overall, scores.coverage),
        partial=scores.partial,
        coverage=Coverage(
            thermal=coverage.ratio(mask, "thermal"),
            memory=coverage.ratio(mask, "memory"),
            power=coverage.ratio(mask, "power"),
            overall=scores.coverage,
        ),
        profile_version=profile.version,
        window_seconds=min(state.hour.total(OBSERVED, state.windows.week), profile.evidence.window_seconds),
        penalties=[
            *(_thermal(state, profile) if measured(scores.thermal) else ()),
            *(_memory(state, profile) if measured(scores.memory) else ()),
            *(_power(state, profile) if measured(scores.power) else ()),
            *_caps(state, scores, profile),
            *_not_measured(mask),
        ],
    )


def _thermal(state: GpuState, profile: Profile) -> list[Penalty]:
    points = thermal.lost(state, profile)
    if points is thermal.NOTHING_LOST:
        return []
    week = state.windows.week
    limits = profile.thermal
    if thermal.judged_by_margin(state, profile):
        mean = ("gpu_temp_margin_mean_7d", state.hour.mean(MARGIN, week), limits.warm_margin_celsius)
        highest = ("gpu_temp_margin_min_7d", state.hour.lowest(MARGIN_MIN, week), limits.hot_margin_celsius)
    else:
        warm, hot = thermal.limits(state, profile)
        mean = ("gpu_temp_mean_7d", state.hour.mean(TEMP, week), warm)
        highest = ("gpu_temp_max_7d", state.hour.highest(TEMP_MAX, week), hot)
    memory_limit = thermal.memory_limit(state, profile)
    memory_warm = memory_limit - limits.memory_warm_below_hot_celsius
    rows = (
        (*mean, "celsius"),
        (*highest, "celsius"),
        ("memory_temp_mean_7d", state.hour.mean(MEMORY_TEMP, week), memory_warm, "celsius"),
        ("memory_temp_max_7d", state.hour.highest(MEMORY_TEMP_MAX, week), memory_limit, "celsius"),
        ("thermal_slowdown_ratio", thermal.slowdown_ratio(state), 0.0, "ratio"),
    )
    return [
        Penalty(score="thermal", signal=signal, value=value, limit=limit, unit=unit, points=lost)
        for (signal, value, limit, unit), lost in zip(rows, points, strict=True)
        if lost > 0.0
    ]


def _memory(state: GpuState, profile: Profile) -> list[Penalty]:
    points = memory.lost(state, profile)
    if not points > 0.0:
        return []
    return [
        Penalty(
            score="memory",
            signal="ecc_corrected_per_day",
            value=memory.corrected_per_day(state, profile),
            limit=0.0,
            unit="errors/day",
            points=points,
        )
    ]


def _power(state: GpuState, profile: Profile) -> list[Penalty]:
    spread_points, brake_points = power.lost(state, profile)
    found = []
    if spread_points > 0.0:
        found.append(
            Penalty(
                score="power",
                signal="power_instability",
                value=power.instability_watts(state, profile),
                limit=power.limit_watts(state, profile),
                unit="watts",
                points=spread_points,
            )
        )
    if brake_points > 0.0:
        ratio = power.brake_ratio(state)
        found.append(
            Penalty(
                score="power", signal="power_brake_ratio", value=ratio, limit=0.0, unit="ratio", points=brake_points
            )
        )
    return found


def _caps(state: GpuState, scores: Scores, profile: Profile) -> list[Penalty]:
    """Return a row for each piece of evidence and each score it caps; points are what the lowest cap took."""
    if scores.memory_cap == NO_CAP and scores.overall_cap == NO_CAP:
        return []
    memory_lost = memory.lost(state, profile)
    uncapped = _uncapped_overall(scores, profile)
    rows: list[Penalty] = []
    standing = evidence.standing(state, profile)
    for name, caps, before, applied in (
        (
            "memory",
            profile.memory_caps,
            100.0 - memory_lost if measured(scores.memory) else None,
            scores.memory_cap,
        ),
        ("overall", profile.overall_caps, uncapped, scores.overall_cap),
    ):
        # What came after the scores, an alert that they made fire, is not among their reasons.
        capping = [(caps[item.kind], item) for item in standing if caps.get(item.kind, -1.0) >= applied]
        lowest = min((cap for cap, _ in capping), default=NO_CAP)
        taken = max(before - lowest, 0.0) if before is not None else 0.0
        for cap, item in capping:
            points = taken if cap == lowest else 0.0
            rows.append(
                Penalty(
                    score=name,
                    signal=item.kind,
                    value=item.value,
                    limit=cap,
                    unit="",
                    points=points,
                    state="cap",
                )
            )
            if points:
                taken = 0.0  # two caps of the same height take the points once
    return rows


def _uncapped_overall(scores: Scores, profile: Profile) -> float | None:
    weights = profile.weights
    parts = (
        (weights.thermal, scores.thermal),
        (weights.memory, scores.memory),
        (weights.power, scores.power),
    )
    scored = [(weight, part) for weight, part in parts if measured(part)]
    if not scored:
        return None
    lost = sum(weight * (100.0 - part) for weight, part in scored)
    return 100.0 - lost / sum(weight for weight, _ in scored)


def _not_measured(mask: int) -> list[Penalty]:
    return [
        Penalty(score=score, signal=name, value=None, limit=None, unit="", points=0.0, state="not_measured")
        for score, inputs in coverage.INPUTS.items()
        for bit, name in inputs.items()
        if not mask & bit
    ]


def _event_id(state: GpuState, scores: Scores) -> str:
    """One sample may be judged twice: again when an event of the same moment comes in a message of its own."""
    moving = (scores.overall, scores.thermal, scores.memory, scores.power, scores.evidence, scores.inputs)
    return digest("health", state.gpu_id, scores.time, *moving)
