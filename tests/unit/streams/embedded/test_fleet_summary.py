"""What `up` says about the fleet."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from schemas.status import GpuStatus, OpenAlert
from schemas.times import format_time
from streams.embedded import fleet_summary
from streams.settings import Settings

_NOW = 1_772_000_000.0


def _status(gpu_id: str, overall: int | None, *, rules: tuple[str, ...] = (), age_seconds: float = 5.0) -> GpuStatus:
    alerts = [
        OpenAlert(rule=r, severity="error", page=False, starts_at="", incident_id="", summary="") for r in rules
    ]
    at = format_time(_NOW - age_seconds)
    return GpuStatus(
        gpu_id=gpu_id,
        host_id="node-1",
        model=None,
        serial=None,
        pci_bus_id=None,
        slot=None,
        rack_id=None,
        driver_version=None,
        workload=None,
        source=None,
        simulated=True,
        last_seen=at,
        appended_at=at,
        interval_seconds=10.0,
        values={},
        overall_score=overall,
        thermal_score=overall,
        memory_score=overall,
        power_score=overall,
        link_score=None,
        band=None,
        partial=False,
        risk_score=0,
        risk_level="low",
        failure_probability_7d=0.0,
        failure_probability_30d=0.0,
        action="KEEP" if overall is not None else None,
        alerts=alerts,
        missing=False,
        samples=1,
        late_samples=0,
    )


def test_the_worst_come_first_with_their_alerts() -> None:
    fleet = [_status("a", 100), _status("b", 41, rules=("xid_hardware", "score_poor")), _status("c", None)]
    lines = fleet_summary.summary(fleet, simulated=True)
    assert lines[0] == "simulated fleet: 2 GPUs scored, mean health 70 of 100, 1 below 70, 2 open alerts"
    assert lines[1].split()[:2] == ["41", "b"]
    assert "xid_hardware, score_poor" in lines[1]
    assert len(lines) == 3


def test_an_unscored_fleet_is_not_called_simulated_when_it_is_not() -> None:
    assert fleet_summary.summary([_status("a", None)], simulated=False) == ["fleet: no GPU has been scored yet"]


def test_progress_tells_where_the_past_is_read() -> None:
    fleet = [_status("a", 90), _status("b", 80, age_seconds=100 * 3600.0), _status("c", 80, age_seconds=7200.0)]
    past = "the past is read first, and has come to"
    assert fleet_summary.progress(fleet, 5, _NOW) == f"1 of 5 GPUs scored; {past} 51 hours ago"
    assert fleet_summary.progress(fleet[2:], 5, _NOW - 600) == f"0 of 5 GPUs scored; {past} 110 minutes ago"
    assert fleet_summary.progress(fleet[:1], 5, _NOW) == "1 of 5 GPUs scored"
    assert fleet_summary.progress([], 5, _NOW) == "0 of 5 GPUs scored"


@pytest.mark.timeout(20)
async def test_it_waits_until_the_present_is_scored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers = [
        [_status("a", 90, age_seconds=86_400.0), _status("b", 90)],
        [_status("a", 90), _status("host:node-1", None), _status("b", 90)],
    ]
    asked = 0

    async def gpus(request: web.Request) -> web.Response:
        nonlocal asked
        assert request.headers["Authorization"] == "Bearer sesame"
        fleet = answers[min(asked, 1)]
        asked += 1
        return web.Response(body=msgspec.json.encode({"count": len(fleet), "gpus": fleet}))

    application = web.Application()
    application.router.add_get("/gpus/", gpus)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    monkeypatch.setattr("streams.embedded.fleet_summary.time.time", lambda: _NOW)
    said: list[str] = []
    settings = Settings.model_validate({"web_port": port, "web_token": "sesame", "data_dir": tmp_path})
    await fleet_summary.await_fleet(settings, expected=2, simulated=True, report=said.append, poll_seconds=0.01)
    await runner.cleanup()
    assert asked == 2
    assert said[0].startswith("simulated fleet: 2 GPUs scored, mean health 90")
