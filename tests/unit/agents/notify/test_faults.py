"""One fault, one voice: what begins together on one GPU is told once, by the gravest."""

from __future__ import annotations

from agents.notify.faults import TOGETHER_SECONDS
from agents.notify.incidents import Why
from tests.unit.agents.notify.notifying import Desk, alert, pages, reasons, resolved

MINUTE = 60.0


def test_the_gravest_of_what_begins_within_five_seconds_speaks_alone() -> None:
    desk = Desk()
    double_bit = alert("ecc_uncorrected", at=0, severity="error", page=False, action_code="drain_and_reset")
    lost = alert("gpu_lost", at=4, action_code="restart_node")
    assert desk.say(double_bit, at=0.5) == []
    assert desk.say(lost, at=4.5) == []
    decided = desk.say(at=TOGETHER_SECONDS)
    assert [(one.rule, one.reason) for one in decided] == [
        ("gpu_lost", Why.FIRST_FIRING),
        ("ecc_uncorrected", Why.JOINED_FAULT),
    ]
    assert desk.say(at=10 * MINUTE) == []


def test_a_graver_cause_that_comes_after_the_others_were_told_is_told_too() -> None:
    desk = Desk()
    desk.say(alert("thermal_limit", at=0, severity="warning", page=False), at=TOGETHER_SECONDS)
    (told,) = desk.say(alert("gpu_lost", at=4), at=9)
    assert (told.rule, told.reason) == ("gpu_lost", Why.FIRST_FIRING)


def test_what_begins_later_is_another_fault_and_so_is_another_gpu() -> None:
    desk = Desk()
    desk.say(alert("gpu_lost", at=0), at=TOGETHER_SECONDS)
    later = alert("thermal_limit", at=20, severity="warning", page=False)
    other = alert("ecc_uncorrected", gpu="GPU-2", at=0)
    assert reasons(desk.say(later, other, at=30)) == [Why.FIRST_FIRING, Why.FIRST_FIRING]


def test_a_trend_says_nothing_while_a_fault_is_known() -> None:
    desk = Desk()
    fault, trend = alert("ecc_uncorrected"), alert("score_poor", at=15 * MINUTE, severity="error", page=False)
    desk.say(fault, at=1)
    assert reasons(desk.say(trend, at=15 * MINUTE)) == [Why.JOINED_FAULT]
    assert reasons(desk.say(resolved(fault, 60 * MINUTE), at=60 * MINUTE)) == [Why.RESOLVED, Why.FIRST_FIRING]


def test_a_trend_alone_is_told() -> None:
    (told,) = Desk().say(alert("score_poor", severity="error", page=False), at=0)
    assert told.reason == Why.FIRST_FIRING


def test_what_nobody_was_told_of_keeps_nobody_quiet() -> None:
    desk = Desk()
    desk.say(alert("gpu_lost", trial=True, page=False), at=0)
    assert pages(desk.say(alert("ecc_uncorrected"), at=1)) == [("gpu", "ecc_uncorrected")]


def test_what_is_over_within_the_hold_wakes_nobody() -> None:
    desk = Desk()
    fired = alert("ecc_uncorrected", at=0)
    desk.say(fired, at=1)
    desk.say(resolved(fired, 3), at=3)
    assert desk.delivered == []


def test_a_stronger_first_action_is_told_and_a_weaker_is_not() -> None:
    desk = Desk()
    desk.say(alert("xid_hardware", action_code="reset_gpu"), at=1)
    (told,) = desk.say(alert("xid_hardware", at=5, action_code="restart_node"), at=6)
    assert (told.reason, told.page) == (Why.ACTION_CHANGED, True)
    assert reasons(desk.say(alert("xid_hardware", at=8, action_code="reset_gpu"), at=9)) == [Why.JOINED_INCIDENT]


def test_the_hold_and_the_voice_outlive_a_restart() -> None:
    desk = Desk()
    desk.say(alert("gpu_lost", at=0), at=1)
    desk.restart()
    desk.say(alert("ecc_uncorrected", at=2, severity="error", page=False), at=3)
    desk.restart()
    assert sorted(reasons(desk.say(at=TOGETHER_SECONDS))) == [Why.FIRST_FIRING, Why.JOINED_FAULT]
    desk.restart()
    trend = alert("risk_high", at=15 * MINUTE, severity="warning", page=False)
    assert reasons(desk.say(trend, at=15 * MINUTE + 10)) == [Why.JOINED_FAULT]
