"""The simulated fleet wired to its sink: the raw topic or standard output."""

from __future__ import annotations

import csv
import io
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from math import floor
from typing import Final

import click

from collectors.simulator.faults import default_faults, parse_faults
from collectors.simulator.fleet import fleet_assets, make_fleet
from collectors.simulator.pace import Pace, run_live
from collectors.simulator.world import HISTORY_INTERVAL_SECONDS, RECENT_SECONDS, Format, Record, World
from schemas.times import parse_time
from streams.clock import SystemClock
from streams.feeding.producer import BrokerUnreachable, RawProducer
from streams.settings import Settings
from streams.stop_signals import stop_event

DEFAULT_SEED: Final = 1
_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_DURATION: Final = re.compile("(?=.)" + "".join(rf"(?:([0-9]+(?:\.[0-9]+)?){unit})?" for unit in _UNITS))
_HOUR_SECONDS: Final = 3_600.0
_FLUSH_SECONDS: Final = 60.0
_CHUNK: Final = 2_000


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
    stop = stop_event()
    producer: RawProducer | None = None
    if not plan.to_stdout:
        producer = RawProducer(settings)
        try:
            await producer.start()
        except BrokerUnreachable as error:
            click.echo(f"simulate: {error}", err=True)
            return 1

    async def emit(records: Iterable[Record]) -> None:
        if producer is None:
            sys.stdout.buffer.writelines(value + b"\n" for _, value in records)
            sys.stdout.buffer.flush()
        else:
            # The guide's collector sends no key.
            await producer.send((key if plan.form == "full" else None, value) for key, value in records)

    world, pace = prepared.world, prepared.pace
    try:
        if plan.history_seconds > 0.0:
            history = world.history(
                pace.start - plan.history_seconds,
                pace.start,
                recent_interval_seconds=plan.interval_seconds,
            )
            with click.progressbar(length=plan.history_messages, label="simulated history", file=sys.stderr) as bar:
                while not stop.is_set() and (chunk := list(islice(history, _CHUNK))):
                    await emit(chunk)
                    bar.update(len(chunk))
            if producer is not None and not stop.is_set():
                await producer.flush(_FLUSH_SECONDS)
        click.echo(f"simulate: simulated fleet of {plan.gpus} GPUs, live", err=True)
        await run_live(
            world,
            emit,
            pace,
            interval_seconds=plan.interval_seconds,
            duration_seconds=plan.duration_seconds,
            clock=SystemClock(),
            stop=stop,
        )
        if producer is not None and not await producer.flush(_FLUSH_SECONDS if not stop.is_set() else 5.0):
            click.echo(f"simulate: {producer.waiting} messages were not taken by the broker", err=True)
            return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
    finally:
        if producer is not None:
            await producer.stop()
    return 0
