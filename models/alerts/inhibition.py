"""One fault hides the alerts that merely follow from it: the decision returns what hides, not a bool."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

# XIDs that a GPU prints because it fell off the bus, and the gaps that it leaves.
_HIDDEN_BY_LOST_CODES: Final = frozenset((31, 45, 94))
_HIDDEN_BY_LOST_RULES: Final = frozenset(("gpu_missing", "telemetry_gap"))
# A double-bit error is reported by 48; what follows it is its remapping and its containment.
_HIDDEN_BY_48: Final = frozenset((63, 94, 95))


def suppressed_by(rule: str, codes: Collection[int], *, lost: bool, double_bit: bool) -> str | None:
    """Return what hides an alert's page, or None.

    Parameters
    ----------
    rule, codes
        Of the alert that fires; ``codes`` are its XIDs.
    lost
        ``gpu_lost`` is firing on the same GPU.
    double_bit
        An XID 48 is open on the same GPU, outside this alert.

    >>> suppressed_by("gpu_missing", (), lost=True, double_bit=False)
    'gpu_lost'
    """
    if lost and (rule in _HIDDEN_BY_LOST_RULES or (codes and _HIDDEN_BY_LOST_CODES.issuperset(codes))):
        return "gpu_lost"
    if double_bit and codes and _HIDDEN_BY_48.issuperset(codes):
        return "xid 48"
    return None
