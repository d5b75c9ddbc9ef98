"""MIG instance rows of one GPU become the GPU's values (the GPU's own row, where there is one, wins)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from schemas.sample import is_blank
from schemas.signals import ALIASES, Merge

_SLICES: Final = re.compile(r"(\d+)g\.")


@dataclass(slots=True)
class Instance:
    """The values of one MIG instance and its profile, such as ``1g.5gb``."""

    profile: str
    values: dict[str, float | str]


def slices(profile: str) -> int:
    """Return the compute slices of a profile, 1 where it does not say.

    >>> slices("3g.20gb"), slices("1c.2g.10gb"), slices("")
    (3, 2, 1)
    """
    match = _SLICES.search(profile)
    return max(int(match[1]), 1) if match and len(match[1]) < 4 else 1


def merge_instances(instances: Collection[Instance]) -> dict[str, float | str]:
    """Return the GPU's values by the merge rule of each signal; an unknown name takes the maximum.

    A name that no instance has as a measured number keeps the first value: a blank stays a blank.

    >>> merge_instances([Instance("1g.5gb", {"DCGM_FI_DEV_FB_USED": 10.0}),
    ...                  Instance("1g.5gb", {"DCGM_FI_DEV_FB_USED": 5.0})])
    {'DCGM_FI_DEV_FB_USED': 15.0}
    """
    names = dict.fromkeys(name for instance in instances for name in instance.values)
    merged: dict[str, float | str] = {}
    for name in names:
        alias = ALIASES.get(name)
        found = [(one.values[name], slices(one.profile)) for one in instances if name in one.values]
        numbers = [(value, weight) for value, weight in found if isinstance(value, float) and not is_blank(value)]
        if numbers:
            merged[name] = _merge(alias.signal.mig_merge if alias else "max", numbers)
        else:
            merged[name] = found[0][0]
    return merged


def _merge(rule: Merge, numbers: list[tuple[float, int]]) -> float:
    values = [value for value, _ in numbers]
    if rule == "sum":
        return sum(values)
    if rule == "mean":
        return sum(value * weight for value, weight in numbers) / sum(weight for _, weight in numbers)
    if rule == "min":
        return min(values)
    if rule == "or":
        bits = 0
        for value in values:
            bits |= int(value) if 0 <= value < 2**53 else 0
        return float(bits)
    return max(values)
