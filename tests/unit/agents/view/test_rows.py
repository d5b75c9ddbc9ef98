"""How records become rows, an order, windows and the fleet in numbers."""

from __future__ import annotations

import msgspec

from agents.view.rows import (
    AlertRow,
    FleetTally,
    OpenAlertRow,
    ResolvedAlerts,
    StatusRow,
    is_over,
    loudest_first,
    resolved_to_forget,
    riskiest_first,
    worst_first,
)
from agents.view.windows import Window, update_window
from schemas.times import format_time

START = 1_770_638_400.0


def row(gpu_id: str = "GPU-1", at: float = 0.0, **fields: object) -> StatusRow:
    values: dict[str, object] = {"host_id": "n", "samples": 1, "overall_score": 90, **fields}
    return msgspec.convert({"gpu_id": gpu_id, "last_seen": format_time(START + at), **values}, StatusRow)


def test_worst_first_puts_pages_then_missing_then_low_scores_then_unscored() -> None:
    rows = [
        row("unscored", overall_score=None),
        row("well", overall_score=97),
        row("poor", overall_score=31),
        row("missing", overall_score=95, missing=True),
        row("paged", overall_score=99, alerts=[{"severity": "error", "page": True}]),
        row("critical", overall_score=98, alerts=[{"severity": "critical", "page": False}]),
        row("warned", overall_score=80, alerts=[{"severity": "warning", "page": False}]),
    ]
    ordered = [r.gpu_id for r in sorted(rows, key=worst_first)]
    assert ordered == ["critical", "paged", "missing", "poor", "warned", "well", "unscored"]


def test_riskiest_first_by_probability_then_score() -> None:
    rows = [
        row("a", failure_probability_30d=0.01, risk_score=10),
        row("b", failure_probability_30d=0.2),
        row("c", failure_probability_30d=0.01, risk_score=60),
    ]
    assert [r.gpu_id for r in sorted(rows, key=riskiest_first)] == ["b", "c", "a"]


def test_alerts_pages_first_then_severity_and_an_unknown_severity_last() -> None:
    rows = [
        AlertRow("1", "firing", "info", False, ""),
        AlertRow("2", "firing", "of a later version", False, ""),
        AlertRow("3", "firing", "critical", False, ""),
        AlertRow("4", "firing", "error", True, ""),
    ]
    assert [r.fingerprint for r in sorted(rows, key=loudest_first)] == ["4", "3", "1", "2"]


def test_the_summary_leaves_hosts_out() -> None:
    rows = [
        row("GPU-1", band="good", simulated=True),
        row("GPU-2", band="poor", missing=True),
        row("GPU-3", overall_score=None, band=None),
        row("host:n", band="good", missing=True),
    ]
    tally = FleetTally()
    for one in (*rows, rows[0]):
        tally.move(one, +1)
    tally.move(rows[0], -1)
    summary = tally.summary(open_alerts=3)
    assert summary["gpus"] == 3
    assert summary["bands"] == {
        "excellent": 0,
        "good": 1,
        "fair": 0,
        "degraded": 0,
        "poor": 1,
        "insufficient": 0,
        "unscored": 1,
    }
    assert (summary["missing"], summary["open_alerts"], summary["simulated"]) == (1, 3, True)


def test_a_window_keeps_extents_and_survives_its_encoding() -> None:
    window = None
    for second, score in enumerate((90, 70, 80)):
        window = update_window(window, row(at=second, overall_score=score, thermal_score=None))
        assert window is not None
        window = msgspec.json.decode(msgspec.json.encode(window), type=Window)
    assert window is not None
    shown = window.shown("start", "end")
    assert shown["overall_score"] == {"min": 70.0, "max": 90.0, "mean": 80.0, "last": 80.0}
    assert shown["thermal_score"] is None
    assert (shown["statuses"], shown["first_seen"]) == (3, format_time(START))


def test_a_status_delivered_again_or_older_changes_nothing() -> None:
    window = update_window(None, row(at=10))
    assert window is not None
    assert update_window(window, row(at=10)) is None
    assert update_window(window, row(at=5, overall_score=10)) is None


def test_an_unchanged_status_is_taken_once_a_minute() -> None:
    window = update_window(None, row(at=0))
    assert update_window(window, row(at=59.9, failure_probability_30d=0.5)) is None
    assert update_window(window, row(at=60)) is not None
    assert update_window(window, row(at=1, power_score=10)) is not None


def test_missing_and_alerts_are_taken_though_the_gpu_says_nothing_new() -> None:
    window = update_window(None, row(at=0))
    silent = update_window(window, row(at=0, missing=True, alerts=[{"severity": "critical", "page": True}]))
    assert silent is not None
    assert (silent.missing, silent.most_alerts, silent.statuses) == (True, 1, 1)
    back = update_window(silent, row(at=120))
    assert back is not None
    assert (back.missing, back.most_alerts) == (True, 1)


def test_resolves_among_many_open_alerts_look_at_them_all_seldom_and_not_never() -> None:
    resolved = ResolvedAlerts()
    row = AlertRow("1", "resolved", "info", False, format_time(START))
    firing = AlertRow("2", "firing", "info", False, format_time(START))
    looks = [resolved.look(one, held=10_000, keep=500) for _ in range(300) for one in (row, firing)]
    assert sum(looks) == 3
    assert not any(resolved.look(row, held=500, keep=500) for _ in range(300))
    assert resolved.look(row, held=501, keep=500)


def test_only_the_newest_resolved_alerts_are_kept() -> None:
    rows = [AlertRow(str(n), "resolved", "info", False, format_time(START + n)) for n in range(5)]
    rows.append(AlertRow("open", "firing", "info", False, format_time(START - 100)))
    assert sorted(resolved_to_forget(rows, keep=2)) == ["0", "1", "2"]


def test_open_alert_rows_ignore_what_they_do_not_need() -> None:
    value = b'{"rule": "x", "severity": "error", "page": false, "of": "a later version"}'
    assert msgspec.json.decode(value, type=OpenAlertRow) == OpenAlertRow("error", False)


def test_only_the_same_episode_that_was_resolved_is_over() -> None:
    first, second = format_time(START), format_time(START + 60)
    firing = AlertRow("1", "firing", "error", True, first, first)
    resolved = AlertRow("1", "resolved", "error", True, second, first)
    assert is_over(firing, resolved)
    assert not is_over(firing, None)
    assert not is_over(firing, firing)
    assert not is_over(resolved, resolved)
    assert not is_over(AlertRow("1", "firing", "error", True, second, second), resolved)
