"""What a sample stands for: the time since the one before it, or its interval after a gap."""

from __future__ import annotations

from typing import Final

DEFAULT_INTERVAL_SECONDS: Final = 10.0
LEAST_GAP_SECONDS: Final = 40.0
GAP_INTERVALS: Final = 4.0


def weight_and_gap(elapsed: float, interval: float, interval_before: float) -> tuple[float, float]:
    """Return the seconds that a sample stands for and those before them that nobody observed (0: no gap).

    Parameters
    ----------
    elapsed
        Seconds since the sample before.
    interval, interval_before
        Seconds between samples, as this sample and the one before tell it.

    Examples
    --------
    >>> weight_and_gap(12.0, 10.0, 10.0), weight_and_gap(600.0, 10.0, 10.0), weight_and_gap(120.0, 30.0, 30.0)
    ((12.0, 0.0), (10.0, 590.0), (120.0, 0.0))
    """
    longest = interval if interval > interval_before else interval_before
    if elapsed > GAP_INTERVALS * longest and elapsed > LEAST_GAP_SECONDS:
        weight = interval if interval < elapsed else elapsed
        return weight, elapsed - weight
    return elapsed, 0.0
