"""The open hour of one GPU: its sums as one block of floats, its close, and values over the windows."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import inf, nan
from struct import Struct
from typing import ClassVar, Final, NamedTuple

from models.gpu.columns import (
    BRAKE,
    CORRECTED,
    EPISODES,
    KNOWN_SUMS,
    LOADED,
    MARGIN,
    MAXIMA,
    MEANS,
    MEMORY_TEMP,
    MINIMA,
    OBSERVED,
    POWER,
    SUMS,
    TEMP,
    TEMP_SQUARE,
    THERMAL,
    UTIL,
    WIDTH,
    Buckets,
    empty_buckets,
    nothing_yet,
)
from models.gpu.totals import Totals

# A share of less time than this would be made by one sample.
LEAST_SHARE_SECONDS: Final = 600.0
LOADED_RATIO: Final = 0.10
EPISODE_PAUSE_SECONDS: Final = 300.0

# Behind the columns the block holds the observed seconds in which a mean or a known sum was not told, in this
# order: append only. What every sample tells adds nothing there.
UNTOLD: Final = (TEMP, MARGIN, MEMORY_TEMP, UTIL, POWER, THERMAL, BRAKE)
_PLACE: Final = {
    **{column: WIDTH + place for place, column in enumerate(UNTOLD)},
    TEMP_SQUARE: WIDTH + UNTOLD.index(TEMP),
}
UNTOLD_OF: Final = tuple(_PLACE.get(column, OBSERVED) for column in range(WIDTH))
"""By column: where the block has its untold seconds; nobody tells the seconds of a plain sum."""
_TEMP_UNTOLD: Final = UNTOLD_OF[TEMP]
_MARGIN_UNTOLD: Final = UNTOLD_OF[MARGIN]
_MEMORY_UNTOLD: Final = UNTOLD_OF[MEMORY_TEMP]
_UTIL_UNTOLD: Final = UNTOLD_OF[UTIL]
_POWER_UNTOLD: Final = UNTOLD_OF[POWER]
_THERMAL_UNTOLD: Final = UNTOLD_OF[THERMAL]
_BRAKE_UNTOLD: Final = UNTOLD_OF[BRAKE]
_NOTHING_YET: Final = array("d", (*nothing_yet(), *[0.0] * len(UNTOLD)))
_REST: Final = Struct("<5d")


class ClosedHour(NamedTuple):
    """An hour that closed: its epoch number and its bucket row."""

    hour: int
    row: Buckets
    samples: int
    gap_seconds: float


class OpenHour:
    """Sums and extremes of one GPU's open hour, and what they make with the closed hours and days.

    Attributes
    ----------
    sums
        By column of :mod:`models.gpu.columns` (a mean's is weighted by seconds), then the seconds of
        :data:`UNTOLD`.
    samples, gap_seconds
        Samples of the open hour and unobserved time before them.
    last_thermal_ratio, last_corrected
        Thermal share (NaN: not told) and corrected errors of the hour that closed last.
    episode_end
        Event time of the last sample under thermal slowdown, epoch s; NaN: none yet.
    """

    __slots__ = ("episode_end", "gap_seconds", "last_corrected", "last_thermal_ratio", "samples", "sums")
    BLOCKS: ClassVar = (5, WIDTH, len(UNTOLD))

    def __init__(self) -> None:
        self.sums = _NOTHING_YET[:]
        self.samples = 0
        self.gap_seconds = 0.0
        self.last_thermal_ratio = nan
        self.last_corrected = 0.0
        self.episode_end = nan

    # -- a sample ------------------------------------------------------------------------------------------

    def add(self, weight: float, temp: float, memory: float, margin: float, load: float, power: float) -> None:
        """Add what one sample of ``weight`` seconds measured (C, C, C, ratio, W); NaN: not measured."""
        sums = self.sums
        sums[OBSERVED] += weight
        if temp == temp:
            weighted = weight * temp
            sums[TEMP] += weighted
            sums[TEMP_SQUARE] += weighted * temp
        else:
            sums[_TEMP_UNTOLD] += weight
        if memory == memory:
            sums[MEMORY_TEMP] += weight * memory
        else:
            sums[_MEMORY_UNTOLD] += weight
        if margin == margin:
            sums[MARGIN] += weight * margin
        else:
            sums[_MARGIN_UNTOLD] += weight
        if load == load:
            sums[UTIL] += weight * load
            if load >= LOADED_RATIO:
                sums[LOADED] += weight
        else:
            sums[_UTIL_UNTOLD] += weight
        if power == power:
            sums[POWER] += weight * power
        else:
            sums[_POWER_UNTOLD] += weight

    def add_throttling(self, weight: float, thermal: float, brake: float, time: float) -> None:
        """Add the seconds of one sample under thermal slowdown and under the brake; NaN: nothing told."""
        sums = self.sums
        if thermal > 0.0:
            sums[THERMAL] += thermal
            if not time - self.episode_end < EPISODE_PAUSE_SECONDS:
                sums[EPISODES] += 1.0
            self.episode_end = time
        elif thermal != thermal:
            sums[_THERMAL_UNTOLD] += weight
        if brake > 0.0:
            sums[BRAKE] += brake
        elif brake != brake:
            sums[_BRAKE_UNTOLD] += weight

    # -- its close -----------------------------------------------------------------------------------------

    def close(self, number: int) -> ClosedHour:
        """Return the hour, whose epoch number is ``number``, and begin the next one."""
        closed = ClosedHour(number, self.row(), self.samples, self.gap_seconds)
        known = self.sums[OBSERVED] - self.sums[_THERMAL_UNTOLD]
        self.last_thermal_ratio = self.sums[THERMAL] / max(known, LEAST_SHARE_SECONDS) if known else nan
        self.last_corrected = self.sums[CORRECTED]
        self.samples = 0
        self.gap_seconds = 0.0
        self.sums[:] = _NOTHING_YET
        return closed

    def row(self) -> Buckets:
        """Return the open hour as a bucket row, shape (WIDTH,), float32."""
        row: Buckets = empty_buckets(1)[0]
        sums = self.sums
        for column in SUMS:
            row[column] = sums[column]
        for column in MEANS:
            seconds = sums[OBSERVED] - sums[UNTOLD_OF[column]]
            row[column] = sums[column] / seconds if seconds else nan
        for column in KNOWN_SUMS:
            row[column] = sums[column] if sums[OBSERVED] > sums[UNTOLD_OF[column]] else nan
        for column in MAXIMA + MINIMA:
            value = sums[column]
            row[column] = value if abs(value) != inf else nan
        return row

    # -- values over a window ------------------------------------------------------------------------------

    def mean(self, column: int, totals: Totals) -> float:
        """Return the mean of a column over ``totals`` and the open hour; NaN where never measured."""
        sums = self.sums
        observed = sums[OBSERVED]
        seconds = observed - sums[UNTOLD_OF[column]]
        total, weight = totals.sums[column], totals.seconds[column]
        if seconds > 0.0:
            total += sums[column] / seconds * observed
            weight += observed
        return total / weight if weight > 0.0 else nan

    def measured_seconds(self, column: int) -> float:
        """Return the time of the open hour in which a mean or a known sum was measured."""
        return self.sums[OBSERVED] - self.sums[UNTOLD_OF[column]]

    def total(self, column: int, totals: Totals) -> float:
        """Return the sum of a column over ``totals`` and the open hour."""
        return totals.sums[column] + self.sums[column]

    def highest(self, column: int, totals: Totals) -> float:
        """Return the highest one-minute mean over ``totals`` and the open hour; -inf where never measured."""
        closed, now = totals.sums[column], self.sums[column]
        return closed if closed > now else now

    def lowest(self, column: int, totals: Totals) -> float:
        """Return the lowest one-minute mean over ``totals`` and the open hour; inf where never measured."""
        closed, now = totals.sums[column], self.sums[column]
        return closed if closed < now else now

    def share(self, column: int, totals: Totals) -> float:
        """Return a known sum (thermal, brake) as a share of the time that told of it; NaN where nothing told."""
        sums = self.sums
        seconds = totals.seconds[column]
        observed = sums[OBSERVED]
        if observed > sums[UNTOLD_OF[column]]:
            seconds += observed
        return (totals.sums[column] + sums[column]) / seconds if seconds > 0.0 else nan

    def known_seconds(self, column: int, totals: Totals) -> float:
        """Return the observed time behind a mean or a known sum over ``totals`` and the open hour."""
        sums = self.sums
        seconds = totals.seconds[column]
        observed = sums[OBSERVED]
        return seconds + observed if observed > sums[UNTOLD_OF[column]] else seconds

    def last_observed_thermal_ratio(self) -> float:
        """Return the thermal share of the open hour once it holds 10 minutes, else of the hour closed last."""
        known = self.sums[OBSERVED] - self.sums[_THERMAL_UNTOLD]
        last = self.last_thermal_ratio
        if known >= LEAST_SHARE_SECONDS or last != last:
            return self.sums[THERMAL] / max(known, LEAST_SHARE_SECONDS) if known else nan
        return last

    # -- packed --------------------------------------------------------------------------------------------

    def pack(self) -> bytes:
        """Return the blocks of the hot record."""
        rest = (self.samples, self.gap_seconds, self.last_thermal_ratio, self.last_corrected, self.episode_end)
        return _REST.pack(*rest) + self.sums.tobytes()

    def unpack(self, blocks: Sequence[array[float]]) -> None:
        """Take what :meth:`pack` gave, also of a version with fewer columns: those were not observed then."""
        rest, columns, untold = blocks
        samples, self.gap_seconds, self.last_thermal_ratio, self.last_corrected, self.episode_end = rest
        self.samples = int(samples)
        self.sums[: len(columns)] = columns
        self.sums[WIDTH:] = array("d", [*untold, *[columns[OBSERVED]] * (len(UNTOLD) - len(untold))])
