"""Which temperature margins are believed: some H100s report a stuck 0."""

from __future__ import annotations

from typing import Final

# A margin of 0 or less is believed where the die is as hot as its hot limit: 4 C below slowdown, else 85 C.
BELIEVED_BELOW_SLOWDOWN_CELSIUS: Final = 4.0
BELIEVED_CELSIUS: Final = 85.0


def is_believed(temp: float, thermal_seconds: float, slowdown: float) -> bool:
    """Tell whether a margin of 0 or less can be true.

    Parameters
    ----------
    temp, slowdown
        The die and where it slows down, in C; NaN: not measured.
    thermal_seconds
        Of this sample, under thermal slowdown.

    Examples
    --------
    >>> is_believed(60.0, 0.0, 87.0), is_believed(84.0, 0.0, 87.0), is_believed(60.0, 2.5, 87.0)
    (False, True, True)
    """
    if thermal_seconds > 0.0:
        return True
    return temp >= (slowdown - BELIEVED_BELOW_SLOWDOWN_CELSIUS if slowdown == slowdown else BELIEVED_CELSIUS)
