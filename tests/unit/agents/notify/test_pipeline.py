"""Role score is behind: that is told, once, and nothing is concluded from silence meanwhile."""

from __future__ import annotations

from agents.notify.incidents import Why
from models.alerts.pipeline import BEHIND_SECONDS, STALE_SECONDS
from schemas.alert import AlertEvent
from tests.unit.agents.notify.notifying import Desk, alert, pages, reasons

MINUTE = 60.0


def missing(gpu: str, at: float) -> AlertEvent:
    return alert("gpu_missing", gpu=gpu, at=at, action_code="check_host")


def test_what_lags_a_minute_is_one_page_that_ends_when_it_has_caught_up() -> None:
    desk = Desk()
    desk.logic.lag(STALE_SECONDS - 1.0)
    assert desk.say(at=10) == []
    for lag, at in ((STALE_SECONDS + 5.0, 20), (300.0, 260)):
        desk.logic.lag(lag)
        told = desk.say(at=at)
        assert pages(told) == ([("fleet", "pipeline_stale")] if at == 20 else [])
    desk.logic.lag(BEHIND_SECONDS + 1.0)
    assert desk.say(at=300) == []
    desk.logic.lag(2.0)
    (over,) = desk.say(at=310)
    assert (over.rule, over.status, over.summary) == (
        "pipeline_stale",
        "resolved",
        "Role score has caught up; it was 300 s behind",
    )
    assert [(one.status, one.scope, one.gpu_id, one.host_id) for one in desk.hosts] == [
        ("firing", "fleet", None, None),
        ("resolved", "fleet", None, None),
    ]


def test_silences_are_held_while_it_is_behind_and_judged_afterwards() -> None:
    desk = Desk()
    desk.logic.lag(BEHIND_SECONDS)
    assert reasons(desk.say(missing("GPU-1", 0), at=1)) == [Why.HELD_FOR_PIPELINE]
    assert desk.say(at=5 * MINUTE) == []
    assert pages(desk.say(alert("ecc_uncorrected", gpu="GPU-2", at=5 * MINUTE), at=5 * MINUTE + 10)) == [
        ("gpu", "ecc_uncorrected")
    ]
    desk.logic.lag(1.0)
    assert pages(desk.say(at=6 * MINUTE)) == []
    assert pages(desk.say(at=20 * MINUTE)) == [("host", "host_missing")]


def test_a_restart_neither_tells_again_nor_ends_what_was_not_looked_at() -> None:
    desk = Desk()
    desk.logic.lag(100.0)
    desk.say(at=0)
    desk.restart()
    assert desk.say(at=10) == []
    desk.logic.lag(120.0)
    assert desk.say(at=20) == []
    desk.logic.lag(0.0)
    assert [(one.rule, one.status) for one in desk.say(at=30)] == [("pipeline_stale", "resolved")]
    desk.restart()
    assert desk.say(at=40) == []
