"""The windows of one GPU recomputed from all of its samples, in the plainest way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, nan

HOUR = 3600
WEEK_HOURS = 168
MONTH_DAYS = 30


@dataclass(frozen=True)
class Tick:
    """One sample: None is not measured; ``corrected`` is the counter's value."""

    time: float
    temp: float | None
    bits: int | None
    corrected: float | None
    interval: float = 10.0


@dataclass
class Hour:
    """What lies in one hour (or, folded, in one day)."""

    observed: float = 0.0
    temp: float = nan
    highest: float = -inf
    corrected: float = 0.0
    thermal: float = nan


@dataclass
class Window:
    """The values of one window."""

    observed: float
    mean: float
    highest: float
    corrected: float
    share: float


def taken(ticks: Sequence[Tick]) -> list[Tick]:
    """Return the samples that are newer than all before them."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.time > kept[-1].time:
            kept.append(tick)
    return kept


def weights(ticks: Sequence[Tick]) -> list[float]:
    """Return the time that each sample stands for: to the one before, or its interval after a gap."""
    found = [ticks[0].interval]
    for before, tick in pairwise(ticks):
        elapsed = tick.time - before.time
        gap = elapsed > max(40.0, 4.0 * max(tick.interval, before.interval))
        found.append(min(tick.interval, elapsed) if gap else elapsed)
    return found


def increments(values: Sequence[float | None]) -> list[float]:
    """Return the increments of one counter alone: a fall counts at its second sighting, with the new value."""
    last: float | None = None
    fallen = False
    found: list[float] = []
    for value in values:
        step = 0.0
        if value is None:
            pass
        elif last is None:
            last = value
        elif value >= last:
            step, last, fallen = value - last, value, False
        elif fallen:
            step, last, fallen = value, value, False
        else:
            fallen = True
        found.append(step)
    return found


def hours(ticks: Sequence[Tick]) -> dict[int, Hour]:
    """Return what lies in each hour; the last minute is open and has no mean yet."""
    found: dict[int, Hour] = {}
    minutes: dict[int, list[float]] = {}
    temps: dict[int, list[tuple[float, float]]] = {}
    for tick, weight, step in zip(ticks, weights(ticks), increments([t.corrected for t in ticks]), strict=True):
        number = int(tick.time) // HOUR
        hour = found.setdefault(number, Hour())
        hour.observed += weight
        hour.corrected += step
        if tick.bits is not None:
            hour.thermal = (0.0 if hour.thermal != hour.thermal else hour.thermal) + (
                weight if tick.bits & 0x60 else 0
            )
        minute = minutes.setdefault(int(tick.time) // 60, [])
        if tick.temp is not None:
            temps.setdefault(number, []).append((weight, tick.temp))
            minute.append(tick.temp)
    for number, pairs in temps.items():
        found[number].temp = sum(w * x for w, x in pairs) / sum(w for w, _ in pairs)
    last = int(ticks[-1].time) // 60
    for number, values in minutes.items():
        if number != last and values:
            hour = found[number // 60]
            hour.highest = max(hour.highest, sum(values) / len(values))
    return found


def combine(parts: Sequence[Hour]) -> Hour:
    """Return the parts as one: means and known sums weigh by the observed time of the parts that have them."""
    whole = Hour()
    whole.observed = sum(part.observed for part in parts)
    whole.corrected = sum(part.corrected for part in parts)
    whole.highest = max((part.highest for part in parts), default=-inf)
    with_temp = [part for part in parts if part.temp == part.temp]
    if with_temp:
        whole.temp = sum(p.temp * p.observed for p in with_temp) / sum(p.observed for p in with_temp)
    known = [part for part in parts if part.thermal == part.thermal]
    if known:
        whole.thermal = sum(p.thermal for p in known)
    return whole


def _window(parts: Sequence[Hour]) -> Window:
    whole = combine(parts)
    known = sum(part.observed for part in parts if part.thermal == part.thermal)
    share = whole.thermal / known if known else nan
    return Window(whole.observed, whole.temp, whole.highest, whole.corrected, share)


def week(ticks: Sequence[Tick]) -> Window:
    """Return the open hour and the 167 hours before it."""
    found = hours(ticks)
    now = int(ticks[-1].time) // HOUR
    return _window([hour for number, hour in found.items() if now - WEEK_HOURS < number <= now])


def month(ticks: Sequence[Tick]) -> Window:
    """Return the open day by hours, and the 29 days before it, each day one part."""
    found = hours(ticks)
    today = int(ticks[-1].time) // (24 * HOUR)
    parts = [hour for number, hour in found.items() if number // 24 == today]
    for day in range(today - MONTH_DAYS + 1, today):
        of_day = [hour for number, hour in found.items() if number // 24 == day]
        if of_day:
            parts.append(combine(of_day))
    return _window(parts)
