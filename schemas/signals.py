"""The canonical signals and every name they ever had, loaded from signals.csv."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal, cast

Kind = Literal["gauge", "counter", "state", "mask", "constant"]
ResetClass = Literal["", "driver", "lifetime"]
Merge = Literal["max", "min", "sum", "mean", "or"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One canonical signal.

    Parameters
    ----------
    index
        Position in a sample's values.
    name
        Canonical name; its suffix is the unit.
    field_id
        DCGM field id, the identity; None where DCGM has none.
    factor
        From DCGM's raw unit to the canonical unit.
    low, high
        Range gate in the canonical unit, both inclusive.
    reset_class
        ``driver`` counters fall to zero at a driver load or GPU reset, ``lifetime`` counters never do.
    column, column_factor
        Column of gpu_health_metrics and the factor from the canonical unit to its unit.
    mig_merge
        How rows of MIG instances become the GPU's value.
    """

    index: int
    name: str
    field_id: int | None
    kind: Kind
    factor: float
    low: float
    high: float
    reset_class: ResetClass
    column: str
    column_factor: float
    mig_merge: Merge
    meaning: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of a signal and the factor from that name's unit to the canonical one.

    Of two names of one signal in one message that of the lower ``rank`` counts: their order in signals.csv.
    """

    signal: Signal
    factor: float
    rank: int


def _load() -> tuple[tuple[Signal, ...], dict[str, Alias]]:
    text = (files("schemas") / "signals.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    signals: list[Signal] = []
    aliases: dict[str, Alias] = {}
    for index, row in enumerate(rows):
        signal = Signal(
            index=index,
            name=row["name"],
            field_id=int(row["field_id"]) if row["field_id"] else None,
            kind=cast(Kind, row["kind"]),
            factor=float(row["factor"]),
            low=float(row["low"]),
            high=float(row["high"]),
            reset_class=cast(ResetClass, row["reset_class"]),
            column=row["column"],
            column_factor=float(row["column_factor"]),
            mig_merge=cast(Merge, row["mig_merge"]),
            meaning=row["meaning"],
        )
        signals.append(signal)
        for rank, entry in enumerate(row["aliases"].split("|")):
            name, _, factor = entry.partition(":")
            aliases[name] = Alias(signal, float(factor) if factor else signal.factor, rank)
    return tuple(signals), aliases


_loaded = _load()
SIGNALS: Final[tuple[Signal, ...]] = _loaded[0]
ALIASES: Final[Mapping[str, Alias]] = _loaded[1]
INDEX: Final[Mapping[str, int]] = {signal.name: signal.index for signal in SIGNALS}

MOVING: Final = frozenset(
    INDEX[name] for name in ("energy_joules_total", "power_violation_seconds_total", "sw_power_cap_seconds_total")
)
"""Counters that move with each sample of a healthy GPU at work."""

_LINK_NAME = re.compile(r"^(?P<stem>.*NVLINK.*)_L(?P<link>\d{1,3})$")


def link_alias(name: str) -> tuple[Alias, int] | None:
    """Return the signal and link number of a per-link counter's name, None for any other name.

    >>> alias, link = link_alias("DCGM_FI_DEV_NVLINK_REPLAY_ERROR_COUNT_L7")
    >>> alias.signal.name, link
    ('nvlink_replay_errors_total', 7)
    """
    match = _LINK_NAME.match(name)
    if match is None:
        return None
    alias = ALIASES.get(match["stem"] + "_TOTAL")
    return (alias, int(match["link"])) if alias else None
