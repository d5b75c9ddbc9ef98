"""Counters become increments, with reset epochs and without being fooled by one bad read."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import nan
from typing import ClassVar, Final

from schemas.signals import INDEX, MOVING, SIGNALS

# A counter's place here is where the block, and so a record, has it: append only.
PINNED_COUNTERS: Final = (
    "thermal_violation_seconds_total",
    "sw_thermal_slowdown_seconds_total",
    "hw_thermal_slowdown_seconds_total",
    "energy_joules_total",
    "power_violation_seconds_total",
    "sync_boost_violation_seconds_total",
    "board_limit_violation_seconds_total",
    "low_util_violation_seconds_total",
    "reliability_violation_seconds_total",
    "sw_power_cap_seconds_total",
    "sync_boost_seconds_total",
    "hw_power_brake_seconds_total",
    "ecc_sbe_volatile_total",
    "ecc_dbe_volatile_total",
    "ecc_sbe_aggregate_total",
    "ecc_dbe_aggregate_total",
    "ecc_sbe_sram_volatile_total",
    "ecc_dbe_sram_volatile_total",
    "ecc_sbe_sram_aggregate_total",
    "ecc_dbe_sram_aggregate_total",
    "page_retired_sbe_total",
    "page_retired_dbe_total",
    "row_remap_uncorrectable_total",
    "row_remap_correctable_total",
    "pcie_replay_total",
    "pcie_correctable_errors_total",
    "nvlink_crc_flit_errors_total",
    "nvlink_crc_data_errors_total",
    "nvlink_replay_errors_total",
    "nvlink_recovery_errors_total",
    "nvlink_recovery_successful_total",
    "nvlink_recovery_failed_total",
    "nvlink_recovery_events_total",
)
COUNTER_SLOTS: Final = tuple(signal.index for signal in SIGNALS if signal.kind == "counter")
SLOT_OF: Final = tuple(INDEX[name] for name in PINNED_COUNTERS)
"""By place: the counter's signal index."""
PLACE_OF: Final = tuple(SLOT_OF.index(signal.index) if signal.index in SLOT_OF else -1 for signal in SIGNALS)
"""By signal index: the counter's place, -1 for what is no counter."""
_MOVING: Final = tuple((slot, PLACE_OF[slot]) for slot in sorted(MOVING))
LIFETIME: Final = frozenset(signal.index for signal in SIGNALS if signal.reset_class == "lifetime")
_NEVER: Final = array("d", [nan] * len(SLOT_OF))


class Counters:
    """Last value of each counter of one GPU, and the drops that wait to be understood.

    Attributes
    ----------
    last
        Last accepted value by place in :data:`PINNED_COUNTERS`; NaN: never seen.
    fallen
        A drop seen once, by signal index: the value that was read.
    epoch
        Resets of driver counters seen so far.
    """

    __slots__ = ("epoch", "fallen", "last")
    BLOCKS: ClassVar = (1, len(SLOT_OF))

    def __init__(self) -> None:
        self.last = _NEVER[:]
        self.fallen: dict[int, float] = {}
        self.epoch = 0

    def seen(self, slot: int) -> bool:
        """Tell whether the counter of signal ``slot`` was ever measured."""
        value = self.last[PLACE_OF[slot]]
        return value == value

    def moving(self, values: Sequence[float]) -> dict[int, float] | None:
        """Take a sample in which only the counters of MOVING may have moved; None: it takes :meth:`update`."""
        if self.fallen:
            return None
        last = self.last
        increments: dict[int, float] = {}
        for slot, place in _MOVING:
            value, before = values[slot], last[place]
            if value > before:
                increments[slot] = value - before
            elif value < before or (value == value and before != before):  # it fell, or is seen for the first time
                return None
        for slot in increments:
            last[PLACE_OF[slot]] = values[slot]
        return increments

    def update(
        self, values: Sequence[float], present: tuple[int, ...]
    ) -> tuple[dict[int, float], bool, tuple[int, ...]]:
        """Take one sample's counters.

        Parameters
        ----------
        values
            The sample's values by signal index, NaN where not measured.
        present
            Counters that the message names.

        Returns
        -------
        increments, reset, replaced
            Increments above zero by signal index; whether a new epoch of the driver counters began; lifetime
            counters that fell, which means another board or a cleared InfoROM, not errors.

        Notes
        -----
        A first sight sets the baseline and adds nothing. A fall is an epoch, with the new value as the
        increment, once a second sample confirms it or another counter of its reset class fell in the same
        sample. A return to the old value or above in the next sample was a bad read: only the excess counts.
        """
        last = self.last
        place_of = PLACE_OF
        increments: dict[int, float] = {}
        drops: list[int] | None = None
        for slot in present:
            value = values[slot]
            place = place_of[slot]
            before = last[place]
            if value == before:
                continue
            if value > before:
                increments[slot] = value - before
                last[place] = value
            elif value < before:
                if drops is None:
                    drops = []
                drops.append(slot)
            elif value == value:  # a first sight
                last[place] = value or 0.0  # never -0.0
        if self.fallen or drops:
            return self._settle(values, present, increments, drops or [])
        return increments, False, ()

    def _settle(
        self, values: Sequence[float], present: tuple[int, ...], increments: dict[int, float], drops: list[int]
    ) -> tuple[dict[int, float], bool, tuple[int, ...]]:
        """Decide the drops of this sample and of the one before.

        While a counter is in ``fallen`` its ``last`` still holds the value before the fall, so a return above
        it was counted as the excess by the ordinary way, and a second value below it is a drop again.
        """
        waiting = self.fallen
        driver = [slot for slot in drops if slot not in LIFETIME]
        together = len(driver) > 1 or any(slot not in LIFETIME for slot in waiting if slot in drops)
        reset = False
        replaced: list[int] = []
        still: dict[int, float] = {}
        for slot in drops:
            confirmed = slot in waiting or (slot not in LIFETIME and together)
            if not confirmed:
                still[slot] = values[slot]
                continue
            value = values[slot]
            self.last[PLACE_OF[slot]] = value
            if slot in LIFETIME:
                replaced.append(slot)
            else:
                reset = True
                if value > 0.0:
                    increments[slot] = value
        for slot in waiting:  # not named or not measured in this sample: keep waiting for the second read
            if slot not in drops and not (slot in present and values[slot] == values[slot]):
                still[slot] = waiting[slot]
        self.fallen = still
        if reset:
            self.epoch += 1
        return increments, reset, tuple(replaced)

    def pack(self) -> bytes:
        """Return the blocks of the hot record; the last one, of ``fallen``, is place and value by turns."""
        fallen = [number for slot, value in self.fallen.items() for number in (PLACE_OF[slot], value)]
        return array("d", (self.epoch,)).tobytes() + self.last.tobytes() + array("d", fallen).tobytes()

    def unpack(self, blocks: Sequence[array[float]]) -> None:
        """Take what :meth:`pack` gave, also of a version with fewer counters."""
        (epoch,), last, fallen = blocks
        self.epoch = int(epoch)
        self.last[: len(last)] = last
        self.fallen = {SLOT_OF[int(place)]: value for place, value in zip(fallen[::2], fallen[1::2], strict=True)}
