"""Counters become increments, with reset epochs and without being fooled by one bad read."""

from __future__ import annotations

from typing import Final

from schemas.signals import SIGNALS

COUNTER_SLOTS: Final = tuple(signal.index for signal in SIGNALS if signal.kind == "counter")
LIFETIME: Final = frozenset(signal.index for signal in SIGNALS if signal.reset_class == "lifetime")


class Counters:
    """Last value of each counter of one GPU, and the drops that wait to be understood.

    Attributes
    ----------
    last
        Last accepted value by signal index; a counter never seen is absent.
    fallen
        A drop seen once: the value before it.
    epoch
        Resets of driver counters seen so far.
    """

    __slots__ = ("epoch", "fallen", "last")

    def __init__(self) -> None:
        self.last: dict[int, float] = {}
        self.fallen: dict[int, float] = {}
        self.epoch = 0

    def update(self, values: list[float], present: tuple[int, ...]) -> tuple[dict[int, float], bool, tuple[int, ...]]:
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
        increments: dict[int, float] = {}
        drops: list[int] | None = None
        for slot in present:
            value = values[slot]
            before = last.get(slot)
            if value == before:
                continue
            if before is None:
                if value == value:
                    last[slot] = value
            elif value > before:
                increments[slot] = value - before
                last[slot] = value
            elif value < before:
                if drops is None:
                    drops = []
                drops.append(slot)
        if self.fallen or drops:
            return self._settle(values, present, increments, drops or [])
        return increments, False, ()

    def _settle(
        self, values: list[float], present: tuple[int, ...], increments: dict[int, float], drops: list[int]
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
            self.last[slot] = value
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
