"""How often a GPU's status that is no news is published: thinned with the size of the fleet.

Whether one is due follows from two append times and the number of GPUs alone, so that a restart publishes what it
would have published anyway, and no burst of the whole fleet.
"""

from __future__ import annotations

from math import ceil, log
from typing import Final

# Who reads gpu-status hears of every GPU that reports at least this often.
LONGEST_SECONDS: Final = 60.0
# Nobody looks more often.
LEAST_SECONDS: Final = 2.0
# The interval grows in steps of a tenth: each moves the times of all GPUs, and one new GPU must not.
_STEP: Final = 1.1


def status_interval_seconds(gpus: int, records_per_second: float, sample_seconds: float) -> float:
    """Return the time between two statuses of a GPU that are no news.

    ``gpus`` share ``records_per_second``, but a GPU with a sample each ``sample_seconds`` has a status at least
    each LONGEST_SECONDS, which weighs more than the rate: from 15,000 GPUs on at 300 records/s.

    >>> [round(status_interval_seconds(gpus, 300.0, 10.0), 1) for gpus in (50, 1_000, 10_000, 100_000)]
    [2.0, 3.5, 34.9, 50.0]
    """
    return _within(_stepped(gpus / records_per_second), sample_seconds)


def longest_wait_seconds(gpus: int, records_per_second: float, sample_seconds: float) -> float:
    """Return how much later than it came a sample may be told of in a status; 0 where each sample has one.

    >>> longest_wait_seconds(50, 300.0, 10.0)
    0.0
    """
    interval = status_interval_seconds(gpus, records_per_second, sample_seconds)
    return interval if interval > sample_seconds else 0.0


def _stepped(interval: float) -> float:
    if interval <= LEAST_SECONDS:
        return LEAST_SECONDS
    return LEAST_SECONDS * _STEP ** ceil(log(interval / LEAST_SECONDS, _STEP))


def _within(interval: float, sample_seconds: float) -> float:
    # A time that has come is noticed at the next sample.
    longest = LONGEST_SECONDS - sample_seconds
    if interval <= longest:
        return interval
    return longest if longest > LEAST_SECONDS else LEAST_SECONDS


class StatusPace:
    """Tells when the status of a GPU is due, for the GPUs of one partition.

    Parameters
    ----------
    records_per_second
        This partition's share of the fleet's rate.
    """

    __slots__ = ("_gpus", "_interval", "_rate")

    def __init__(self, records_per_second: float) -> None:
        self._rate = records_per_second
        self._gpus = 0
        self._interval = LEAST_SECONDS

    def is_due(self, before: float, now: float, phase: float, gpus: int, sample_seconds: float) -> bool:
        """Tell whether one of the GPU's times to be told of lies after ``before`` and not after ``now``.

        Parameters
        ----------
        before, now
            Append times (epoch s) of its last sample and of this one; NaN before the first, which is told of.
        phase
            The GPU's own, at least 0 and below 1: spreads the fleet over the interval.
        gpus
            Known in this partition.
        sample_seconds
            Between two samples of the GPU.
        """
        if gpus != self._gpus:
            self._gpus = gpus
            self._interval = _stepped(gpus / self._rate)
        interval = _within(self._interval, sample_seconds)
        return not now / interval + phase < 1.0 + (before / interval + phase) // 1.0
