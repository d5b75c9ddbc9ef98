"""What every contender is told, and how it reports."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Arguments(NamedTuple):
    """Where to read, and how many messages."""

    broker: str
    topic: str
    partitions: int
    messages: int
    prefix: str


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
    """Runs from the first message to the last; start-up is not counted."""

    def __init__(self, args: Arguments) -> None:
        self.expected = args.messages
        self.counted = 0
        self._start = 0.0
        self._first = 0
        self._cpu = 0.0
        self._end = 0.0

    @property
    def done(self) -> bool:
        """Whether all messages were counted."""
        return self.counted >= self.expected

    def count(self, messages: int) -> None:
        """Count messages that are done; the first call starts the clock."""
        if not self._start:
            self._start = time.perf_counter()
            self._cpu = time.process_time()
            self._first = messages
        self.counted += messages
        if self.done:
            self._end = time.perf_counter()

    def report(self) -> None:
        """Print the figures."""
        seconds = (self._end or time.perf_counter()) - self._start
        report(self.counted - self._first, seconds, time.process_time() - self._cpu)


def report(messages: int, seconds: float, cpu_seconds: float) -> None:
    """Print the figures as one JSON line."""
    figures = {"messages": messages, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib()}
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
