"""Seconds of one sample under thermal slowdown and under the power brake: counters, else bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Final

from models.gpu.slots import (
    BRAKE_BIT,
    HW_SLOWDOWN_BIT,
    HW_THERMAL,
    HW_THERMAL_BIT,
    POWER_BRAKE,
    REASONS,
    SW_THERMAL,
    SW_THERMAL_BIT,
    THERMAL_VIOLATION,
)

# HW slowdown (0x8) that the thermal bit does not explain is the power brake or the board's fast trigger.
_HW_SLOWDOWN_CAUSES: Final = HW_SLOWDOWN_BIT | HW_THERMAL_BIT
_ANY: Final = _HW_SLOWDOWN_CAUSES | SW_THERMAL_BIT | BRAKE_BIT
_COUNTERS: Final = (SW_THERMAL, HW_THERMAL, THERMAL_VIOLATION, POWER_BRAKE)
_COUNTER_SET: Final = frozenset(_COUNTERS)


def throttled(values: Sequence[float], weight: float, increments: Mapping[int, float]) -> tuple[float, float, float]:
    """Return the seconds under any thermal slowdown, under the hardware's, and under the brake.

    Parameters
    ----------
    values
        By signal index, NaN where not measured.
    weight
        Seconds that the sample stands for.
    increments
        Of the counters, in seconds; see :func:`of_the_sample`.

    Returns
    -------
    thermal, hardware, brake
        NaN where nothing tells.
    """
    reasons = values[REASONS]
    bits = int(reasons) if reasons == reasons else -1
    if bits >= 0 and not bits & _ANY and _COUNTER_SET.isdisjoint(increments):  # what most samples say, at once
        return 0.0, 0.0, 0.0
    if values[SW_THERMAL] == values[SW_THERMAL]:
        software = increments.get(SW_THERMAL, 0.0)
    elif values[THERMAL_VIOLATION] == values[THERMAL_VIOLATION]:
        software = increments.get(THERMAL_VIOLATION, 0.0)
    elif bits >= 0:
        software = weight if bits & SW_THERMAL_BIT else 0.0
    else:
        software = nan
    if values[HW_THERMAL] == values[HW_THERMAL]:
        hardware = increments.get(HW_THERMAL, 0.0)
    elif bits >= 0:
        hardware = weight if bits & HW_THERMAL_BIT else 0.0
    else:
        hardware = nan
    if values[POWER_BRAKE] == values[POWER_BRAKE]:
        brake = increments.get(POWER_BRAKE, 0.0)
    elif bits >= 0:
        brake = weight if bits & BRAKE_BIT or bits & _HW_SLOWDOWN_CAUSES == HW_SLOWDOWN_BIT else 0.0
    else:
        brake = nan
    return hardware if software != software or hardware > software else software, hardware, brake


def of_the_sample(increments: Mapping[int, float], weight: float, gap: float, reset: bool) -> dict[int, float]:
    """Return what of the throttle counters' increments belongs to the ``weight`` seconds of the sample.

    A counter that went on over a ``gap`` (s) is scaled to the observed part, and what it holds after a reset is
    not known to be of this sample beyond the sample's own time.
    """
    if reset:
        return {slot: min(increments[slot], weight) for slot in _COUNTERS if slot in increments}
    observed = weight / (weight + gap)
    return {slot: increments[slot] * observed for slot in _COUNTERS if slot in increments}
