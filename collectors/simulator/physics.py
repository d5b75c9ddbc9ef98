"""How a simulated GPU runs: power from load, temperature from power, and what its faults do to both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from collectors.simulator.chance import Floats, bell, uniform
from collectors.simulator.faults import Fault
from collectors.simulator.fleet import Gpu
from collectors.simulator.load import EPOCH, IDLE, Load
from collectors.simulator.models import WARM_SLOTS, GpuModel

_DAY_SECONDS: Final = 86_400.0
_INLET_CELSIUS: Final = 25.0
_INLET_SWING_CELSIUS: Final = 1.5
_DIE_SECONDS: Final = 60.0
_MEMORY_SECONDS: Final = 100.0
# Faults grow in over minutes to half an hour.
_COOLER_FAILS_SECONDS: Final = 1_800.0
# Past the alarm, and far enough from the shutdown that no page is due.
_HOT_BELOW_SLOWDOWN_CELSIUS: Final = 2.0
_THROTTLING_BELOW_SLOWDOWN_CELSIUS: Final = 4.0
THROTTLED_SHARE: Final = 0.7
_THROTTLED_POWER: Final = 0.55
_SWING_SECONDS: Final = 150.0
_SWING_OF_LIMIT: Final = 0.25
_SWING_CENTRE: Final = 0.7


@dataclass(frozen=True, slots=True)
class Group:
    """Some GPUs of one model at some times, and their faults' starts (inf: none), shape (GPUs, 1)."""

    seed: int
    model: GpuModel
    gpus: tuple[Gpu, ...]
    times: Floats
    load: Load
    starts: dict[str, Floats]

    def since(self, fault: str) -> Floats:
        """Return the seconds since the start of ``fault``, 0 before it, shape (GPUs, times)."""
        elapsed: Floats = np.maximum(self.times[None, :] - self.starts[fault], 0.0)
        return elapsed

    def active(self, fault: str) -> NDArray[np.bool_]:
        """Tell where ``fault`` has begun."""
        return self.times[None, :] >= self.starts[fault]

    @property
    def index(self) -> Floats:
        """Return the GPUs' indexes, shape (GPUs, 1)."""
        return np.array([[gpu.index] for gpu in self.gpus], dtype=np.float64)

    @property
    def tick(self) -> Floats:
        """Return tenths of seconds, what chance depends on, shape (1, times)."""
        return np.round(self.times * 10.0)[None, :]


@dataclass(frozen=True, slots=True)
class Physics:
    """What the sensors measure, shape (GPUs, times); ``throttled`` is where hardware holds the clocks."""

    power_watts: Floats
    energy_joules: Floats
    die_celsius: Floats
    memory_celsius: Floats
    throttled: NDArray[np.bool_]
    work: Floats


def fault_starts(faults: Sequence[Fault], gpus: Sequence[Gpu], names: Sequence[str]) -> dict[str, Floats]:
    """Return each fault's start on each GPU, inf where it has none, shape (GPUs, 1)."""
    starts = {name: np.full((len(gpus), 1), np.inf) for name in names}
    row = {gpu.index: position for position, gpu in enumerate(gpus)}
    for fault in faults:
        if fault.gpu in row:
            cell = (row[fault.gpu], 0)
            starts[fault.name][cell] = min(starts[fault.name][cell], fault.start)
    return starts


def run(group: Group) -> Physics:
    """Return what the sensors of ``group`` measure."""
    model, load, index, tick = group.model, group.load, group.index, group.tick
    span = model.power_limit_watts - model.idle_watts
    quality = 1.0 + 0.015 * bell(group.seed, 21, index)
    throttling = group.active("throttling")
    throttled = throttling & (uniform(group.seed, 22, index, tick) < THROTTLED_SHARE)
    held = np.where(throttling, _THROTTLED_POWER, 1.0)
    unsteady = group.active("power_instability")
    centre = np.where(unsteady, _SWING_CENTRE, 1.0)
    mean_watts = model.idle_watts + span * quality * load.share * held * centre
    swing = np.where(unsteady, _SWING_OF_LIMIT * model.power_limit_watts, 0.0)
    turn = 2.0 * pi * group.since("power_instability") / _SWING_SECONDS
    noise = np.where(load.kind == IDLE, 1.0, 0.012 * model.power_limit_watts)
    power = mean_watts + swing * np.sin(turn) + noise * bell(group.seed, 23, index, tick)
    energy = (
        model.idle_watts * (group.times[None, :] - _booted(group))
        + span * quality * load.share_seconds
        + swing * _SWING_SECONDS / (2.0 * pi) * (1.0 - np.cos(turn))
        - _energy_saved(group, span * quality)
    )
    die, memory = _temperatures(group, quality * span, held * centre)
    return Physics(
        power_watts=np.clip(power, 0.8 * model.idle_watts, 1.02 * model.power_limit_watts),
        energy_joules=energy,
        die_celsius=die,
        memory_celsius=memory,
        throttled=throttled,
        work=load.utilisation * np.where(throttled, 0.5, 1.0),
    )


def _booted(group: Group) -> Floats:
    """Return when the drivers were loaded, some weeks before any history, shape (GPUs, 1)."""
    host = np.array([[gpu.host] for gpu in group.gpus], dtype=np.float64)
    return EPOCH + _DAY_SECONDS * 30.0 * uniform(group.seed, 24, host)


def _energy_saved(group: Group, span: Floats) -> Floats:
    """Return the joules that a fault kept a busy GPU from drawing since the fault began."""
    throttling = group.since("throttling") * (1.0 - _THROTTLED_POWER)
    unsteady = group.since("power_instability") * (1.0 - _SWING_CENTRE)
    saved: Floats = span * group.load.share * (throttling + unsteady)
    return saved


def _temperatures(group: Group, span: Floats, held: Floats) -> tuple[Floats, Floats]:
    model, load = group.model, group.load
    warm = np.array([[1.0 if gpu.slot in WARM_SLOTS else 0.0] for gpu in group.gpus])
    host = np.array([[gpu.host] for gpu in group.gpus], dtype=np.float64)
    day = 2.0 * pi * (group.times[None, :] / _DAY_SECONDS + uniform(group.seed, 25, host))
    inlet = _INLET_CELSIUS + _INLET_SWING_CELSIUS * np.sin(day) + 1.0 * bell(group.seed, 26, group.index)
    now, before = (
        model.celsius_per_watt * (model.idle_watts + span * share * held) + warm * model.slot_celsius * share
        for share in (load.share, load.share_before)
    )
    die = inlet + now + (before - now) * np.exp(-load.since_seconds / _DIE_SECONDS)
    limit = model.slowdown_celsius or model.max_op_celsius
    for fault, below in (
        ("hot_gpu", _HOT_BELOW_SLOWDOWN_CELSIUS),
        ("throttling", _THROTTLING_BELOW_SLOWDOWN_CELSIUS),
    ):
        grown = 1.0 - np.exp(-group.since(fault) / _COOLER_FAILS_SECONDS)
        die = die + np.maximum(limit - below - die, 0.0) * grown
    rise = model.memory_celsius or 0.0
    memory = die + rise * (
        load.share + (load.share_before - load.share) * np.exp(-load.since_seconds / _MEMORY_SECONDS)
    )
    noise = 0.35 * bell(group.seed, 27, group.index, group.tick)
    return die + noise, memory + noise
