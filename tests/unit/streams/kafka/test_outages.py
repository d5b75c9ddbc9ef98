"""One outage is one report."""

from __future__ import annotations

import logging

from streams.kafka.outages import RepeatFilter


def record(message: str, *args: object, level: int = logging.ERROR) -> logging.LogRecord:
    """Return a record of aiokafka."""
    return logging.LogRecord("aiokafka", level, "", 0, message, args, None)


def test_repeats_are_counted_and_told_once() -> None:
    """A thousand failures within the quiet time are one line; the next says how many there were."""
    now = 0.0
    repeats = RepeatFilter(quiet_seconds=30.0, clock=lambda: now)
    passed = [repeats.filter(record("Unable connect to %s", number)) for number in range(1000)]
    assert passed == [True] + [False] * 999
    now = 31.0
    later = record("Unable connect to %s", "n1")
    assert repeats.filter(later)
    assert later.getMessage() == "Unable connect to n1 (999 more like it in 31 s)"
    assert not repeats.filter(record("Unable connect to %s", "n1"))


def test_other_messages_are_not_held_back() -> None:
    """What is said for the first time passes, and what is no warning."""
    repeats = RepeatFilter(quiet_seconds=30.0, clock=lambda: 0.0)
    assert repeats.filter(record("a"))
    assert repeats.filter(record("b"))
    assert all(repeats.filter(record("c", level=logging.INFO)) for _ in range(3))
