"""worst and count of an alert, and what the driver's recovery action decides."""

from __future__ import annotations

import pytest

from models.alerts.operator_actions import action_of_text, recovery_action
from tests.unit.models.alerts.bench import Bench

CHANGED = "GPU recovery action changed from 0x0 (None) to 0x{}"


def test_worst_is_the_highest_since_the_condition_began() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.run(20, {"gpu_temp_celsius": 93.0})
    gpu.run(300, {"gpu_temp_celsius": 88.0})
    (fired,) = gpu.said
    assert (fired.value, fired.worst, fired.count) == (93.0, 93.0, 1)
    gpu.run(60, {"gpu_temp_celsius": 95.0})
    gpu.run(700, {"gpu_temp_celsius": 60.0})
    over = gpu.said[-1]
    assert (over.status, over.value, over.worst) == ("resolved", 93.0, 95.0)


def test_worst_of_a_score_is_the_lowest() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.scores.overall = 65.0
    gpu.run(1000)
    gpu.scores.overall = 55.0
    gpu.run(60)
    gpu.scores.overall = 95.0
    gpu.run(1000)
    assert [(event.status, event.value, event.worst) for event in gpu.said] == [
        ("firing", 65.0, 65.0),
        ("resolved", 65.0, 55.0),
    ]


def test_another_quantity_is_not_compared() -> None:
    """Memory at 97 C is past its limit; the chip's 96 C is no lower worst, nor is a margin of 1 C."""
    gpu = Bench()
    gpu.run(60)
    gpu.run(400, {"memory_temp_celsius": 96.0})
    gpu.run(60, {"memory_temp_celsius": 60.0, "gpu_temp_celsius": 99.0})
    gpu.run(700, {"gpu_temp_celsius": 60.0})
    assert [(event.rule, event.status, event.worst) for event in gpu.said] == [
        ("thermal_limit", "firing", 96.0),
        ("thermal_limit", "resolved", 96.0),
    ]


def test_the_worst_margin_is_the_smallest() -> None:
    gpu = Bench()
    gpu.run(60, {"gpu_temp_margin_celsius": 20.0})
    gpu.run(400, {"gpu_temp_margin_celsius": 1.5})
    gpu.run(60, {"gpu_temp_margin_celsius": 0.5})
    gpu.run(700, {"gpu_temp_margin_celsius": 20.0})
    assert [event.worst for event in gpu.said] == [1.5, 0.5]


def test_a_condition_that_comes_back_while_it_clears_is_counted() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.run(60, {"row_remap_failed": 1.0})
    for _ in range(3):
        gpu.tick({"row_remap_failed": 0.0})
        gpu.run(30, {"row_remap_failed": 1.0})
    gpu.run(90, {"row_remap_failed": 0.0})
    assert [(event.status, event.count, event.worst) for event in gpu.said] == [
        ("firing", 1, 1.0),
        ("resolved", 4, 1.0),
    ]


def test_every_line_of_a_storm_is_counted_and_has_no_worst_value() -> None:
    gpu = Bench()
    gpu.run(60)
    for line in range(40):
        gpu.xid(95, at=gpu.now + 1.0 + 0.1 * line)
    gpu.interval = 3600.0
    gpu.run(8 * 86_400)
    fired, over = [event for event in gpu.said if event.rule == "xid_hardware"]
    assert (fired.count, over.count) == (1, 40)
    assert (fired.value, fired.worst, over.worst) == (95.0, None, None)


def test_worst_of_a_silence_is_its_length() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.clock(gpu.now + 56.0)
    gpu.now += 290.0
    gpu.tick()
    assert [(event.status, event.value, event.worst) for event in gpu.said] == [
        ("firing", 55.0, 55.0),
        ("resolved", 55.0, 300.0),
    ]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (1, "reset_gpu"),
        (2, "restart_node"),
        (3, "drain"),
        (4, "drain_and_reset"),
        (5, "recover_fabric"),
        (6, "reset_gpu"),
        (7, "restart_node"),
        (9, "contact_support"),
    ],
)
def test_the_driver_decides_what_is_to_be_done(asked: int, code: str) -> None:
    gpu = Bench()
    gpu.run(60)
    (told,) = gpu.tick({"gpu_recovery_action": float(asked)})
    assert (told.rule, told.action_code, told.value) == ("recovery_action", code, float(asked))
    assert told.page == (asked in (1, 2, 3, 4, 7))
    (fault,) = gpu.xid(62)
    assert (fault.rule, fault.action_code) == ("xid_hardware", code)
    assert gpu.xid(62, at=gpu.now + 10.0) == [], "the same again changes no words"
    (lost,) = gpu.xid(79, at=gpu.now + 20.0)
    assert (lost.rule, lost.action_code) == ("gpu_lost", code)


def test_by_154_too_and_no_longer_than_it_asks() -> None:
    gpu = Bench(values={"gpu_temp_celsius": 50.0})
    gpu.run(60)
    gpu.xid(154, CHANGED.format("2 (Node Reboot Required)"))
    (fault,) = gpu.xid(119, at=gpu.now + 2)
    assert (fault.action_code, fault.action_text) == (
        "restart_node",
        "Follow the driver's recovery action: restart the node",
    )
    gpu.xid(154, CHANGED.format("0 (None)"), at=gpu.now + 3)
    (changed,) = gpu.xid(119, at=gpu.now + 20.0)
    assert (changed.reason, changed.action_code) == ("action_changed", "reset_gpu")


def test_an_unknown_recovery_action_is_kept_and_named() -> None:
    action = recovery_action(42)
    assert (action.code, action.text) == (
        "contact_support",
        "Follow the driver's recovery action: recovery action 42",
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("RESTART_BM: drain the node and restart it; if the GPU does not come back, power cycle it", "restart_node"),
        ("Follow the driver's recovery action: restart the node", "restart_node"),
        ("Take the GPU out of service, run field diagnostics and open an RMA", "replace"),
        ("no words of ours", "see_text"),
    ],
)
def test_words_that_were_packed_without_a_code_find_it(text: str, code: str) -> None:
    action = action_of_text(text)
    assert (action.code, action.text) == (code, text)


def test_what_grows_is_published_at_a_bounded_rate_and_alone_when_it_grows() -> None:
    gpu = Bench()
    gpu.run(60)
    gpu.scores.overall = 65.0
    gpu.run(1000)
    for points in range(64, 52, -1):
        gpu.scores.overall = float(points)
        gpu.run(300)
    assert [(event.worst, event.last, event.value) for event in gpu.grown] == [
        (62.0, 62.0, 65.0),
        (59.0, 59.0, 65.0),
        (56.0, 56.0, 65.0),
        (53.0, 53.0, 65.0),
    ]
    assert {(event.status, event.reason, event.severity, event.page) for event in gpu.grown} == {
        ("firing", "grown", "warning", False)
    }
    gpu.scores.overall = 60.0
    gpu.run(4000)
    assert len(gpu.grown) == 4, "nothing grew"
    assert gpu.state.alerts["score_degraded"].last == 60.0


def test_a_storm_is_told_again_with_its_count() -> None:
    gpu = Bench()
    gpu.run(60)
    for _ in range(200):
        gpu.xid(95)
        gpu.tick()
    counts = [event.count for event in gpu.grown if event.rule == "xid_hardware"]
    assert counts == sorted(counts)
    assert 1 <= len(counts) <= 2 + 200 * 10 // 900
    assert [event.count for event in gpu.said if event.rule == "xid_hardware"] == [1]
