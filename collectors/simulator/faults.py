"""Faults of the simulated fleet: which GPU, from when, and what its kernel log says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from collectors.simulator.chance import uniform
from collectors.simulator.models import GPUS_PER_HOST

_DAY_SECONDS: Final = 86_400.0
_HOUR_SECONDS: Final = 3_600.0


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault.

    Parameters
    ----------
    default_start_seconds
        Start in the default set, relative to the first live sample; negative: the history shows it already.
    lines
        Kernel log: (seconds after the start, XID, text behind the code).
    silent_after_seconds
        When the GPU stops reporting; None: never.
    needs_load
        Shown under load only, so such a GPU is always busy.
    """

    name: str
    default_start_seconds: float
    meaning: str
    lines: tuple[tuple[float, int, str], ...] = ()
    silent_after_seconds: float | None = None
    needs_load: bool = False


KINDS: Final = {
    kind.name: kind
    for kind in (
        FaultKind(
            "ecc_uncorrected",
            20.0,
            "an uncorrected memory error: XID 48, 63, 94, a row remap waits for a reset",
            (
                (0.00, 48, "pid=48213, name=python3, DBE (double bit error) detected on the memory"),
                (
                    0.09,
                    63,
                    "pid=48213, name=python3, Row Remapper: New row marked for remapping, reset gpu to activate.",
                ),
                (0.17, 94, "pid=48213, name=python3, Contained: CE User Channel (0x9). RST: No, D-RST: No"),
            ),
        ),
        FaultKind(
            "hot_gpu", -2 * _DAY_SECONDS, "the cooler fails: the die nears its slowdown limit", needs_load=True
        ),
        FaultKind("ecc_trend", -3 * _DAY_SECONDS, "corrected memory errors grow to hundreds an hour"),
        FaultKind("vanishing", 30.0, "the GPU stops reporting, its host goes on", silent_after_seconds=0.0),
        FaultKind(
            "throttling", -6 * _HOUR_SECONDS, "hardware thermal slowdown, clocks at half or less", needs_load=True
        ),
        FaultKind(
            "remap_failed",
            40.0,
            "row remapping failed: XID 64, the board goes back to its maker",
            (
                (
                    0.0,
                    64,
                    "pid='<unknown>', name=<unknown>, Row Remapper Error: All reserved rows for bank are remapped",
                ),
            ),
        ),
        FaultKind("power_instability", -2 * _DAY_SECONDS, "the power draw swings at steady load", needs_load=True),
        FaultKind(
            "off_bus",
            50.0,
            "XID 79: the GPU has fallen off the bus",
            ((0.0, 79, "pid='<unknown>', name=<unknown>, GPU has fallen off the bus."),),
            silent_after_seconds=1.0,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind's name, the GPU's index and its start (epoch s)."""

    name: str
    gpu: int
    start: float

    @property
    def kind(self) -> FaultKind:
        """Return what the fault does."""
        return KINDS[self.name]


def default_faults(seed: int, gpus: int, live_start: float) -> tuple[Fault, ...]:
    """Return one fault of each kind on GPUs of different hosts, fewer in a small fleet (a third at most)."""
    hosts = max(gpus // GPUS_PER_HOST, 1)
    faults: list[Fault] = []
    taken: set[int] = set()
    for position, kind in enumerate(KINDS.values()):
        if len(faults) >= max(gpus // 3, 1):
            break
        host = position % hosts
        size = min(GPUS_PER_HOST, gpus - host * GPUS_PER_HOST)
        gpu = host * GPUS_PER_HOST + int(uniform(seed, 7, position)[0] * size)
        while gpu in taken:
            gpu = (gpu + 1) % gpus
        taken.add(gpu)
        faults.append(Fault(kind.name, gpu, live_start + kind.default_start_seconds))
    return tuple(faults)


def parse_faults(text: str, *, seed: int, gpus: int, live_start: float) -> tuple[Fault, ...]:
    """Return the faults that ``text`` names: ``default``, ``none`` or ``name@gpu@seconds,…``.

    Seconds count from the first live sample and may be negative.

    Raises
    ------
    ValueError
        Not such a text; the message names what is allowed.

    >>> parse_faults("hot_gpu@3@-60", seed=1, gpus=8, live_start=1000.0)
    (Fault(name='hot_gpu', gpu=3, start=940.0),)
    """
    if text == "none":
        return ()
    if text == "default":
        return default_faults(seed, gpus, live_start)
    faults: list[Fault] = []
    for entry in text.split(","):
        parts = entry.strip().split("@")
        if len(parts) != 3 or parts[0] not in KINDS:
            raise ValueError(f"{entry!r} is not name@gpu@seconds with a name of {', '.join(KINDS)}")
        try:
            gpu, seconds = int(parts[1]), float(parts[2])
        except ValueError as error:
            raise ValueError(f"{entry!r}: gpu is an index, seconds a number") from error
        if not 0 <= gpu < gpus:
            raise ValueError(f"{entry!r}: the fleet has GPUs 0 to {gpus - 1}")
        faults.append(Fault(parts[0], gpu, live_start + seconds))
    return tuple(faults)


def silent_from(faults: Sequence[Fault], gpu: int) -> float:
    """Return from when (epoch s) the GPU reports nothing; inf: never."""
    times = [
        fault.start + fault.kind.silent_after_seconds
        for fault in faults
        if fault.gpu == gpu and fault.kind.silent_after_seconds is not None
    ]
    return min(times, default=float("inf"))


def log_lines(faults: Sequence[Fault], start: float, end: float) -> Iterator[tuple[float, int, int, str]]:
    """Yield (time, GPU index, XID, text) of the kernel log lines written in [start, end), in time order."""
    found = [
        (fault.start + after, fault.gpu, code, text)
        for fault in faults
        for after, code, text in fault.kind.lines
        if start <= fault.start + after < end
    ]
    yield from sorted(found)
