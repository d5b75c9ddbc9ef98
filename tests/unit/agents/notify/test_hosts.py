"""A lost host is one page, a reboot none; a GPU that alone is missing pages by itself."""

from __future__ import annotations

from agents.notify.incidents import Why
from schemas.alert import AlertEvent
from tests.unit.agents.notify.notifying import Desk, action, alert, heartbeat, pages, reasons, resolved, status

GPUS = [f"GPU-{number}" for number in range(8)]
# Silence of 55 s after the last samples at T0.
GONE = 56.0


def alive(desk: Desk, *, with_heartbeat: bool = True) -> None:
    """Let every GPU of the host report at T0."""
    records = [status(gpu) for gpu in GPUS]
    desk.say(*records, *([heartbeat(0.0)] if with_heartbeat else []), at=0)


def missing(*gpus: str, at: float = GONE) -> list[AlertEvent]:
    """Return the alerts of GPUs that are silent since T0."""
    return [alert("gpu_missing", gpu=gpu, at=at - 1) for gpu in gpus]


def test_a_lost_host_is_one_page_after_five_minutes() -> None:
    desk = Desk()
    alive(desk)
    gone = missing(*GPUS)
    assert set(reasons(desk.say(*gone, at=GONE))) == {Why.HELD_FOR_HOST}
    assert reasons(desk.say(at=GONE + 10)) == [Why.GROUPED_IN_HOST] * 8
    assert desk.say(at=GONE + 299) == []
    (page,) = desk.say(at=GONE + 300)
    assert (page.scope, page.rule, page.page, page.members) == ("host", "host_missing", True, GPUS)
    (event,) = desk.hosts
    assert (event.status, event.host_id, event.severity, event.incident_id) == (
        "firing",
        "node-1",
        "critical",
        page.incident_id,
    )
    assert desk.say(event, at=GONE + 301) == []
    back = [resolved(one, GONE + 600) for one in gone]
    over = desk.say(*back, at=GONE + 601)
    assert [one.rule for one in over if one.receivers] == ["host_missing"]
    assert [event.status for event in desk.hosts] == ["firing", "resolved"]
    assert pages(desk.all) == [("host", "host_missing")]
    assert [key for key in desk.states if key.startswith(b"i\x00")] == []


def test_a_reboot_pages_nobody() -> None:
    desk = Desk()
    alive(desk)
    gone = missing(*GPUS)
    desk.say(*gone, at=GONE)
    desk.say(at=GONE + 200)
    desk.say(*[resolved(one, GONE + 250) for one in gone], at=GONE + 250)
    desk.say(at=GONE + 900)
    assert desk.delivered == []
    assert desk.hosts == []


def test_a_gpu_alone_pages_after_ten_seconds() -> None:
    desk = Desk()
    alive(desk)
    desk.say(*missing("GPU-3"), at=GONE)
    assert desk.say(*[status(gpu, at=45) for gpu in GPUS[4:]], heartbeat(45), at=GONE + 9) == []
    (page,) = desk.say(at=GONE + 10)
    assert (page.page, page.members, page.reason) == (True, ["GPU-3"], Why.FIRST_FIRING)


def test_a_gpu_of_an_unknown_host_pages_alone() -> None:
    desk = Desk()
    desk.say(alert("gpu_missing", gpu="GPU-1", host_id=None), at=GONE)
    assert pages(desk.say(at=GONE + 10)) == [("gpu", "gpu_missing")]


def test_a_down_exporter_explains_its_missing_gpus() -> None:
    desk = Desk()
    alive(desk)
    desk.say(heartbeat(10, up=False), heartbeat(40, up=False), at=40)
    gone = missing(*GPUS)
    desk.say(*gone, at=GONE)
    desk.say(alert("exporter_down", gpu=None, severity="warning", page=False), at=60)
    for at in range(70, 1000, 10):
        desk.say(heartbeat(at, up=False), at=at)
    assert pages(desk.all) == []
    assert desk.hosts == []
    # The exporter is up again, one GPU did not come back with it.
    back = [resolved(one, 1000) for one in gone[1:]]
    desk.say(heartbeat(1000), *[status(gpu, at=1000) for gpu in GPUS[1:]], *back, at=1001)
    assert pages(desk.say(heartbeat(1010), at=1010)) == []
    (page,) = [one for one in desk.say(heartbeat(1011), at=1011) if one.page]
    assert page.members == ["GPU-0"]


def test_an_exporter_that_is_up_before_its_gpus_are_heard_pages_nobody() -> None:
    desk = Desk()
    alive(desk)
    desk.say(heartbeat(10, up=False), at=10)
    gone = missing(*GPUS)
    desk.say(heartbeat(GONE, up=False), *gone, at=GONE)
    desk.say(heartbeat(900, up=False), at=900)
    desk.say(heartbeat(910), at=910)
    desk.say(*[resolved(one, 910) for one in gone], *[status(gpu, at=910) for gpu in GPUS], at=911)
    assert pages(desk.all) == []


def test_a_silent_heartbeat_makes_a_missing_gpu_a_lost_host() -> None:
    """GPU-7 was replaced hours ago: it is not said to be missing, and does not report either."""
    desk = Desk()
    alive(desk)
    for at in range(10, 3610, 10):
        desk.say(heartbeat(at), *[status(gpu, at=at) for gpu in GPUS[:7]], at=at)
    desk.say(at=3630)
    desk.say(*missing(*GPUS[:7], at=3656), at=3656)
    for at in range(3660, 3966, 6):  # 55 s and an interval after the last heartbeat it is silent; then 5 min
        desk.say(at=at)
    assert pages(desk.all) == []
    desk.say(at=3966)
    assert pages(desk.all) == [("host", "host_missing")]


def test_a_heartbeat_that_never_came_says_nothing() -> None:
    desk = Desk()
    alive(desk, with_heartbeat=False)
    desk.say(*missing("GPU-0"), at=GONE)
    assert desk.say(at=GONE + 59) == []
    assert pages(desk.say(at=GONE + 60)) == [("gpu", "gpu_missing")]


def test_a_silent_heartbeat_beside_reporting_gpus_is_no_lost_host() -> None:
    desk = Desk()
    alive(desk)
    desk.say(*missing("GPU-0"), *[status(gpu, at=100) for gpu in GPUS[1:]], at=100)
    assert pages(desk.say(at=110)) == [("gpu", "gpu_missing")]


def test_a_gpu_lost_before_its_host_counts_with_it_and_alone_is_no_host() -> None:
    desk = Desk()
    alive(desk)
    lost = alert("gpu_lost", gpu="GPU-0")
    hidden = alert("gpu_missing", gpu="GPU-0", at=GONE - 1, suppressed_by="gpu_lost", page=False)
    desk.say(lost, hidden, at=GONE)
    desk.say(*[status(gpu, at=400) for gpu in GPUS[1:]], heartbeat(400), at=400)
    assert pages(desk.all) == [("gpu", "gpu_lost")]
    desk.say(*missing(*GPUS[1:], at=441), at=441)
    desk.say(at=800)
    assert pages(desk.all)[1:] == [("host", "host_missing")]


def test_a_single_gpu_host_that_lost_its_gpu_is_one_page() -> None:
    desk = Desk()
    desk.say(status("GPU-0"), heartbeat(0.0), at=0)
    desk.say(alert("gpu_lost", gpu="GPU-0"), at=1)
    desk.say(alert("gpu_missing", gpu="GPU-0", at=GONE, suppressed_by="gpu_lost", page=False), at=GONE)
    desk.say(at=1000)
    assert pages(desk.all) == [("gpu", "gpu_lost")]


def test_a_gpu_missing_for_hours_does_not_date_the_loss_of_its_host() -> None:
    desk = Desk()
    alive(desk)
    desk.say(*missing("GPU-0"), at=GONE)
    desk.say(*[status(gpu, at=3000) for gpu in GPUS[1:]], heartbeat(3000), at=3000)
    desk.say(*missing(*GPUS[1:], at=3041), at=3041)
    assert pages(desk.say(at=3100)) == []
    assert pages(desk.say(at=3341)) == [("host", "host_missing")]


def test_a_restart_within_the_hold_changes_nothing() -> None:
    desk = Desk()
    alive(desk)
    desk.say(*missing(*GPUS), at=GONE)
    desk.say(at=GONE + 20)
    desk.restart()
    assert desk.say(at=GONE + 100) == []
    desk.say(at=GONE + 299)
    desk.restart()
    assert pages(desk.say(at=GONE + 301)) == [("host", "host_missing")]
    desk.restart()
    desk.say(at=GONE + 400)
    assert pages(desk.all) == [("host", "host_missing")]


def test_the_gpus_that_stay_away_page_when_the_host_is_back() -> None:
    desk = Desk()
    alive(desk)
    gone = missing(*GPUS)
    desk.say(*gone, at=GONE)
    desk.say(at=GONE + 310)
    back = [resolved(one, 600) for one in gone[1:]]
    desk.say(*back, *[status(gpu, at=600) for gpu in GPUS[1:]], heartbeat(600), at=600)
    assert pages(desk.say(at=605)) == []
    assert pages(desk.say(at=610)) == [("gpu", "gpu_missing")]
    assert desk.hosts[-1].status == "resolved"


def test_maintenance_of_a_host_covers_its_loss() -> None:
    desk = Desk()
    alive(desk)
    desk.say(action("maintenance", {"host_id": "node-1"}, until=7200.0), at=1)
    desk.say(*missing(*GPUS), at=GONE)
    desk.say(at=GONE + 400)
    assert pages(desk.all) == []
    assert desk.all[-1].reason == Why.MAINTENANCE


def test_the_same_loss_told_again_has_the_same_ids() -> None:
    def run(decided_at: float) -> AlertEvent:
        desk = Desk()
        alive(desk)
        desk.say(*missing(*GPUS), at=GONE)
        desk.say(at=decided_at)
        return desk.hosts[0]

    first, second = run(GONE + 300), run(GONE + 350)
    assert (first.event_id, first.incident_id) == (second.event_id, second.incident_id)


def test_a_gpu_that_moves_to_another_host_leaves_the_old_one() -> None:
    desk = Desk()
    desk.say(status("GPU-0"), status("GPU-1"), at=0)
    desk.say(status("GPU-1", at=10, host="node-2"), at=10)
    desk.say(*missing("GPU-0"), at=GONE)
    desk.say(at=GONE + 400)
    assert pages(desk.all) == [("host", "host_missing")]


def test_an_xid_told_again_by_a_silent_host_s_gpu_leaves_the_loss_one_page() -> None:
    desk = Desk()
    alive(desk)
    xid = alert("xid_driver", gpu=GPUS[0], at=-5, page=False)
    desk.say(xid, at=0)
    desk.say(*missing(*GPUS), at=GONE)
    for again in (GONE + 60, GONE + 120):
        desk.say(alert("xid_driver", gpu=GPUS[0], at=-5, page=False), at=again)
        desk.say(resolved(xid, again + 5), at=again + 5)
    desk.say(at=GONE + 1800)
    assert pages(desk.all) == [("host", "host_missing")]
