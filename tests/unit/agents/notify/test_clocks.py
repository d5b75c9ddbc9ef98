"""A host whose clock is wrong is told once, with the amount, and wakes nobody."""

from __future__ import annotations

from schemas.alert import AlertEvent
from schemas.status import GpuStatus
from tests.unit.agents.notify.notifying import Desk, status


def wrong(gpu: str, *, at: float, ahead: float) -> GpuStatus:
    return status(gpu, at=at, clock_ahead_seconds=ahead)


def told(desk: Desk) -> list[tuple[str, str]]:
    found: list[AlertEvent] = [event for event in desk.hosts if event.rule == "clock_fault"]
    return [(event.status, event.summary) for event in found]


def test_two_hours_behind_is_one_ticket_of_the_host() -> None:
    desk = Desk()
    for minute in range(6):
        at = 60.0 * minute
        desk.say(*[wrong(f"GPU-{gpu}", at=at, ahead=-7200.0 - gpu) for gpu in range(8)], at=at)
    assert told(desk) == [("firing", "The clock of node-1 is 2.0 h behind")]
    assert [(one.rule, one.page) for one in desk.all] == [("clock_fault", False)]
    desk.restart()
    desk.say(*[status(f"GPU-{gpu}", at=400.0) for gpu in range(7)], at=400)
    assert len(told(desk)) == 1, "one of them is still wrong"
    desk.say(status("GPU-7", at=401.0), at=401)
    assert told(desk)[1:] == [("resolved", "The clock of node-1 is right again")]
    assert [(event.status, event.value) for event in desk.hosts] == [("firing", -7203.5), ("resolved", -7203.5)]


def test_what_comes_late_once_is_no_clock() -> None:
    """A collector sends what waited while the broker was away."""
    desk = Desk()
    desk.say(wrong("GPU-1", at=0, ahead=-1800.0), at=0)
    desk.say(status("GPU-1", at=60.0), at=60)
    desk.say(at=600)
    assert told(desk) == []


def test_a_status_of_a_host_that_is_gone_says_nothing_of_now() -> None:
    desk = Desk()
    desk.say(wrong("GPU-1", at=-86_400.0, ahead=300.0), at=0)
    desk.say(at=600)
    assert told(desk) == []


def test_a_gpu_that_moves_to_another_host_leaves_its_clock_behind() -> None:
    desk = Desk()
    desk.say(wrong("GPU-1", at=0, ahead=300.0), wrong("GPU-1", at=170.0, ahead=300.0), at=181)
    assert told(desk) == [("firing", "The clock of node-1 is 5 min ahead")]
    desk.say(status("GPU-1", at=190.0, host="node-2"), at=190)
    assert told(desk)[1:] == [("resolved", "The clock of node-1 is right again")]
