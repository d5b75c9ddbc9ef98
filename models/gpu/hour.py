"""The open hour of one GPU: its sums as plain floats, their close, and values over the windows."""

from __future__ import annotations

from math import inf, nan
from typing import Final, NamedTuple

from models.gpu.windows import (
    CORRECTED,
    DAY_SECONDS,
    HOUR_SECONDS,
    KNOWN_SUMS,
    MAXIMA,
    MEANS,
    MINIMA,
    OBSERVED,
    SUMS,
    THERMAL,
    WIDTH,
    Buckets,
    Totals,
    Windows,
    empty_buckets,
)

# A share of less time than this would be made by one sample.
LEAST_SHARE_SECONDS: Final = 600.0


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
    open
        By column of :mod:`models.gpu.windows`.
    open_samples, open_gap_seconds
        Samples of the open hour and unobserved time before them.
    last_hour_thermal, last_hour_corrected
        Thermal share and corrected errors of the hour that closed last.
    """

    __slots__ = (
        "_open_seconds",
        "evidence_dirty",
        "last_hour_corrected",
        "last_hour_thermal",
        "open",
        "open_gap_seconds",
        "open_samples",
        "pending_rows",
        "windows",
    )

    def __init__(self) -> None:
        self.evidence_dirty = True
        self.last_hour_thermal = nan
        self.last_hour_corrected = 0.0
        self.windows = Windows()
        self.pending_rows: list[tuple[int, Buckets, int]] = []
        self.open: list[float] = []
        self.open_samples = 0
        self.open_gap_seconds = 0.0
        self._open_seconds: list[float] = []
        self._clear_open()

    def _clear_open(self) -> None:
        self.open_samples = 0
        self.open_gap_seconds = 0.0
        self.open = [0.0] * WIDTH
        for column in MAXIMA:
            self.open[column] = -inf
        for column in MINIMA:
            self.open[column] = inf
        self._open_seconds = [0.0] * WIDTH

    def _open_hour(self, hour: int) -> ClosedHour | None:
        windows = self.windows
        if windows.hour < 0:
            windows.hour = hour
            windows.day = hour * HOUR_SECONDS // DAY_SECONDS
            return None
        row = self.open_row()
        closed = ClosedHour(windows.hour, row, self.open_samples, self.open_gap_seconds)
        known = self._open_seconds[THERMAL]
        self.last_hour_thermal = self.open[THERMAL] / max(known, LEAST_SHARE_SECONDS) if known else nan
        self.last_hour_corrected = self.open[CORRECTED]
        # The window record is written later in the hour; until then the row travels with the evidence.
        self.pending_rows.append((windows.hour, row, hour))
        self.evidence_dirty = True
        windows.close_hour(row, hour)
        self._clear_open()
        return closed

    def open_row(self) -> Buckets:
        """Return the open hour as a bucket row, shape (WIDTH,), float32."""
        row: Buckets = empty_buckets(1)[0]
        for column in SUMS:
            row[column] = self.open[column]
        for column in MEANS:
            seconds = self._open_seconds[column]
            row[column] = self.open[column] / seconds if seconds else nan
        for column in KNOWN_SUMS:
            row[column] = self.open[column] if self._open_seconds[column] else nan
        for column in MAXIMA + MINIMA:
            value = self.open[column]
            row[column] = value if abs(value) != inf else nan
        return row

    # -- values over a window ------------------------------------------------------------------------------

    def mean(self, column: int, totals: Totals) -> float:
        """Return the mean of a column over ``totals`` and the open hour; NaN where never measured."""
        seconds = self._open_seconds[column]
        total, weight = totals.sums[column], totals.seconds[column]
        if seconds > 0.0:
            observed = self.open[OBSERVED]
            total += self.open[column] / seconds * observed
            weight += observed
        return total / weight if weight > 0.0 else nan

    def measured_seconds(self, column: int) -> float:
        """Return the time of the open hour in which a mean or a known sum was measured."""
        return self._open_seconds[column]

    def total(self, column: int, totals: Totals) -> float:
        """Return the sum of a column over ``totals`` and the open hour."""
        return totals.sums[column] + self.open[column]

    def highest(self, column: int, totals: Totals) -> float:
        """Return the highest one-minute mean over ``totals`` and the open hour; -inf where never measured."""
        closed, now = totals.sums[column], self.open[column]
        return closed if closed > now else now

    def lowest(self, column: int, totals: Totals) -> float:
        """Return the lowest one-minute mean over ``totals`` and the open hour; inf where never measured."""
        closed, now = totals.sums[column], self.open[column]
        return closed if closed < now else now

    def share(self, column: int, totals: Totals) -> float:
        """Return a known sum (thermal, brake) as a share of the time that told of it; NaN where nothing told."""
        seconds = totals.seconds[column]
        if self._open_seconds[column] > 0.0:
            seconds += self.open[OBSERVED]
        return (totals.sums[column] + self.open[column]) / seconds if seconds > 0.0 else nan

    def known_seconds(self, column: int, totals: Totals) -> float:
        """Return the observed time behind a mean or a known sum over ``totals`` and the open hour."""
        seconds = totals.seconds[column]
        return seconds + self.open[OBSERVED] if self._open_seconds[column] > 0.0 else seconds

    def last_observed_hour_share(self) -> float:
        """Return the thermal share of the open hour once it holds 10 minutes, else of the hour closed last."""
        known = self._open_seconds[THERMAL]
        if known >= LEAST_SHARE_SECONDS or self.last_hour_thermal != self.last_hour_thermal:
            return self.open[THERMAL] / max(known, LEAST_SHARE_SECONDS) if known else nan
        return self.last_hour_thermal
