"""What every contender is told, and how it reports."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

_COUNTED_AT_ONCE: Final = 1000  # the clock itself must not cost; divides the number of messages


class Arguments(NamedTuple):
    """Where to read, and how many messages."""

    broker: str
    topic: str
    partitions: int
    messages: int
    prefix: str


class _Moment(NamedTuple):
    wall: float
    cpu: float
    step: float


def arguments() -> Arguments:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--broker", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--prefix", default="")
    return Arguments(**vars(parser.parse_args()))


def peak_mib() -> float:
    """Return this program's peak memory; what getrusage tells includes that of the program that started it."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Stopwatch:
    """Runs from the first messages to the last; start-up is not counted.

    Parameters
    ----------
    step_seconds
        Tells what the step alone has taken so far; None where there is no step.
    """

    def __init__(self, args: Arguments, step_seconds: Callable[[], float] | None = None) -> None:
        self.expected = args.messages
        self.counted = 0
        self._step_seconds = step_seconds or float
        self._waiting = _COUNTED_AT_ONCE
        self._began: _Moment | None = None
        self._ended: _Moment | None = None
        self._first = 0

    @property
    def done(self) -> bool:
        """Whether all messages were counted."""
        return self.counted >= self.expected

    def count(self, messages: int) -> None:
        """Count messages that are done; the first call starts the clock."""
        if self._began is None:
            self._began = self._now()
            self._first = messages
        self.counted += messages
        if self.done:
            self._ended = self._now()

    def one(self) -> None:
        """Count one message of a contender that works message by message."""
        self._waiting -= 1
        if not self._waiting:
            self._waiting = _COUNTED_AT_ONCE
            self.count(_COUNTED_AT_ONCE)

    def report(self, added_seconds: float = 0.0, uncounted_seconds: float = 0.0) -> None:
        """Print the figures, less what a stopwatch around each step added (see ``tests.bench.step``)."""
        began, ended = self._began, self._ended
        if began is None or ended is None:
            raise RuntimeError(f"{self.counted} of {self.expected} messages were counted")
        messages = self.counted - self._first
        seconds = ended.wall - began.wall
        step = ended.step - began.step
        report(
            messages,
            seconds - messages * added_seconds,
            ended.cpu - began.cpu - messages * added_seconds,
            beside_seconds=seconds - step - messages * uncounted_seconds,
        )

    def _now(self) -> _Moment:
        return _Moment(time.perf_counter(), time.process_time(), self._step_seconds())


def report(messages: int, seconds: float, cpu_seconds: float, **more: float) -> None:
    """Print the figures as one JSON line."""
    figures = {"messages": messages, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib(), **more}
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
