"""The profile: every number of the health scores, versioned, as a file and as a side input."""

from __future__ import annotations

from importlib.resources import files
from math import inf, isclose
from pathlib import Path

import msgspec

from schemas.user_file import read_toml


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parts of the overall score; they add up to 1."""

    thermal: float
    memory: float
    power: float

    def __post_init__(self) -> None:
        if min(self.thermal, self.memory, self.power) <= 0.0:
            raise ValueError("each weight must be above 0")
        if not isclose(self.thermal + self.memory + self.power, 1.0, abs_tol=1e-9):
            raise ValueError("the weights must add up to 1")


class ThermalProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Temperatures in C, points lost per C, and what a share of time under thermal slowdown costs."""

    mean_points_per_celsius: float
    max_points_per_celsius: float
    warm_celsius: float
    hot_celsius: float
    warm_below_slowdown_celsius: float
    hot_below_slowdown_celsius: float
    warm_margin_celsius: float
    hot_margin_celsius: float
    least_margin_share_ratio: float
    memory_hot_celsius: float
    memory_warm_below_hot_celsius: float
    slowdown_points: float
    slowdown_scale_ratio: float


class MemoryProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What corrected errors cost, and the counts from which on they are hard evidence."""

    points_per_corrected_error_per_day: float
    corrected_points_limit: float
    least_days: float
    retired_pages_limit: float
    corrected_storm_per_hour: float
    corrected_limit_7d: float
    sram_corrected_limit_7d: float


class PowerProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the spread of the power residual and time under the power brake cost."""

    watts_per_point: float
    instability_limit_ratio: float
    instability_limit_watts: float
    least_residual_minutes: float
    brake_points: float
    brake_scale_ratio: float


class EvidenceProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long hard evidence stands, and how long an input may be absent."""

    clean_loaded_seconds: float
    window_seconds: float
    input_grace_seconds: float
    window_kinds: list[str]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All numbers of the health scores; ``*_caps`` is the highest score by kind of evidence."""

    version: int
    weights: Weights
    thermal: ThermalProfile
    memory: MemoryProfile
    power: PowerProfile
    evidence: EvidenceProfile
    memory_caps: dict[str, float]
    overall_caps: dict[str, float]

    def __post_init__(self) -> None:
        for caps in (self.memory_caps, self.overall_caps):
            for kind, cap in caps.items():
                if not 0.0 <= cap <= 100.0:
                    raise ValueError(f"the cap of {kind} must lie within 0 and 100, not {cap}")
        positive = {
            "thermal.slowdown_scale_ratio": self.thermal.slowdown_scale_ratio,
            "power.brake_scale_ratio": self.power.brake_scale_ratio,
            "power.watts_per_point": self.power.watts_per_point,
            "power.least_residual_minutes": self.power.least_residual_minutes,
            "memory.least_days": self.memory.least_days,
        }
        for name, value in positive.items():
            if value <= 0.0:
                raise ValueError(f"{name} must be above 0, not {value}")
        for section in (self.thermal, self.memory, self.power, self.evidence):
            for name in section.__struct_fields__:
                value = getattr(section, name)
                if isinstance(value, float) and not 0.0 <= value < inf:
                    raise ValueError(f"{name} must be a finite number that is not below 0")


def load_profile(path: Path | None) -> Profile:
    """Return the profile of a TOML file, of the packaged one where ``path`` is None.

    Raises
    ------
    UserFileError
        The file cannot be read, a key is unknown or missing, or a value is impossible; the text names the file and
        the key.

    >>> load_profile(None).weights.memory
    0.45
    """
    source = files("models.health") / "profile.toml" if path is None else path
    return read_toml(source, Profile, "profile")


def decode_profile(payload: bytes) -> Profile:
    """Return the profile of a side input's JSON payload.

    Raises
    ------
    ValueError
        A key is unknown or missing, or a value is impossible.
    """
    try:
        return msgspec.json.decode(payload, type=Profile)
    except msgspec.DecodeError as error:
        raise ValueError(f"profile: {error}") from error
