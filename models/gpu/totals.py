"""Totals over closed buckets, and the one bucket that stands for many."""

from __future__ import annotations

from array import array
from math import inf, nan
from typing import Final

import numpy as np

from models.gpu.columns import (
    KNOWN_SUMS,
    MAXIMA,
    MEANS,
    MINIMA,
    OBSERVED,
    SUMS,
    WIDTH,
    Buckets,
    empty_buckets,
    nothing_yet,
)

_MEANS: Final = list(MEANS)
_KNOWN: Final = list(KNOWN_SUMS)
_SUMS: Final = list(SUMS)


class Totals:
    """Sums over closed buckets: ``sums[c]``, and for means and known sums the seconds behind them.

    ``sums`` of a mean column is the sum of mean x observed seconds; ``seconds`` of that column is the sum of
    the observed seconds of the buckets that have it. Extremes are -inf / inf where nothing was measured.
    """

    __slots__ = ("seconds", "sums")

    def __init__(self) -> None:
        self.sums: list[float] | array[float] = nothing_yet()
        self.seconds: list[float] | array[float] = [0.0] * WIDTH

    def compact(self) -> Totals:
        """Keep the numbers as blocks: less memory, for totals that are not read at each sample."""
        self.sums = array("d", self.sums)
        self.seconds = array("d", self.seconds)
        return self


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
    for column in MAXIMA:
        sums[column] = float(np.fmax.reduce(rows[:, column], initial=-inf))
    for column in MINIMA:
        sums[column] = float(np.fmin.reduce(rows[:, column], initial=inf))
    # Equal numbers are one object: most seconds are those observed, most sums zero.
    one: dict[float, float] = {0.0: 0.0}
    totals.sums = [one.setdefault(number, number) for number in sums]
    totals.seconds = [one.setdefault(number, number) for number in seconds]
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
