"""The open minute of one GPU: what tells a real extreme, and steady load, from one sample's noise."""

from __future__ import annotations

from array import array
from collections.abc import Callable, MutableSequence, Sequence
from math import inf
from struct import Struct
from typing import ClassVar, Final

from models.gpu.columns import (
    MARGIN_MIN,
    MEMORY_TEMP_MAX,
    RESIDUAL_COUNT,
    RESIDUAL_SQUARE,
    RESIDUAL_SUM,
    TEMP_MAX,
)
from models.gpu.hour import LOADED_RATIO

STEADY_LOAD_SPAN: Final = 0.10

# Residual of (watts, load ratio, clock in Hz, lasting values): what load, clock and cap do not explain, in W.
LoadModel = Callable[[float, float, float, Sequence[float]], float]

# Places of the block: append only, records store it as it is.
(
    COUNT,
    TEMP,
    TEMP_MISSING,
    MEMORY,
    MEMORY_MISSING,
    MARGIN,
    MARGIN_MISSING,
    POWER,
    CLOCK,
    LOAD,
    LOAD_LOW,
    LOAD_HIGH,
) = range(12)
_NOTHING_YET: Final = array("d", (*[0.0] * 10, inf, -inf))
_NUMBER: Final = Struct("<d")


class OpenMinute:
    """Sums of one GPU's open minute.

    Attributes
    ----------
    number
        Its epoch number (-1: none yet).
    sums
        Samples, sums and extremes at the places named above; a sum of power, clock or load is NaN where one
        sample lacked it, and of the temperatures and the margin the samples that lacked it are counted.
    """

    __slots__ = ("number", "sums")
    BLOCKS: ClassVar = (1 + len(_NOTHING_YET),)

    def __init__(self) -> None:
        self.number = -1
        self.sums = _NOTHING_YET[:]

    def add(self, temp: float, memory: float, margin: float, load: float, power: float, clock: float) -> None:
        """Add what one sample measured (C, C, C, ratio, W, Hz); NaN: not measured."""
        sums = self.sums
        sums[COUNT] += 1.0
        if temp == temp:
            sums[TEMP] += temp
        else:
            sums[TEMP_MISSING] += 1.0
        if memory == memory:
            sums[MEMORY] += memory
        else:
            sums[MEMORY_MISSING] += 1.0
        if margin == margin:
            sums[MARGIN] += margin
        else:
            sums[MARGIN_MISSING] += 1.0
        sums[POWER] += power
        sums[CLOCK] += clock
        sums[LOAD] += load
        if load < sums[LOAD_LOW]:
            sums[LOAD_LOW] = load
        if load > sums[LOAD_HIGH]:
            sums[LOAD_HIGH] = load

    def close(self, hour: MutableSequence[float], load_model: LoadModel | None, lasting: Sequence[float]) -> None:
        """Put the extremes of the one-minute means into the ``hour``'s sums, and the power residual of steady load.

        The minute is empty afterwards. One that holds no sample adds nothing.
        """
        count, temp, no_temp, memory, no_memory, margin, no_margin, power, clock, load, low, high = self.sums
        if count > no_temp:
            temp /= count - no_temp
            if temp > hour[TEMP_MAX]:
                hour[TEMP_MAX] = temp
        if count > no_memory:
            memory /= count - no_memory
            if memory > hour[MEMORY_TEMP_MAX]:
                hour[MEMORY_TEMP_MAX] = memory
        if count > no_margin:
            margin /= count - no_margin
            if margin < hour[MARGIN_MIN]:
                hour[MARGIN_MIN] = margin
        if load_model is not None and count and load / count >= LOADED_RATIO and high - low <= STEADY_LOAD_SPAN:
            residual = load_model(power / count, load / count, clock / count, lasting)
            if residual == residual:
                hour[RESIDUAL_COUNT] += 1.0
                hour[RESIDUAL_SUM] += residual
                hour[RESIDUAL_SQUARE] += residual * residual
        self.sums[:] = _NOTHING_YET

    def pack(self) -> bytes:
        """Return the blocks of the hot record."""
        return _NUMBER.pack(self.number) + self.sums.tobytes()

    def unpack(self, blocks: Sequence[array[float]]) -> None:
        """Take what :meth:`pack` gave, also of a version with fewer places."""
        (block,) = blocks
        self.number = int(block[0])
        self.sums[: len(block) - 1] = block[1:]
