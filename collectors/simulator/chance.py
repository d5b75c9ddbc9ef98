"""Chance without state: a number in [0, 1) that depends on the seed and on what it is for, on nothing else.

So a sample is the same whether it is made live, as history, alone or among ten thousand.

References
----------
Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators: the mixing function of SplitMix64.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def _mix(state: Ints) -> Ints:
    with np.errstate(over="ignore"):
        state = state + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
        return state ^ (state >> np.uint64(31))


def uniform(*parts: int | Floats | Ints) -> Floats:
    """Return numbers in [0, 1) of the broadcast shape of ``parts`` (whole numbers; floats are cut).

    >>> bool(uniform(1, 2, 3) == uniform(1, 2, 3)), bool(uniform(1, 2, 3) == uniform(1, 2, 4))
    (True, False)
    """
    state: Ints = np.zeros(1, dtype=np.uint64)
    for part in parts:
        word: Ints = np.atleast_1d(np.asarray(part)).astype(np.int64).view(np.uint64)
        state = _mix(state ^ word)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def bell(*parts: int | Floats | Ints) -> Floats:
    """Return numbers with mean 0 and deviation 1, never beyond 3: the sum of three uniform ones."""
    return 2.0 * (uniform(*parts, 1) + uniform(*parts, 2) + uniform(*parts, 3)) - 3.0
