"""Score's and notify's steps together, offline: which of these outages wakes somebody."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agents.notify.offline import OfflineNotify
from schemas.notification import Notification
from schemas.times import format_time, parse_time
from schemas.topics import ALERTS, NOTIFICATIONS
from streams.offline.replay import OfflineReplay

T0 = parse_time("2026-02-09T12:00:00Z")
HOUR = 3600
INTERVAL = 10


def message(gpu_id: str, host_id: str, at: float, metrics: dict[str, float]) -> bytes:
    """Return a raw message of ``at`` seconds after T0."""
    content = {"timestamp": format_time(T0 + at), "gpu_id": gpu_id, "host_id": host_id, "metrics": metrics}
    return msgspec.json.encode({**content, "interval_seconds": INTERVAL, "source": "dcgm", "schema_version": 1})


def fleet() -> Iterator[bytes]:
    """An hour of four hosts with four GPUs each.

    Host ``lost`` is away for 10 minutes, ``reboot`` for 4, the exporter of ``exporter`` for 10, and one GPU of
    ``gpu`` vanishes for good.
    """
    for at in range(0, HOUR, INTERVAL):
        for host in ("lost", "reboot", "exporter", "gpu"):
            if (host == "lost" and 1000 <= at < 1600) or (host == "reboot" and 500 <= at < 740):
                continue
            up = not (host == "exporter" and 600 <= at < 1200)
            yield message(f"host:{host}", host, at, {"exporter_up": 1.0 if up else 0.0})
            for number in range(4):
                if up and not (host == "gpu" and number == 2 and at >= 2000):
                    yield message(f"GPU-{host}-{number}", host, at + 0.2, {"DCGM_FI_DEV_GPU_TEMP": 50.0})


def test_a_lost_host_and_a_lost_gpu_page_once_each_and_nothing_else_does() -> None:
    said = list(OfflineNotify().feed(OfflineReplay(statuses=True).run(fleet())))
    decisions = [
        msgspec.json.decode(output.value or b"", type=Notification)
        for output in said
        if output.topic == NOTIFICATIONS
    ]
    paged = [(one.rule, one.status, one.members, one.at) for one in decisions if one.page]
    members = [f"GPU-lost-{number}" for number in range(4)]
    assert [page[:3] for page in paged] == [
        ("host_missing", "firing", members),
        ("host_missing", "resolved", members),
        ("gpu_missing", "firing", ["GPU-gpu-2"]),
    ]
    # Last heard 990 s after T0, missing 40 s later, held 5 minutes; the GPU alone: 1990, 40 s and 10 s.
    assert 1345 <= parse_time(paged[0][3]) - T0 <= 1360
    assert 2040 <= parse_time(paged[2][3]) - T0 <= 2060
    tickets = {one.rule for one in decisions if one.reason == "first_firing" and not one.page}
    assert tickets == {"exporter_down"}
    assert len([output for output in said if output.topic == ALERTS]) == 2
