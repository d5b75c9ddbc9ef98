"""The figures of the contenders as a table: medians over the rounds with their spread, wall time and CPU."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from tests.bench import release
from tests.bench.compare import CONTENDERS, GPUS, PARTITIONS, Figures

_RATIOS: Final = {
    "against_release": ("bare_step", "release", f"today's step against {release.NAME}'s, times"),
    "against_bytewax": ("role", "bytewax_flow", "role score against Bytewax, times"),
    "against_bytewax_recovery": ("role", "bytewax_recovery", "role score against Bytewax, recovery, times"),
    "against_plain_faust": ("role", "plain_faust", "role score against plain Faust, times"),
    "against_bare": ("role", "bare", "role score against bare aiokafka, times"),
}
_OVERHEADS: Final = {
    "overhead_us": ("role", "overhead beside the step, us: role score"),
    "bytewax_overhead_us": ("bytewax_flow", "overhead beside the step, us: Bytewax"),
    "bytewax_recovery_overhead_us": ("bytewax_recovery", "overhead beside the step, us: Bytewax, recovery"),
}


class Spread(NamedTuple):
    """Median, least and greatest of the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        """Return it as the table shows it."""
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of some figures.

    >>> str(spread([3.0, 1.0, 2.0]))
    '2.00 (1.00 to 3.00)'
    """
    return Spread(median(values), min(values), max(values))


def microseconds(figures: dict[str, float], what: str = "seconds") -> float:
    """Return the time of one message."""
    return figures[what] / figures["messages"] * 1e6


def table(kind: str, figures: Figures, bytes_a_message: float) -> dict[str, Any]:
    """Print one kind's table and return its figures.

    A shared machine changes its speed between two runs by more than what is compared. An overhead is therefore
    told within a run, beside the step as it ran there; a ratio is that of two runs of one round. Only for role score
    the step is timed by the chunk, so that what the partition's loop adds to the bare step comes from the run in
    memory.
    """
    wall = {name: [microseconds(one) for one in rounds] for name, rounds in figures.items()}
    cpu = {name: [microseconds(one, "cpu_seconds") for one in rounds] for name, rounds in figures.items()}
    loop_us = spread([microseconds(one, "beside_seconds") for one in figures["in_memory"]])
    print(f"\nMessages of {kind}: {bytes_a_message:.0f} bytes, {GPUS} GPUs, {PARTITIONS} partitions")
    print(f"  us a message, median (least to most) of {len(wall['role'])} rounds")
    print(f"  {'':52}{'wall':>26}{'CPU, all threads':>26}{'messages/s':>12}{'peak MiB':>10}")
    for name, title in CONTENDERS.items():
        if name not in figures:
            print(f"  {title:52}{'not measured: git has no such version here':>26}")
            continue
        peak = max(one["peak_mib"] for one in figures[name])
        fast = 1e6 / median(wall[name])
        print(f"  {title:52}{spread(wall[name])!s:>26}{spread(cpu[name])!s:>26}{fast:12,.0f}{peak:10.0f}")
    summary: dict[str, Any] = {
        "microseconds": {name: spread(costs)._asdict() for name, costs in wall.items()},
        "cpu_microseconds": {name: spread(costs)._asdict() for name, costs in cpu.items()},
        "loop_us": loop_us._asdict(),
    }
    for key, (name, title) in _OVERHEADS.items():
        beside = [microseconds(one, "beside_seconds") for one in figures[name]]
        found = spread([one + (loop_us.median if name == "role" else 0.0) for one in beside])
        summary[key] = found._asdict()
        print(f"  {title:52}{found!s:>26}")
    for key, (ours, other, title) in _RATIOS.items():
        if other in wall:
            found = spread([b / a for a, b in zip(wall[ours], wall[other], strict=True)])
            summary[key] = found._asdict()
            print(f"  {title:52}{found!s:>26}")
    return summary
