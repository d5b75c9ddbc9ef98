"""What explains the missing GPUs of a host."""

from __future__ import annotations

from math import inf

import pytest

from models.alerts.grouping import KNOWN_SECONDS, HostCause, HostFacts, host_cause, host_event

DAY = KNOWN_SECONDS
# Both GPUs and the heartbeat were heard last at 0; the first was noted to be missing at 41.
CLOCK = 60.0


def facts(**fields: object) -> HostFacts:
    """Return a host with two GPUs, one of them missing, but for ``fields``."""
    values: dict[str, object] = {
        "gpus": {"a": 0.0, "b": 0.0},
        "missing": {"a": 41.0},
        "explained": set(),
        "heartbeat_at": 55.0,
        "heartbeat_limit_seconds": 50.0,
        "exporter_up": None,
    }
    return HostFacts(**{**values, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"missing": {}}, HostCause.NONE),
        ({}, HostCause.NONE),
        ({"missing": {"a": 41.0, "b": 41.0}}, HostCause.ALL_MISSING),
        ({"explained": {"b"}}, HostCause.ALL_MISSING),
        ({"gpus": {"a": 0.0, "b": CLOCK - DAY - 1}}, HostCause.ALL_MISSING),
        ({"gpus": {"a": 0.0, "b": CLOCK - DAY}}, HostCause.NONE),
        ({"gpus": {}}, HostCause.ALL_MISSING),
        ({"exporter_up": False, "missing": {"a": 41.0, "b": 41.0}}, HostCause.EXPORTER_DOWN),
        ({"exporter_up": False, "heartbeat_at": 9.0}, HostCause.HEARTBEAT_SILENT),
        ({"exporter_up": True, "missing": {"a": 41.0, "b": 41.0}}, HostCause.ALL_MISSING),
        ({"heartbeat_at": 9.0}, HostCause.HEARTBEAT_SILENT),
        ({"heartbeat_at": 9.0, "gpus": {"a": 0.0, "b": 59.5}}, HostCause.NONE),
        ({"heartbeat_at": 14.0}, HostCause.UNCONFIRMED),
        ({"heartbeat_at": 15.0}, HostCause.NONE),
        ({"heartbeat_at": -inf}, HostCause.UNCONFIRMED),
        ({"heartbeat_at": -inf, "missing": {"a": CLOCK - 60.0}}, HostCause.NONE),
        ({"heartbeat_at": -inf, "gpus": {"a": 0.0, "b": 15.0}}, HostCause.NONE),
    ],
)
def test_cause(fields: dict[str, object], cause: HostCause) -> None:
    assert host_cause(facts(**fields), CLOCK) is cause


def test_the_ids_of_a_loss_follow_from_host_and_start() -> None:
    def event(at: float, members: list[str]) -> tuple[str, str, str]:
        said = host_event(
            "node-1",
            "firing",
            "first_firing",
            members=members,
            starts_at=1770638400.0,
            at=at,
            heartbeat=False,
            rack_id=None,
        )
        return said.event_id, said.incident_id, said.fingerprint

    assert event(1770638700.0, ["a"]) == event(1770638760.0, ["b", "a"])
