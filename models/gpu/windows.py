"""Seven days of hourly and thirty days of daily buckets of one GPU, kept at O(1) a sample.

A sample adds to the open hour (:mod:`models.gpu.hour`). When event time passes into another hour the open hour
becomes a row of ``hours`` (float32), the sums over the closed rows are recomputed once, and every value
"over the window" is those sums plus the open hour. A window is bucket-aligned: the open hour and the
167 hours before it; the open day (its closed hours and the open one) and the 29 days before it.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import numpy as np

from models.gpu.columns import DAY_SECONDS, HOUR_SECONDS, Buckets
from models.gpu.ring import Ring
from models.gpu.totals import Totals, fold, totals_of

HOURS: Final = 168
DAYS: Final = 30
_HOURS_A_DAY: Final = DAY_SECONDS // HOUR_SECONDS
_OPEN: Final = Struct("<ii")


class Windows:
    """Rings of closed hours and days, and the totals over them.

    Attributes
    ----------
    hour, day
        Epoch numbers of the open bucket (-1: none yet).
    hours, days
        The closed ones.
    week, month
        Totals over 7 and 30 days, without the open hour.
    """

    __slots__ = ("day", "days", "hour", "hours", "month", "week")

    def __init__(self) -> None:
        self.hour = -1
        self.day = -1
        self.hours = Ring(HOURS)
        self.days = Ring(DAYS)
        self.week = Totals()
        self.month = Totals().compact()

    def begin(self, hour: int) -> None:
        """Open the first hour there is."""
        self.hour = hour
        self.day = hour // _HOURS_A_DAY

    def close_hour(self, row: Buckets, new_hour: int) -> None:
        """Put the open hour's ``row`` away and open ``new_hour`` (> the open one)."""
        old_hour = self.hour
        self.hours.put(old_hour, row)
        new_day = new_hour // _HOURS_A_DAY
        if new_day != self.day:  # before a long silence empties the hours of that day
            self._close_days(old_hour, new_day)
        steps = new_hour - old_hour
        if steps > 1:  # hours in which nothing came
            for hour in range(old_hour + 1, old_hour + min(steps, HOURS + 1)):
                self.hours.clear(hour)
        self.hour = new_hour
        self.hours.clear(new_hour)  # the place of the open hour is that of the one that expired
        self.hours.trim()
        self.rebuild()

    def _close_days(self, last_hour: int, new_day: int) -> None:
        first = self.day * _HOURS_A_DAY
        self.days.put(self.day, fold(self.hours.rows(range(first, min(first + _HOURS_A_DAY, last_hour + 1)))))
        for day in range(self.day + 1, min(new_day + 1, self.day + 1 + DAYS)):
            self.days.clear(day)
        self.day = new_day
        self.days.clear(new_day)
        self.days.trim()

    def rebuild(self) -> None:
        """Recompute the totals of the closed buckets: after a close and after a restore."""
        self.week = totals_of(self.hours.rows())
        today = self.hours.rows(range(self.day * _HOURS_A_DAY, self.hour))
        self.month = totals_of(np.concatenate([self.days.rows(), today])).compact()

    def pack(self) -> bytes:
        """Return the rings, and which hour and day are open."""
        return _OPEN.pack(self.hour, self.day) + self.hours.pack() + self.days.pack()

    def unpack(self, record: bytes, start: int) -> None:
        """Take what :meth:`pack` gave from ``start`` on; the totals are as they were: see :meth:`rebuild`."""
        self.hour, self.day = _OPEN.unpack_from(record, start)
        self.days.unpack(record, self.hours.unpack(record, start + _OPEN.size))
