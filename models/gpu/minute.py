"""The open minute of one GPU: what a sample adds to it and to the open hour, and its close."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan
from typing import Final

from models.gpu.hour import OpenHour
from models.gpu.slots import (
    BRAKE_BIT,
    DBE,
    ENERGY,
    GPU_TEMP,
    GPU_UTIL,
    GR_ACTIVE,
    HW_SLOWDOWN_BIT,
    HW_THERMAL,
    HW_THERMAL_BIT,
    LINK_COUNTERS,
    MEM_TEMP,
    POWER_BRAKE,
    POWER_USAGE,
    REASONS,
    SBE,
    SM_ACTIVE,
    SM_CLOCK,
    SRAM_SBE,
    SW_THERMAL,
    SW_THERMAL_BIT,
    TEMP_MARGIN,
    TEMP_SLOWDOWN,
    THERMAL_VIOLATION,
)
from models.gpu.windows import (
    BRAKE,
    CORRECTED,
    EPISODES,
    LINK_ERRORS,
    LOADED,
    MARGIN,
    MARGIN_MIN,
    MEMORY_TEMP,
    MEMORY_TEMP_MAX,
    OBSERVED,
    POWER,
    RESIDUAL_COUNT,
    RESIDUAL_SQUARE,
    RESIDUAL_SUM,
    SRAM_CORRECTED,
    TEMP,
    TEMP_MAX,
    TEMP_SQUARE,
    THERMAL,
    UNCORRECTED,
    UTIL,
)
from schemas.signals import SIGNALS

_INCREMENT_COLUMN: Final = {
    SBE: CORRECTED,
    DBE: UNCORRECTED,
    SRAM_SBE: SRAM_CORRECTED,
    **dict.fromkeys(LINK_COUNTERS, LINK_ERRORS),
}

LOADED_RATIO: Final = 0.10
EPISODE_PAUSE_SECONDS: Final = 300.0
STEADY_LOAD_SPAN: Final = 0.10
# HW slowdown (0x8) that the thermal bit does not explain is the power brake or the board's fast trigger.
_HW_SLOWDOWN_CAUSES: Final = HW_SLOWDOWN_BIT | HW_THERMAL_BIT
# A margin of 0 or less is believed where the die is as hot as its hot limit: 4 C below slowdown, else 85 C.
BELIEVED_BELOW_SLOWDOWN_CELSIUS: Final = 4.0
BELIEVED_CELSIUS: Final = 85.0
_THROTTLE_COUNTERS: Final = (SW_THERMAL, HW_THERMAL, THERMAL_VIOLATION, POWER_BRAKE)


# Residual of (watts, load ratio, clock in Hz, lasting values): what load, clock and cap do not explain, in W.
LoadModel = Callable[[float, float, float, Sequence[float]], float]


class OpenMinute(OpenHour):
    """What one sample adds to the open minute and hour; the base of :class:`models.gpu.state.GpuState`.

    Attributes
    ----------
    thermal_seconds, hw_thermal_seconds, brake_seconds
        Of the last sample; NaN where nothing tells.
    load_ratio
        SM activity, else utilisation, NaN where neither is measured.
    loaded_seconds
        Time under load since the GPU was first seen; it never falls.
    """

    __slots__ = (
        "_energy_time",
        "_episode_end",
        "_margin_missing",
        "_memory_temp_missing",
        "_minute",
        "_minute_clock",
        "_minute_count",
        "_minute_load",
        "_minute_load_high",
        "_minute_load_low",
        "_minute_margin",
        "_minute_memory",
        "_minute_power",
        "_minute_temp",
        "_temp_missing",
        "brake_seconds",
        "gap_seconds",
        "hw_thermal_seconds",
        "increments",
        "lasting",
        "load_ratio",
        "loaded_seconds",
        "reset_seen",
        "thermal_seconds",
        "time",
    )

    def __init__(self) -> None:
        super().__init__()
        self.time = nan
        self.gap_seconds = 0.0
        self.lasting: list[float] = [nan] * len(SIGNALS)
        self.increments: dict[int, float] = {}
        self.reset_seen = False
        self.thermal_seconds = nan
        self.hw_thermal_seconds = nan
        self.brake_seconds = nan
        self.load_ratio = nan
        self.loaded_seconds = 0.0
        self._episode_end = nan
        self._energy_time = nan
        self._minute = -1
        self._minute_load_low = inf
        self._minute_load_high = -inf
        self._clear_minute()

    def _accumulate(self, values: list[float], weight: float) -> None:
        """Add one sample's values, which stand for ``weight`` seconds."""
        hour = self.open
        seconds = self._open_seconds
        increments = self.increments
        hour[OBSERVED] += weight
        self._throttle(values, weight, increments)
        temp = values[GPU_TEMP]
        if temp == temp:
            weighted = weight * temp
            hour[TEMP] += weighted
            hour[TEMP_SQUARE] += weighted * temp
            seconds[TEMP] += weight
            seconds[TEMP_SQUARE] += weight
            self._minute_temp += temp
        else:
            self._temp_missing += 1
        memory = values[MEM_TEMP]
        if memory == memory:
            hour[MEMORY_TEMP] += weight * memory
            seconds[MEMORY_TEMP] += weight
            self._minute_memory += memory
        else:
            self._memory_temp_missing += 1
        margin = values[TEMP_MARGIN]
        if margin > 0.0 or (margin == margin and self._believed(temp)):
            hour[MARGIN] += weight * margin
            seconds[MARGIN] += weight
            self._minute_margin += margin
        else:
            self._margin_missing += 1
        load = values[SM_ACTIVE]
        if load != load:
            load = values[GPU_UTIL]
            if load != load:
                load = values[GR_ACTIVE]
        self.load_ratio = load
        if load == load:
            hour[UTIL] += weight * load
            seconds[UTIL] += weight
            if load >= LOADED_RATIO:
                hour[LOADED] += weight
                self.loaded_seconds += weight
        power = values[POWER_USAGE]
        if increments:
            energy = increments.get(ENERGY)
            if energy is not None:
                # The true mean since the counter last rose, whatever the sensor's own window; a bad read in
                # between makes that more than one sample.
                since = self.time - self._energy_time
                if since > 0.0 and not self.reset_seen:
                    power = energy / since
                self._energy_time = self.time
            self._count(increments, hour)
        if power == power:
            hour[POWER] += weight * power
            seconds[POWER] += weight
        self._minute_count += 1
        self._minute_power += power
        self._minute_clock += values[SM_CLOCK]
        self._minute_load += load
        if load < self._minute_load_low:
            self._minute_load_low = load
        if load > self._minute_load_high:
            self._minute_load_high = load

    def _believed(self, temp: float) -> bool:
        """Tell whether a margin of 0 or less can be true: some H100s report a stuck 0."""
        if self.thermal_seconds > 0.0:
            return True
        slowdown = self.lasting[TEMP_SLOWDOWN]
        hot = slowdown - BELIEVED_BELOW_SLOWDOWN_CELSIUS if slowdown == slowdown else BELIEVED_CELSIUS
        return temp >= hot

    @staticmethod
    def _count(increments: dict[int, float], hour: list[float]) -> None:
        for slot, increment in increments.items():
            column = _INCREMENT_COLUMN.get(slot)
            if column is not None:
                hour[column] += increment

    def _throttle(self, values: list[float], weight: float, increments: dict[int, float]) -> None:
        """Seconds of this sample under thermal slowdown and under the power brake: counters, else bits.

        A counter that went on over a gap is scaled to the observed part, and what it holds after a reset is
        not known to be of this sample beyond the sample's own time.
        """
        if increments and (self.gap_seconds > 0.0 or self.reset_seen):
            increments = self._observed(increments, weight)
        reasons = values[REASONS]
        bits = int(reasons) if reasons == reasons else -1
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
        thermal = hardware if software != software or hardware > software else software
        self.hw_thermal_seconds = hardware
        self.thermal_seconds = thermal
        self.brake_seconds = brake
        hour = self.open
        if thermal == thermal:
            self._open_seconds[THERMAL] += weight
            if thermal > 0.0:
                hour[THERMAL] += thermal
                if not self.time - self._episode_end < EPISODE_PAUSE_SECONDS:
                    hour[EPISODES] += 1.0
                self._episode_end = self.time
        if brake == brake:
            self._open_seconds[BRAKE] += weight
            if brake > 0.0:
                hour[BRAKE] += brake

    def _observed(self, increments: dict[int, float], weight: float) -> dict[int, float]:
        """Return what of the throttle counters' increments belongs to the observed ``weight`` of this sample."""
        if self.reset_seen:
            return {slot: min(increments[slot], weight) for slot in _THROTTLE_COUNTERS if slot in increments}
        observed = weight / (weight + self.gap_seconds)
        return {slot: increments[slot] * observed for slot in _THROTTLE_COUNTERS if slot in increments}

    def _close_minute(self, load_model: LoadModel | None) -> None:
        """Put the extremes of the one-minute means into the open hour, and the power residual of steady load."""
        count = self._minute_count
        hour = self.open
        measured = count - self._temp_missing
        if measured:
            temp = self._minute_temp / measured
            if temp > hour[TEMP_MAX]:
                hour[TEMP_MAX] = temp
        measured = count - self._memory_temp_missing
        if measured:
            memory = self._minute_memory / measured
            if memory > hour[MEMORY_TEMP_MAX]:
                hour[MEMORY_TEMP_MAX] = memory
        measured = count - self._margin_missing
        if measured:
            margin = self._minute_margin / measured
            if margin < hour[MARGIN_MIN]:
                hour[MARGIN_MIN] = margin
        if load_model is not None:
            load = self._minute_load / count
            spread = self._minute_load_high - self._minute_load_low
            if load >= LOADED_RATIO and spread <= STEADY_LOAD_SPAN:
                residual = load_model(self._minute_power / count, load, self._minute_clock / count, self.lasting)
                if residual == residual:
                    hour[RESIDUAL_COUNT] += 1.0
                    hour[RESIDUAL_SUM] += residual
                    hour[RESIDUAL_SQUARE] += residual * residual
        self._clear_minute()

    def _clear_minute(self) -> None:
        self._minute_count = 0
        self._temp_missing = self._memory_temp_missing = self._margin_missing = 0
        self._minute_temp = self._minute_memory = self._minute_margin = 0.0
        self._minute_power = self._minute_clock = self._minute_load = 0.0
        self._minute_load_low = inf
        self._minute_load_high = -inf
