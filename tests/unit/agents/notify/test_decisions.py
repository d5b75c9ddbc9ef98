"""Who is told, and why not: each rule by timestamps alone."""

from __future__ import annotations

import msgspec
import pytest

from agents.notify.decisions import REPEAT_SECONDS
from agents.notify.incidents import Why
from agents.notify.offline import OfflineNotify
from agents.notify.withholding import MAX_AGE_SECONDS
from agents.ports import Output
from schemas.alert import AlertEvent
from schemas.topics import ALERTS, NOTIFICATIONS, STATUS
from tests.unit.agents.notify.notifying import T0, Desk, action, alert, pages, reasons, resolved, showing, status

HOUR = 3600.0


def test_a_page_goes_to_everyone_and_its_resolve_follows() -> None:
    desk = Desk()
    fired = alert()
    (told,) = desk.say(fired, at=1)
    assert (told.page, told.reason, told.receivers) == (True, Why.FIRST_FIRING, ["pager", "desk"])
    assert told.summary == fired.summary
    (over,) = desk.say(resolved(fired, 60), at=61)
    assert (over.status, over.reason, over.page, over.receivers) == ("resolved", "resolved", True, ["desk", "pager"])
    assert not desk.states


def test_a_ticket_goes_to_those_who_want_that_severity() -> None:
    desk = Desk()
    (told,) = desk.say(alert("score_degraded", page=False, severity="warning"), at=1)
    assert (told.page, told.receivers) == (False, ["desk"])
    (raised,) = desk.say(alert("score_poor", page=False, severity="error"), at=2)
    assert (raised.reason, raised.receivers) == (Why.SEVERITY_RAISED, ["pager", "desk"])
    (joined,) = desk.say(alert("risk_high", page=False, severity="warning"), at=3)
    assert (joined.reason, joined.receivers) == (Why.JOINED_INCIDENT, [])


def test_a_warning_with_page_reaches_a_receiver_of_errors() -> None:
    (told,) = Desk().say(alert(severity="warning"), at=0)
    assert told.receivers == ["pager", "desk"]


def test_what_is_on_trial_is_told_to_nobody() -> None:
    desk = Desk()
    event = alert(page=False, trial=True)
    decided = desk.say(event, at=1) + desk.say(resolved(event, 50), at=50)
    assert [(one.reason, one.receivers) for one in decided] == [(Why.TRIAL, []), (Why.RESOLVED, [])]
    assert desk.delivered == []


def test_an_incident_resolves_with_its_last_member() -> None:
    desk = Desk()
    first, second = alert("ecc_uncorrected"), alert("row_remap_failed")
    desk.say(first, second, at=1)
    assert reasons(desk.say(resolved(first, 50), at=50)) == [Why.MEMBER_RESOLVED]
    assert reasons(desk.say(resolved(second, 60), at=60)) == [Why.RESOLVED]


def test_a_ticket_that_begins_to_page_is_told_again() -> None:
    desk = Desk()
    desk.say(alert("ecc_uncorrected", severity="error", page=False), at=1)
    (raised,) = desk.say(alert("ecc_uncorrected", severity="error", at=5), at=6)
    assert (raised.reason, raised.page) == (Why.SEVERITY_RAISED, True)


def test_a_page_repeats_while_it_fires_and_a_ticket_does_not() -> None:
    desk = Desk()
    desk.say(alert(), alert("thermal_limit", page=False, severity="warning"), at=0)
    assert desk.say(at=REPEAT_SECONDS - 1) == []
    (again,) = desk.say(at=REPEAT_SECONDS)
    assert (again.reason, again.rule, again.page) == (Why.REPEAT_INTERVAL, "ecc_uncorrected", True)
    assert "still firing" in again.summary
    assert "4.0 h" in again.summary
    assert reasons(desk.say(at=2 * REPEAT_SECONDS)) == [Why.REPEAT_INTERVAL]


def test_a_page_that_its_gpu_contradicts_does_not_repeat() -> None:
    desk = Desk()
    fired = alert()
    desk.say(fired, at=0)
    assert desk.say(status(at=REPEAT_SECONDS - 10), at=REPEAT_SECONDS) == []
    assert reasons(desk.say(showing(fired, at=REPEAT_SECONDS + 50), at=REPEAT_SECONDS + 60)) == [Why.REPEAT_INTERVAL]


@pytest.mark.parametrize("fields", [{"history": True, "reason": "history"}, {"suppressed_by": "gpu_lost"}])
def test_history_and_what_is_suppressed_is_recorded_and_not_told(fields: dict[str, object]) -> None:
    desk = Desk()
    fired = msgspec.convert({**msgspec.to_builtins(alert()), **fields}, AlertEvent)
    (record,) = desk.say(fired, at=1)
    assert (record.page, record.receivers) == (False, [])
    assert record.reason == (Why.HISTORY if "history" in fields else Why.SUPPRESSED)
    (over,) = desk.say(resolved(fired, 9), at=9)
    assert (over.page, over.receivers) == (False, [])


def test_a_condition_true_at_first_sight_is_a_ticket() -> None:
    (told,) = Desk().say(alert(history=True, page=False, reason="first_sight"), at=1)
    assert (told.page, told.receivers) == (False, ["pager", "desk"])


def test_up_to_an_hour_old_pages_with_its_age() -> None:
    (told,) = Desk().say(alert(), at=37 * 60)
    assert told.page
    assert told.summary.endswith("(said 37 min ago)")
    assert pages(Desk().say(alert(at=0), at=MAX_AGE_SECONDS)) == [("gpu", "ecc_uncorrected")]


def test_older_pages_only_where_the_condition_still_holds() -> None:
    desk = Desk()
    fired = alert()
    assert reasons(desk.say(fired, at=2 * HOUR)) == [Why.TOO_OLD]
    # A status from before the GPU was live again proves nothing; nor does one without the alert.
    assert desk.say(showing(fired, at=HOUR), at=2 * HOUR + 61) == []
    assert desk.say(status(at=2 * HOUR + 100), at=2 * HOUR + 130) == []
    (told,) = desk.say(showing(fired, at=2 * HOUR + 150), at=2 * HOUR + 200)
    assert (told.reason, told.page) == (Why.FIRST_FIRING, True)
    assert "2.1 h ago" in told.summary


def test_old_and_over_is_never_told() -> None:
    desk = Desk()
    fired = alert()
    assert reasons(desk.say(fired, resolved(fired, HOUR), at=3 * HOUR)) == [Why.TOO_OLD, Why.RESOLVED]
    assert desk.delivered == []


def test_a_backlog_is_told_in_order_even_where_it_is_over() -> None:
    desk = Desk()
    fired = alert()
    desk.say(fired, resolved(fired, 600), at=1800)
    assert [one[1:] for one in desk.delivered if one[0] == "pager"] == [
        ("firing", "first_firing"),
        ("resolved", "resolved"),
    ]


def test_what_is_old_before_the_first_start_is_history() -> None:
    desk = Desk(fresh=True)
    old = alert(at=-2 * HOUR)
    assert reasons(desk.say(old, showing(old, at=-1), alert(gpu="GPU-2", at=-60), at=0)) == [
        Why.HISTORY,
        Why.FIRST_FIRING,
    ]
    assert reasons(desk.say(alert(gpu="GPU-3"), at=10)) == [Why.FIRST_FIRING]
    desk.restart()
    assert desk.say(showing(old, at=20), at=30) == []


def test_a_silence_holds_the_page_until_it_ends() -> None:
    desk = Desk()
    assert desk.say(action("silence", {"gpu_id": "GPU-1"}, at=-10, until=300), at=0) == []
    assert reasons(desk.say(alert(), at=1)) == [Why.SILENCED]
    assert desk.say(at=299) == []
    assert pages(desk.say(at=300)) == [("gpu", "ecc_uncorrected")]
    assert not any(key.startswith(b"a\x00") for key in desk.states)


def test_a_silence_that_is_ended_early_ends_at_once() -> None:
    desk = Desk()
    desk.say(action("silence", {"rule": "ecc_uncorrected"}), alert(at=1), at=1)
    desk.restart()
    assert pages(desk.say(action("silence", {"rule": "ecc_uncorrected"}, until=50), at=60)) == [
        ("gpu", "ecc_uncorrected")
    ]


@pytest.mark.parametrize(
    ("target", "silences"),
    [
        ({"gpu_id": "GPU-1"}, True),
        ({"host_id": "node-1", "rule": "ecc_uncorrected"}, True),
        ({"host_id": "node-1", "rule": "gpu_lost"}, False),
        ({"gpu_id": "GPU-2"}, False),
        ({"gpu": "GPU-1"}, False),
        ({}, False),
    ],
)
def test_a_target_matches_exactly(target: dict[str, str], silences: bool) -> None:
    desk = Desk()
    desk.say(action("maintenance", target, until=HOUR), at=0)
    assert reasons(desk.say(alert(), at=1)) == [Why.MAINTENANCE if silences else Why.FIRST_FIRING]


def test_an_acknowledgement_ends_repeats_until_something_is_raised() -> None:
    desk = Desk()
    fired = alert(severity="error")
    desk.say(fired, at=0)
    assert reasons(desk.say(action("acknowledgement", {"incident_id": fired.incident_id}, at=60), at=60)) == [
        Why.ACKNOWLEDGED
    ]
    desk.restart()
    assert desk.say(at=2 * REPEAT_SECONDS) == []
    (raised,) = desk.say(alert(severity="critical", at=2 * REPEAT_SECONDS), at=2 * REPEAT_SECONDS)
    assert raised.reason == Why.SEVERITY_RAISED
    assert reasons(desk.say(resolved(fired, 9 * HOUR), at=9 * HOUR)) == [Why.RESOLVED]


def test_a_verdict_changes_nothing_and_a_bad_time_is_refused() -> None:
    desk = Desk()
    desk.say(action("verdict", {"gpu_id": "GPU-1"}), at=0)
    assert pages(desk.say(alert(), at=1)) == [("gpu", "ecc_uncorrected")]
    with pytest.raises(ValueError, match="isoformat"):
        desk.logic.action(msgspec.structs.replace(action("silence", {"gpu_id": "GPU-1"}), ends_at="later"))


def test_a_restart_finds_the_trigger_of_a_resolve() -> None:
    desk = Desk()
    fired = alert()
    desk.say(fired, at=0)
    desk.restart()
    assert desk.say(at=10) == []
    (over,) = desk.say(resolved(fired, 20), at=21)
    assert (over.reason, over.receivers) == (Why.RESOLVED, ["desk", "pager"])


def test_a_resolve_without_a_trigger_is_told_to_nobody() -> None:
    desk = Desk()
    (over,) = desk.say(resolved(alert(), 5), at=6)
    assert (over.page, over.receivers) == (False, [])


def test_a_gpu_that_is_forgotten_resolves_its_alerts() -> None:
    desk = Desk()
    desk.say(status(), alert(), alert(gpu="GPU-2"), at=0)
    desk.logic.forgotten("GPU-1")
    (over,) = desk.say(at=9)
    assert (over.reason, over.members, over.receivers) == (Why.REMOVED, ["GPU-1"], ["desk", "pager"])


def test_ids_differ_by_decision_and_are_the_same_each_time() -> None:
    def run() -> list[str]:
        desk = Desk()
        fired = alert()
        desk.say(fired, at=0)
        desk.say(at=REPEAT_SECONDS)
        desk.say(resolved(fired, REPEAT_SECONDS + 1), at=REPEAT_SECONDS + 1)
        return [one.notification_id for one in desk.all]

    assert run() == run()
    assert len(set(run())) == 3


def test_nothing_is_decided_before_all_is_read() -> None:
    desk = Desk()
    desk.logic.alert(alert())
    assert desk.logic.pending
    assert not desk.logic.urgent
    assert desk.logic.drain().notifications == []
    desk.logic.advance(T0 + 1)
    assert desk.logic.urgent
    assert not desk.logic.pending


def test_offline_decides_in_event_time() -> None:
    fired = alert("gpu_missing", gpu="GPU-1", at=40)
    others = [status("GPU-2", at=at) for at in (0, 30, 41, 49, 52)]
    outputs = [Output(STATUS, b"GPU-2", msgspec.json.encode(one)) for one in others[:2]]
    outputs.append(Output(ALERTS, b"GPU-1", msgspec.json.encode(fired)))
    outputs += [Output(STATUS, b"GPU-2", msgspec.json.encode(one)) for one in others[2:]]
    said = list(OfflineNotify().feed(outputs))
    assert {output.topic for output in said} == {NOTIFICATIONS}
    told = [msgspec.json.decode(output.value or b"") for output in said]
    assert [(one["reason"], one["page"], one["at"][17:19]) for one in told] == [
        ("held_for_host", False, "40"),
        ("first_firing", True, "50"),
    ]


def test_an_alert_that_grows_notifies_nobody_and_is_resolved_as_it_grew() -> None:
    desk = Desk()
    fired = alert("ecc_corrected_rate", severity="warning", page=False)
    desk.say(fired, at=0)
    grown = msgspec.structs.replace(fired, event_id="grown", reason="grown", worst=9.0, count=7)
    assert desk.say(grown, at=900) == []
    desk.restart()
    (over,) = desk.say(resolved(grown, 1800), at=1800)
    assert (over.status, over.receivers) == ("resolved", ["desk"])


def test_what_of_one_incident_is_read_together_is_told_once() -> None:
    """At a start, or after an outage, the alerts of one fault are older than they would be awaited."""
    desk = Desk()
    incident = {"incident_id": "one"}
    records = [
        alert("xid_hardware", severity="warning", page=False, at=-30.0, **incident),
        alert("ecc_uncorrected", severity="error", page=False, at=-30.0, **incident),
        alert("row_remap_pending", severity="warning", page=False, at=-30.0, **incident),
        alert("xid_hardware", severity="critical", at=-30.0, reason="severity_raised", **incident),
    ]
    said = desk.say(*records, at=0)
    told = [(one.rule, one.severity, one.page) for one in said if one.receivers]
    assert told == [("xid_hardware", "critical", True)]
    assert sorted(one.rule for one in said if not one.receivers) == [
        "ecc_uncorrected",
        "row_remap_pending",
        "xid_hardware",
    ]
    assert {one.reason for one in said if not one.receivers} == {Why.JOINED_INCIDENT}
    both = [
        alert("gpu_lost", at=20.0, **incident),
        alert("xid_repeated", severity="error", page=False, at=20.0, **incident),
    ]
    again = desk.say(*both, at=60)
    assert [one.rule for one in again if one.receivers] == []
    assert sorted(one.rule for one in again) == ["gpu_lost", "xid_repeated"]


def test_what_fires_and_resolves_within_one_reading_is_decided_in_its_order() -> None:
    desk = Desk()
    fired = alert("ecc_uncorrected", at=-30.0)
    said = desk.say(fired, resolved(fired, -10.0), at=0)
    assert [(one.status, bool(one.receivers)) for one in said] == [("firing", True), ("resolved", True)]
