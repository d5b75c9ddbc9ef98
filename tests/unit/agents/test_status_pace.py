"""The pace of gpu-status over fleets of every planned size: counted, GPU by GPU."""

from __future__ import annotations

import random
from math import nan

import pytest

from agents.status_pace import LONGEST_SECONDS, StatusPace, longest_wait_seconds, status_interval_seconds

RATE = 300.0
START = 1_770_638_400.0


def told(gpus: int, partitions: int, sample_seconds: float, seconds: float) -> tuple[float, float, float]:
    """Return statuses a second after the first samples, the most in one second, and the longest gap of a GPU."""
    chance = random.Random(gpus)
    paces = [StatusPace(RATE / partitions) for _ in range(partitions)]
    owner = [chance.randrange(partitions) for _ in range(gpus)]  # as keys fall, not evenly
    owned = [owner.count(partition) for partition in range(partitions)]
    by_second: dict[int, int] = {}
    longest = 0.0
    for partition in owner:
        phase, offset = chance.random(), chance.random() * sample_seconds
        pace, known = paces[partition], owned[partition]
        last_told = before = nan
        for tick in range(round(seconds / sample_seconds)):
            now = START + offset + tick * sample_seconds
            if pace.is_due(before, now, phase, known, sample_seconds):
                if tick:
                    longest = max(longest, now - last_told)
                    by_second[int(now)] = by_second.get(int(now), 0) + 1
                last_told = now
            before = now
        longest = max(longest, before - last_told)
    after_first = seconds - sample_seconds
    return sum(by_second.values()) / after_first, max(by_second.values()), longest


@pytest.mark.parametrize(
    ("gpus", "partitions", "least", "most"),
    [
        (50, 8, 5.0, 5.0),  # each sample
        (1_000, 8, 100.0, 100.0),
        (10_000, 24, 250.0, 330.0),
        (100_000, 24, 1_900.0, 2_100.0),  # a status each minute weighs more than the rate
    ],
)
def test_a_fleet_stays_near_the_rate_and_no_gpu_is_untold_for_a_minute(
    gpus: int, partitions: int, least: float, most: float
) -> None:
    rate, _, longest = told(gpus, partitions, 10.0, 200.0)
    assert least - 1 <= rate <= most
    assert longest <= LONGEST_SECONDS


def test_the_pilot_is_told_every_two_seconds_at_one_sample_a_second() -> None:
    rate, _, longest = told(50, 8, 1.0, 60.0)
    assert rate == pytest.approx(25.0, rel=0.05)
    assert longest == pytest.approx(2.0)


def test_no_second_holds_a_burst_of_the_fleet() -> None:
    _, most, _ = told(10_000, 24, 10.0, 200.0)
    assert most < 2 * RATE


def test_a_slow_collector_has_a_status_with_each_sample() -> None:
    assert told(3_000, 8, 60.0, 600.0)[2] == pytest.approx(60.0)


def test_one_more_gpu_does_not_move_the_times_of_the_others() -> None:
    intervals = {status_interval_seconds(gpus, RATE, 10.0) for gpus in range(9_000, 9_900)}
    assert len(intervals) <= 2


def test_a_reader_knows_how_long_a_sample_may_wait() -> None:
    assert [longest_wait_seconds(gpus, RATE, 10.0) for gpus in (50, 2_000)] == [0.0, 0.0]
    assert 30.0 < longest_wait_seconds(10_000, RATE, 10.0) < 40.0
    assert longest_wait_seconds(100_000, RATE, 10.0) == 50.0
