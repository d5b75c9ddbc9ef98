"""What is not measured is NaN, in every float of a sample and a state."""

from __future__ import annotations


def measured(value: float) -> bool:
    """Tell whether ``value`` was measured. What every sample passes writes ``value == value`` out: a call costs more.

    >>> measured(0.0), measured(float("nan"))
    (True, False)
    """
    return value == value
