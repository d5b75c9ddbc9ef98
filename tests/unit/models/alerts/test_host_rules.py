"""exporter_down: fires, holds, clears; never pages."""

from __future__ import annotations

from tests.unit.models.alerts.bench import Bench, told


def test_exporter_down() -> None:
    host = Bench("host:node1", values={"exporter_up": 1.0, "gpu_count": 8.0})
    assert host.run(60) == []
    assert host.run(40, {"exporter_up": 0.0}) == []
    (fired,) = host.tick()
    assert (fired.rule, fired.scope, fired.host_id, fired.gpu_id) == ("exporter_down", "host", "node1", None)
    assert (fired.severity, fired.page, fired.members) == ("warning", False, [])
    assert host.run(3600) == []
    assert host.run(600, {"exporter_up": 1.0}) == []
    assert told(host.tick()) == [("exporter_down", "resolved")]


def test_one_failed_scrape_is_no_alert() -> None:
    host = Bench("host:node1", values={"exporter_up": 1.0})
    host.run(60)
    host.run(30, {"exporter_up": 0.0})
    assert host.run(600, {"exporter_up": 1.0}) == []
    assert host.state.alerts == {}


def test_host_silence_is_not_a_rule_here() -> None:
    host = Bench("host:node1", values={"exporter_up": 1.0})
    host.run(60)
    assert host.clock(host.now + 3600.0) == []
