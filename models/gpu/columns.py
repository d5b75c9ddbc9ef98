"""The columns of a bucket: what is kept of an hour or a day of one GPU, and how columns are added up."""

from __future__ import annotations

from math import inf, nan
from typing import Final

import numpy as np
import numpy.typing as npt

MINUTE_SECONDS: Final = 60
HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400

# Means are NaN where the signal was not measured in the hour; sums are NaN only where the name says "known":
# there NaN means that nothing told. A column's position is what records store: append only.
COLUMNS: Final = (
    "observed_seconds",
    "loaded_seconds",
    "temp_mean",
    "temp_square_mean",
    "temp_max",
    "margin_mean",
    "margin_min",
    "memory_temp_mean",
    "memory_temp_max",
    "util_mean",
    "power_mean",
    "corrected_errors",
    "uncorrected_errors",
    "sram_corrected_errors",
    "known_thermal_seconds",
    "known_brake_seconds",
    "throttle_episodes",
    "residual_count",
    "residual_sum",
    "residual_square_sum",
    "link_errors",
)
(
    OBSERVED,
    LOADED,
    TEMP,
    TEMP_SQUARE,
    TEMP_MAX,
    MARGIN,
    MARGIN_MIN,
    MEMORY_TEMP,
    MEMORY_TEMP_MAX,
    UTIL,
    POWER,
    CORRECTED,
    UNCORRECTED,
    SRAM_CORRECTED,
    THERMAL,
    BRAKE,
    EPISODES,
    RESIDUAL_COUNT,
    RESIDUAL_SUM,
    RESIDUAL_SQUARE,
    LINK_ERRORS,
) = range(len(COLUMNS))
WIDTH: Final = len(COLUMNS)
MEANS: Final = (TEMP, TEMP_SQUARE, MARGIN, MEMORY_TEMP, UTIL, POWER)
MAXIMA: Final = (TEMP_MAX, MEMORY_TEMP_MAX)
MINIMA: Final = (MARGIN_MIN,)
KNOWN_SUMS: Final = (THERMAL, BRAKE)
SUMS: Final = tuple(column for column in range(WIDTH) if column not in MEANS + MAXIMA + MINIMA + KNOWN_SUMS)

Buckets = npt.NDArray[np.float32]

_NAN_WHERE_EMPTY: Final = [*MEANS, *MAXIMA, *MINIMA, *KNOWN_SUMS]


def empty_buckets(count: int) -> Buckets:
    """Return ``count`` rows in which nothing was observed, shape (count, WIDTH)."""
    buckets = np.zeros((count, WIDTH), dtype=np.float32)
    buckets[:, _NAN_WHERE_EMPTY] = nan
    return buckets


def nothing_yet() -> list[float]:
    """Return the sums and extremes, by column, to which nothing was added."""
    sums = [0.0] * WIDTH
    for column in MAXIMA:
        sums[column] = -inf
    for column in MINIMA:
        sums[column] = inf
    return sums
