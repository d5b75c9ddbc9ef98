"""The rule score: the guide's four parts on corrected inputs, 0 to 100, with floors by evidence."""

from __future__ import annotations

from math import log1p
from typing import Final

from schemas.risk_score import RiskLevel

# The guide's shares: ECC rate 40, any uncorrected error 30, throttle events 20; the rest is heat.
CORRECTED_POINTS: Final = 40.0
UNCORRECTED_POINTS: Final = 30.0
THROTTLE_POINTS: Final = 20.0
THERMAL_POINTS: Final = 10.0

# Full points at 100 corrected errors a day (log scale) and at 10 throttle episodes in 7 days.
FULL_CORRECTED_PER_DAY: Final = 100.0
FULL_THROTTLE_EVENTS: Final = 10.0
# The thermal part runs from warm to hot + 10 C.
BEYOND_HOT_CELSIUS: Final = 10.0

UNCORRECTED_FLOOR: Final = 51.0
REPLACE_FLOOR: Final = 76.0

LOW_MOST: Final = 25
MEDIUM_MOST: Final = 50
HIGH_MOST: Final = 75

UNCORRECTED_KINDS: Final = frozenset(("dbe", "xid:48", "xid:94", "xid:95", "xid:171", "xid:172"))
REPLACE_KINDS: Final = frozenset(("lost", "xid:64", "xid:79", "xid:140"))

_FULL_CORRECTED: Final = log1p(FULL_CORRECTED_PER_DAY)


def level(score: int) -> RiskLevel:
    """Return the level of a whole rule score; total, 0 included.

    >>> [level(score) for score in (0, 25, 26, 50, 51, 75, 76, 100)]
    ['low', 'low', 'medium', 'medium', 'high', 'high', 'critical', 'critical']
    """
    if score <= LOW_MOST:
        return "low"
    if score <= MEDIUM_MOST:
        return "medium"
    return "high" if score <= HIGH_MOST else "critical"


def corrected_points(per_day: float) -> float:
    """Return 0 to 40 points for corrected errors a day.

    >>> corrected_points(0.0), corrected_points(100.0), corrected_points(1e9)
    (0.0, 40.0, 40.0)
    """
    share = log1p(per_day) / _FULL_CORRECTED
    return CORRECTED_POINTS * (share if share < 1.0 else 1.0)


def throttle_points(events: float) -> float:
    """Return 0 to 20 points for thermal slowdown episodes in 7 days."""
    return THROTTLE_POINTS * (events / FULL_THROTTLE_EVENTS if events < FULL_THROTTLE_EVENTS else 1.0)


def thermal_excess(temp_max_celsius: float, warm_celsius: float, hot_celsius: float) -> float:
    """Return how far the hottest minute lies between warm and hot + 10 C, 0 to 1; not measured (NaN, -inf) is 0.

    >>> thermal_excess(75.0, 75.0, 85.0), thermal_excess(85.0, 75.0, 85.0), thermal_excess(120.0, 75.0, 85.0)
    (0.0, 0.5, 1.0)
    """
    if not temp_max_celsius > warm_celsius:
        return 0.0
    span = hot_celsius + BEYOND_HOT_CELSIUS - warm_celsius
    excess = (temp_max_celsius - warm_celsius) / span if span > 0.0 else 1.0
    return excess if excess < 1.0 else 1.0


def margin_excess(margin_min_celsius: float, warm_margin_celsius: float, hot_margin_celsius: float) -> float:
    """Return the same for a device that reports its margin to the limit (C left, may be negative).

    >>> margin_excess(12.0, 12.0, 2.0), margin_excess(2.0, 12.0, 2.0), margin_excess(-8.0, 12.0, 2.0)
    (0.0, 0.5, 1.0)
    """
    return thermal_excess(-margin_min_celsius, -warm_margin_celsius, -hot_margin_celsius)
