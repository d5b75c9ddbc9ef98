"""Kind webhook: what a receiver's answer means."""

from __future__ import annotations

import pytest

from streams.notify.receivers.port import Outcome
from streams.notify.receivers.webhook import judge


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.LATER),
        (400, Outcome.REFUSED),
        (404, Outcome.REFUSED),
        (408, Outcome.LATER),
        (410, Outcome.GONE),
        (429, Outcome.LATER),
        (500, Outcome.LATER),
        (503, Outcome.LATER),
    ],
)
def test_what_an_answer_means(status: int, outcome: Outcome) -> None:
    assert judge(status, b"\xff", {}, 0.0).outcome is outcome


def test_retry_after_is_read_up_to_an_hour() -> None:
    assert judge(429, b"", {"Retry-After": "90"}, 0.0).retry_after_seconds == 90.0
    assert judge(503, b"", {"Retry-After": "99999999"}, 0.0).retry_after_seconds == 3600.0
