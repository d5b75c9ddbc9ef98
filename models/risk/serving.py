"""The risk of a GPU as of its last sample: the rule score and the served probability, in microseconds.

What is constant within an hour (closed hours, decayed events, flags, limits) is summed once into ``_base``;
a sample adds the six fast features. The cache is a pure function of the state and the side inputs, so a
worker that has just restored it says the same.
"""

from __future__ import annotations

from math import exp, inf, nan
from operator import mul
from typing import Final

from models.gpu.columns import (
    CORRECTED,
    DAY_SECONDS,
    EPISODES,
    MARGIN_MIN,
    OBSERVED,
    TEMP_MAX,
    THERMAL,
    UNCORRECTED,
)
from models.gpu.state import GpuState
from models.health.profile import Profile
from models.health.thermal import judged_by_margin, limits
from models.risk.features import FAST, SLOW, flags_of, lasting_of, scale_into, slow_values
from models.risk.history import take
from models.risk.online import RiskModel
from models.risk.rules import (
    REPLACE_FLOOR,
    REPLACE_KINDS,
    THERMAL_POINTS,
    UNCORRECTED_FLOOR,
    UNCORRECTED_KINDS,
    UNCORRECTED_POINTS,
    corrected_points,
    level,
    margin_excess,
    thermal_excess,
    throttle_points,
)
from schemas.risk_score import RiskLevel

FAST_COUNT: Final = len(FAST)
_FAR: Final = 700.0  # exp of it is still finite
_CORRECTED, _UNCORRECTED, _EVENTS, _RATIO, _TEMP, _EXCESS = FAST


class Risk:
    """The risk of one GPU now; one object a GPU, filled again at each computation.

    Attributes
    ----------
    risk_score, level
        Whole points 0 to 100 and the guide's level.
    probability_7d, probability_30d
        Of a failure within 7 and 30 days.
    evidence_floor, replace_class
        Whether a floor (51 or 76) holds; whether it is that of the replace class.
    fleet_probability_30d
        Of an average GPU, by the same model.
    points
        The four parts before the floor: corrected errors, uncorrected errors, throttling, heat.
    fast
        The values of the fast features before scaling.
    """

    __slots__ = (
        "_base",
        "_deployed_at",
        "_hour",
        "_kinds",
        "_lasting",
        "_lasting_changes",
        "_model",
        "_profile",
        "_scaled",
        "_uncorrected_seen",
        "_warm_hot",
        "_weights",
        "evidence_floor",
        "fast",
        "fleet_probability_30d",
        "level",
        "points",
        "probability_7d",
        "probability_30d",
        "replace_class",
        "risk_score",
        "state",
    )

    def __init__(self, state: GpuState) -> None:
        self.risk_score = 0
        self.level: RiskLevel = "low"
        self.probability_7d = self.probability_30d = self.fleet_probability_30d = 0.0
        self.evidence_floor = self.replace_class = False
        self.points = (0.0, 0.0, 0.0, 0.0)
        self._scaled = [0.0] * FAST_COUNT
        self.fast = (0.0, 0.0, 0.0, nan, nan, 0.0)
        self.state = state
        self._base = 0.0
        self._weights: tuple[float, ...] = (0.0,) * FAST_COUNT
        self._hour = -2  # no window is ever at this hour: the first sample fills the cache
        self._kinds: tuple[str, ...] = ()
        self._lasting: tuple[float, ...] = ()
        self._lasting_changes = -1
        self._deployed_at: float | None = None
        self._model: RiskModel | None = None
        self._profile: Profile | None = None
        self._warm_hot = (inf, inf)
        self._uncorrected_seen = False

    @property
    def slow(self) -> list[float]:
        """Return the slow features' values, as of the start of the open hour; built when asked for."""
        return slow_values(self.state, self._lasting, self._deployed_at)

    @property
    def x(self) -> list[float]:
        """Return the scaled features in the order of :data:`models.risk.features.FEATURES`."""
        scaled = [*self._scaled, *[0.0] * len(SLOW)]
        scale_into(scaled, SLOW, self.slow, FAST_COUNT)
        return scaled

    def is_stale(self, state: GpuState, model: RiskModel, profile: Profile, deployed_at: float | None) -> bool:
        """Count new events, then tell whether anything that the cache stands for has changed."""
        evidence = state.evidence
        if evidence:
            if take(state) or self._kinds != tuple(evidence):
                return True
        elif self._kinds:
            return True
        return (
            self._hour != state.windows.hour
            or self._lasting_changes != state.lasting_changes
            or self._model is not model
            or self._profile is not profile
            or self._deployed_at != deployed_at
        )

    def refresh(self, state: GpuState, model: RiskModel, profile: Profile, deployed_at: float | None) -> None:
        """Fill what is constant until :meth:`is_stale` says otherwise."""
        lasting = lasting_of(state)
        scaled = [0.0] * len(SLOW)
        scale_into(scaled, SLOW, slow_values(state, lasting, deployed_at), 0)
        self._weights = model.weights[:FAST_COUNT]
        self._base = model.bias + sum(map(mul, model.weights[FAST_COUNT:], scaled))
        self._warm_hot = limits(state, profile)
        kinds = tuple(state.evidence)
        self.replace_class = flags_of(lasting) or not REPLACE_KINDS.isdisjoint(kinds)
        self._uncorrected_seen = not UNCORRECTED_KINDS.isdisjoint(kinds)
        self.fleet_probability_30d = model.fleet_probability_30d
        self._hour, self._kinds = state.windows.hour, kinds
        self._lasting, self._lasting_changes = lasting, state.lasting_changes
        self._model, self._profile, self._deployed_at = model, profile, deployed_at

    def excess(self, state: GpuState, hottest: float, profile: Profile) -> float:
        """Return the thermal excess, by the margin where the device's margin is what is judged."""
        closed, now = state.windows.week.sums[MARGIN_MIN], state.hour.sums[MARGIN_MIN]
        margin = closed if closed < now else now
        if margin != inf and judged_by_margin(state, profile):
            limit = profile.thermal
            return margin_excess(margin, limit.warm_margin_celsius, limit.hot_margin_celsius)
        warm, hot = self._warm_hot
        return thermal_excess(hottest, warm, hot)

    def scale_fast(self) -> None:
        """Scale ``fast`` into ``x``."""
        x = self._scaled
        corrected, uncorrected, events, ratio, temp, excess = self.fast
        x[0] = _CORRECTED.scaled(corrected) if corrected else 0.0
        x[1] = _UNCORRECTED.scaled(uncorrected) if uncorrected else 0.0
        x[2] = _EVENTS.scaled(events) if events else 0.0
        x[3] = _RATIO.scaled(ratio) if ratio else 0.0
        x[4] = _TEMP.scaled(temp)
        x[5] = excess

    def score_points(self, corrected_per_day: float, uncorrected: float) -> None:
        """Fill the rule score and its level from ``fast``, the parts and the floors."""
        *_, episodes, _ratio, _temp, excess = self.fast
        first = corrected_points(corrected_per_day) if corrected_per_day else 0.0
        second = UNCORRECTED_POINTS if uncorrected or self._uncorrected_seen else 0.0
        third = throttle_points(episodes) if episodes else 0.0
        fourth = THERMAL_POINTS * excess
        total = first + second + third + fourth
        self.points = (first, second, third, fourth)
        self.evidence_floor = second > 0.0 or self.replace_class
        if self.replace_class:
            total = total if total > REPLACE_FLOOR else REPLACE_FLOOR
        elif second > 0.0 and total < UNCORRECTED_FLOOR:
            total = UNCORRECTED_FLOOR
        score = int(total + 0.5)
        if score != self.risk_score:
            self.risk_score = score
            self.level = level(score)


def probability(log_odds: float) -> float:
    """Return the probability of ``log_odds``, finite for any.

    >>> probability(0.0), probability(-1e9) >= 0.0, probability(1e9)
    (0.5, True, 1.0)
    """
    if log_odds < -_FAR:
        log_odds = -_FAR
    elif log_odds > _FAR:
        log_odds = _FAR
    return 1.0 / (1.0 + exp(-log_odds))


def assess(state: GpuState, model: RiskModel, profile: Profile, deployed_at: float | None = None) -> Risk:
    """Return the GPU's risk after a sample.

    Parameters
    ----------
    deployed_at
        When the asset list says that the GPU went into service (epoch s); None: not known.

    Returns
    -------
    Risk
        ``state.risk``, filled again: read it before the next sample of that GPU.
    """
    risk = state.risk
    if risk is None:
        risk = state.risk = Risk(state)
    if risk.is_stale(state, model, profile, deployed_at):
        risk.refresh(state, model, profile, deployed_at)
    windows = state.windows
    week, hour = windows.week.sums, state.hour.sums
    corrected = week[CORRECTED] + hour[CORRECTED]
    uncorrected = windows.month.sums[UNCORRECTED] + hour[UNCORRECTED]
    throttled = state.hour.share(THERMAL, windows.week)
    hottest = week[TEMP_MAX]
    if hour[TEMP_MAX] > hottest:
        hottest = hour[TEMP_MAX]
    excess = risk.excess(state, hottest, profile)
    temp = hottest if hottest != -inf else nan
    risk.fast = (corrected, uncorrected, week[EPISODES] + hour[EPISODES], throttled, temp, excess)
    risk.scale_fast()
    p30 = probability(risk._base + sum(map(mul, risk._weights, risk._scaled)))
    risk.probability_30d = p30
    risk.probability_7d = 1.0 - (1.0 - p30) ** model.horizon_ratio
    days = (week[OBSERVED] + hour[OBSERVED]) / DAY_SECONDS
    risk.score_points(corrected / days if days > 1.0 else corrected, uncorrected)
    return risk
