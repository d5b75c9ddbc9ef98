"""The failure model of the fleet: one logistic hazard, a plain struct that is served and a River model that learns.

Importing River costs 2 s and 96 MiB, so it is imported inside the functions that learn and never by role score.
"""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Any, Final

import msgspec

from models.risk.features import FEATURES, FEATURES_VERSION, NAMES

if TYPE_CHECKING:
    from river.linear_model import LogisticRegression

HORIZON_DAYS: Final = 30.0
DAYS_PER_YEAR: Final = 365.25

# GPU-caused interruptions of 16,384 H100 in 54 days: 148 GPU + 72 HBM3 + 19 SRAM + 17 GSP.
BASE_PER_GPU_YEAR: Final = (148 + 72 + 19 + 17) / (16_384 * 54 / DAYS_PER_YEAR)
# Titan 2016 (base rate .954 % in 30 days, the year nearest to ours): 11.2 % fail among those with a history.
HISTORY_RATIO: Final = 11.2 / 0.954

# Log-odds that x = 1 adds. "published": the Titan ratio, split over the three decays so that a fresh event
# gives all of it. "judgement": no published ratio is known; chosen, to be replaced by learning. The rest is 0.
PUBLISHED_WEIGHTS: Final = {
    f"{group}_events_{days}d": share * log(HISTORY_RATIO)
    for group in ("memory", "lost")
    for days, share in ((7, 0.32), (30, 0.37), (90, 0.31))
}
JUDGED_WEIGHTS: Final = {
    "controller_events_7d": 0.6,
    "controller_events_30d": 0.6,
    "link_events_30d": 0.6,
    "ecc_correctable_7d": 0.7,
    "throttle_ratio_7d": 0.2,
    "thermal_excess_ratio": 0.3,
    "row_remap_failed": 3.0,
    "memory_unrepairable": 3.0,
    "sram_threshold_exceeded": 2.5,
    "banks_without_spares": 1.0,
    "row_remap_pending": 0.7,
    "rows_remapped_uncorrectable": 0.3,
    "pages_retired": 0.2,
    "recovery_action": 0.7,
    "gap_ratio_7d": 0.1,
}
PRIOR_VERSION: Final = 1


class RiskModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of the served model (payload of the side input ``risk_model``).

    Parameters
    ----------
    features
        Names in the order of ``weights``; they and ``features_version`` must be this program's own.
    centers, scales
        The fixed scaling of each feature, told so that the record explains itself.
    weights, bias
        Of the log-odds of a failure within 30 days.
    horizon_ratio
        p7 = 1 - (1 - p30) ** horizon_ratio; at most 1, so that p7 never exceeds p30.
    fleet_probability_30d
        What an average GPU of the fleet has: the measure of "ten times the fleet's".
    """

    version: int
    features_version: int
    features: tuple[str, ...]
    centers: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    horizon_ratio: float
    fleet_probability_30d: float
    origin: str


def probability_of(rate_per_year: float, days: float) -> float:
    """Return the probability of an event within ``days`` at a constant rate.

    >>> round(probability_of(0.1057, 30.0), 4)
    0.0086
    """
    return 1.0 - exp(-rate_per_year * days / DAYS_PER_YEAR)


def prior_model() -> RiskModel:
    """Return the model that the fleet starts with: published base rate and ratios, nothing learned."""
    base = probability_of(BASE_PER_GPU_YEAR, HORIZON_DAYS)
    known = PUBLISHED_WEIGHTS | JUDGED_WEIGHTS
    weights = tuple(known.get(name, 0.0) for name in NAMES)
    return _model(PRIOR_VERSION, weights, log(base / (1.0 - base)), 7.0 / HORIZON_DAYS, base, "prior")


def check(model: RiskModel) -> RiskModel:
    """Return ``model`` if this program can serve it.

    Raises
    ------
    ValueError
        Other features or scales than this program's, or a ratio or probability out of range.
    """
    if model.features_version != FEATURES_VERSION or model.features != NAMES:
        raise ValueError(f"risk model {model.version} is for other features than version {FEATURES_VERSION}")
    expected = _model(model.version, model.weights, model.bias, 1.0, 0.0, "")
    if model.centers != expected.centers or model.scales != expected.scales or len(model.weights) != len(NAMES):
        raise ValueError(f"risk model {model.version} has other scales or another number of weights")
    if not 0.0 < model.horizon_ratio <= 1.0 or not 0.0 < model.fleet_probability_30d < 1.0:
        raise ValueError(f"risk model {model.version}: horizon_ratio and fleet probability must lie in 0 to 1")
    return model


def decode_model(payload: bytes) -> RiskModel:
    """Return the model of a side input's payload (JSON).

    Raises
    ------
    ValueError
        Not a model, or one that this program cannot serve (msgspec's errors are ValueErrors).
    """
    return check(msgspec.json.decode(payload, type=RiskModel))


def river_from(model: RiskModel, optimizer: Any = None) -> LogisticRegression:
    """Return a River model with the weights of ``model``, ready to learn on scaled features by name."""
    from river.linear_model import LogisticRegression

    river = LogisticRegression(optimizer=optimizer, intercept_init=model.bias)
    for name, weight in zip(model.features, model.weights, strict=True):
        river._weights[name] = weight  # noqa: SLF001 - River has no public way to set weights
    return river


def model_from(
    river: LogisticRegression,
    *,
    version: int,
    horizon_ratio: float,
    fleet_probability_30d: float,
    origin: str,
) -> RiskModel:
    """Return the served form of a River model: the inverse of :func:`river_from`."""
    learned = river.weights
    weights = tuple(float(learned.get(name, 0.0)) for name in NAMES)
    return check(_model(version, weights, float(river.intercept), horizon_ratio, fleet_probability_30d, origin))


def _model(
    version: int, weights: tuple[float, ...], bias: float, horizon_ratio: float, fleet: float, origin: str
) -> RiskModel:
    return RiskModel(
        version=version,
        features_version=FEATURES_VERSION,
        features=NAMES,
        centers=tuple(feature.center for feature in FEATURES),
        scales=tuple(feature.scale for feature in FEATURES),
        weights=weights,
        bias=bias,
        horizon_ratio=horizon_ratio,
        fleet_probability_30d=fleet,
        origin=origin,
    )
