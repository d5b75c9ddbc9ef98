"""Seven days of hourly and thirty days of daily buckets of one GPU, kept at O(1) a sample.

A sample adds to the open hour (plain floats). When event time passes into another hour the open hour
becomes a row of ``hours`` (float32), the sums over the closed rows are recomputed once, and every value
"over the window" is those sums plus the open hour. A window is bucket-aligned: the open hour and the
167 hours before it; the open day (its closed hours and the open one) and the 29 days before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, nan
from typing import Final

import numpy as np
import numpy.typing as npt

HOUR_SECONDS: Final = 3600
DAY_SECONDS: Final = 86_400
HOURS: Final = 168
DAYS: Final = 30

# Columns of a bucket. Means are NaN where the signal was not measured in the hour; sums are NaN only where
# the name says "known": there NaN means that nothing told.
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


class Totals:
    """Sums over closed buckets: ``sums[c]``, and for means and known sums the seconds behind them.

    ``sums`` of a mean column is the sum of mean x observed seconds; ``seconds`` of that column is the sum of
    the observed seconds of the buckets that have it. Extremes are -inf / inf where nothing was measured.
    """

    __slots__ = ("seconds", "sums")

    def __init__(self) -> None:
        self.sums: list[float] = [0.0] * WIDTH
        self.seconds: list[float] = [0.0] * WIDTH
        for column in MAXIMA:
            self.sums[column] = -inf
        for column in MINIMA:
            self.sums[column] = inf


def empty_buckets(count: int) -> Buckets:
    """Return ``count`` rows in which nothing was observed."""
    buckets = np.zeros((count, WIDTH), dtype=np.float32)
    buckets[:, [*MEANS, *MAXIMA, *MINIMA, *KNOWN_SUMS]] = nan
    return buckets


_MEANS = list(MEANS)
_MAXIMA = list(MAXIMA)
_MINIMA = list(MINIMA)
_KNOWN = list(KNOWN_SUMS)
_SUMS = list(SUMS)


def totals_of(buckets: Buckets) -> Totals:
    """Return the totals of bucket rows, shape (n, WIDTH), in float64."""
    totals = Totals()
    rows = buckets[buckets[:, OBSERVED] > 0].astype(np.float64)
    if not len(rows):
        return totals
    observed = rows[:, OBSERVED : OBSERVED + 1]
    sums, seconds = totals.sums, totals.seconds
    for column, value in zip(_SUMS, rows[:, _SUMS].sum(axis=0).tolist(), strict=True):
        sums[column] = value
    means = rows[:, _MEANS]
    measured = ~np.isnan(means)
    weighted = np.where(measured, means, 0.0) * observed
    for index, column in enumerate(_MEANS):
        sums[column] = float(weighted[:, index].sum())
        seconds[column] = float((measured[:, index : index + 1] * observed).sum())
    known = rows[:, _KNOWN]
    told = ~np.isnan(known)
    for index, column in enumerate(_KNOWN):
        sums[column] = float(np.where(told, known, 0.0)[:, index].sum())
        seconds[column] = float((told[:, index : index + 1] * observed).sum())
    for column in _MAXIMA:
        sums[column] = float(np.fmax.reduce(rows[:, column], initial=-inf))
    for column in _MINIMA:
        sums[column] = float(np.fmin.reduce(rows[:, column], initial=inf))
    return totals


def fold(rows: Buckets) -> Buckets:
    """Return one bucket, shape (WIDTH,), that stands for all of ``rows``."""
    totals = totals_of(rows)
    folded: Buckets = empty_buckets(1)[0]
    for column in SUMS:
        folded[column] = totals.sums[column]
    for column in MEANS:
        folded[column] = totals.sums[column] / totals.seconds[column] if totals.seconds[column] else nan
    for column in KNOWN_SUMS:
        folded[column] = totals.sums[column] if totals.seconds[column] else nan
    for column in MAXIMA + MINIMA:
        folded[column] = totals.sums[column] if abs(totals.sums[column]) != inf else nan
    return folded


# Sums that are zero for nearly every GPU: they take no memory until one is not.
RARE: Final = (
    CORRECTED,
    UNCORRECTED,
    SRAM_CORRECTED,
    EPISODES,
    RESIDUAL_COUNT,
    RESIDUAL_SUM,
    RESIDUAL_SQUARE,
    LINK_ERRORS,
)
_RARE = list(RARE)
_USUAL = [column for column in range(WIDTH) if column not in RARE]
_EMPTY = empty_buckets(1)[0]
_EMPTY_USUAL = _EMPTY[_USUAL]


class Ring:
    """A fixed number of bucket rows, shape (size, WIDTH) to the outside, addressed by epoch number.

    >>> ring = Ring(3)
    >>> ring.rows([0, 4]).shape
    (2, 21)
    """

    __slots__ = ("_rare", "_usual", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._usual: Buckets = empty_buckets(size)[:, _USUAL]
        self._rare: Buckets | None = None

    def put(self, number: int, row: Buckets) -> None:
        """Store ``row``, shape (WIDTH,), as bucket ``number``."""
        index = number % self.size
        self._usual[index] = row[_USUAL]
        rare = row[_RARE]
        if self._rare is None and rare.any():
            self._rare = np.zeros((self.size, len(RARE)), dtype=np.float32)
        if self._rare is not None:
            self._rare[index] = rare

    def clear(self, number: int) -> None:
        """Make bucket ``number`` one in which nothing was observed."""
        index = number % self.size
        self._usual[index] = _EMPTY_USUAL
        if self._rare is not None:
            self._rare[index] = 0.0
            if not self._rare.any():
                self._rare = None

    def rows(self, numbers: Iterable[int] | None = None) -> Buckets:
        """Return the buckets ``numbers``, or all of them in the order of their places, as one array."""
        where = [number % self.size for number in (range(self.size) if numbers is None else numbers)]
        found: Buckets = np.zeros((len(where), WIDTH), dtype=np.float32)
        found[:, _USUAL] = self._usual[where]
        if self._rare is not None:
            found[:, _RARE] = self._rare[where]
        return found

    def fill(self, rows: Buckets) -> None:
        """Put back what :meth:`rows` returned for all buckets."""
        self._usual = np.ascontiguousarray(rows[:, _USUAL], dtype=np.float32)
        rare = np.ascontiguousarray(rows[:, _RARE], dtype=np.float32)
        self._rare = rare if rare.any() else None


class Windows:
    """Rings of closed hours and days. ``hour`` and ``day`` are epoch numbers of the open bucket (-1: none yet)."""

    __slots__ = ("day", "days", "hour", "hours", "month", "week")

    def __init__(self) -> None:
        self.hour = -1
        self.day = -1
        self.hours = Ring(HOURS)
        self.days = Ring(DAYS)
        self.week = Totals()
        self.month = Totals()

    def close_hour(self, row: Buckets, new_hour: int) -> None:
        """Put the open hour's ``row`` away and open ``new_hour`` (> the open one)."""
        old_hour = self.hour
        self.hours.put(old_hour, row)
        new_day = new_hour * HOUR_SECONDS // DAY_SECONDS
        if new_day != self.day:  # before a long silence empties the hours of that day
            self._close_days(old_hour, new_day)
        steps = new_hour - old_hour
        if steps > 1:  # hours in which nothing came
            for hour in range(old_hour + 1, old_hour + min(steps, HOURS + 1)):
                self.hours.clear(hour)
        self.hour = new_hour
        self.hours.clear(new_hour)  # the place of the open hour is that of the one that expired
        self.rebuild()

    def _close_days(self, last_hour: int, new_day: int) -> None:
        per_day = DAY_SECONDS // HOUR_SECONDS
        first = self.day * per_day
        self.days.put(self.day, fold(self.hours.rows(range(first, min(first + per_day, last_hour + 1)))))
        for day in range(self.day + 1, min(new_day + 1, self.day + 1 + DAYS)):
            self.days.clear(day)
        self.day = new_day
        self.days.clear(new_day)

    def rebuild(self) -> None:
        """Recompute the totals of the closed buckets: after a close and after a restore."""
        self.week = totals_of(self.hours.rows())
        per_day = DAY_SECONDS // HOUR_SECONDS
        today = self.hours.rows(range(self.day * per_day, self.hour))
        self.month = totals_of(np.concatenate([self.days.rows(), today]))
