"""The simulated fleet wired to its sink: the raw topic or standard output."""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from math import floor
from typing import Final

import click

from collectors.simulator.faults import default_faults, parse_faults
from collectors.simulator.fleet import fleet_assets, make_fleet
from collectors.simulator.pace import Pace, SimulatedFleet, SimulatedHistory
from collectors.simulator.world import HISTORY_INTERVAL_SECONDS, RECENT_SECONDS, Format, World
from collectors.source import Source
from schemas.times import parse_time
from streams.feeding.feed import Lines, feed
from streams.feeding.producer import RawProducer
from streams.settings import Settings
from streams.stop_signals import stop_event

DEFAULT_SEED: Final = 1
_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION: Final = re.compile("(?=.)" + "".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in _UNITS))
_HOUR_SECONDS: Final = 3_600.0
_FLUSH_SECONDS: Final = 60.0


def parse_duration(text: str) -> float:
    """Return the seconds of a text such as ``7d``, ``1h30m`` or ``none``.

    Raises
    ------
    ValueError
        Not such a text.

    >>> parse_duration("7d"), parse_duration("1h30m"), parse_duration("none")
    (604800.0, 5400.0, 0.0)
    """
    if text in ("none", "0"):
        return 0.0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration: numbers with d, h, m or s, such as 7d or 1h30m")
    return sum(float(number or 0) * seconds for number, seconds in zip(match.groups(), _UNITS.values(), strict=True))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A world and when it begins."""

    world: World
    pace: Pace


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated, for how long, and where it goes; times in seconds."""

    gpus: int
    seed: int
    interval_seconds: float
    speed: float
    history_seconds: float
    duration_seconds: float | None
    start: str | None
    faults: str
    form: Format
    to_stdout: bool

    def prepare(self) -> Prepared:
        """Return the world.

        Raises
        ------
        ValueError
            The start or a fault cannot be read.
        """
        now = time.time()
        present = floor(now / self.interval_seconds) * self.interval_seconds
        start = parse_time(self.start) if self.start else present - (self.speed - 1.0) * _HOUR_SECONDS
        if start > now:
            raise ValueError("--start lies ahead: samples from the future are refused")
        fleet = make_fleet(self.seed, self.gpus)
        faults = parse_faults(self.faults, seed=self.seed, gpus=self.gpus, live_start=start)
        wait = not (self.to_stdout and self.duration_seconds is not None)
        # A start in the past at normal speed has nothing to wait for until it reaches the present.
        speed = self.speed if not self.start or self.speed > 1.0 else 1e9
        return Prepared(World(fleet, faults, self.form), Pace(start, present, speed, wait))

    @property
    def history_messages(self) -> int:
        """Return about how many messages the history has."""
        recent = min(self.history_seconds, RECENT_SECONDS)
        coarse = (self.history_seconds - recent) / HISTORY_INTERVAL_SECONDS
        return round(self.gpus * (coarse + recent / self.interval_seconds))


def assets_csv(world: World) -> str:
    """Return the fleet's asset list, with the issues that its owner would know, as CSV."""
    rows = fleet_assets(world.fleet.seed, len(world.fleet.gpus), world.faults)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def simulated_assets(gpus: int) -> str:
    """Return the asset list of the fleet that ``gpu-health simulate`` makes by default, as CSV."""
    faults = default_faults(seed=DEFAULT_SEED, gpus=gpus, live_start=0.0)
    return assets_csv(World(make_fleet(DEFAULT_SEED, gpus), faults, "full"))


async def run_simulation(settings: Settings, plan: Plan, prepared: Prepared) -> int:
    """Send history and live samples; return the exit code."""
    world, pace = prepared.world, prepared.pace
    keyed = plan.form == "full"  # the guide's collector sends no key
    live = SimulatedFleet(
        world, pace, interval_seconds=plan.interval_seconds, duration_seconds=plan.duration_seconds, keyed=keyed
    )
    buffer = Lines() if plan.to_stdout else RawProducer(settings)
    with ExitStack() as bars:
        sources: list[Source] = [live]
        if plan.history_seconds > 0.0:
            bar = bars.enter_context(
                click.progressbar(length=plan.history_messages, label="simulated history", file=sys.stderr)
            )
            history = SimulatedHistory(
                world,
                pace.start,
                seconds=plan.history_seconds,
                interval_seconds=plan.interval_seconds,
                keyed=keyed,
                on_sent=bar.update,
            )
            sources.insert(0, history)
        click.echo(f"simulate: simulated fleet of {plan.gpus} GPUs", err=True)
        return await feed(sources, buffer, command="simulate", stop=stop_event(), flush_seconds=_FLUSH_SECONDS)
