"""What a replay says does not depend on how its messages are cut into pieces."""

from __future__ import annotations

from typing import Any

import orjson

from schemas.topics import ALERTS
from streams.offline.replay import OfflineReplay

T = 1_770_638_400.0


def message(at: float, *codes: int) -> bytes:
    events = [{"type": "xid", "code": code, "timestamp": at} for code in codes]
    return orjson.dumps(
        {
            "gpu_id": "GPU-1",
            "host_id": "node-1",
            "timestamp": at,
            "labels": {"model": "NVIDIA H100 80GB HBM3"},
            "metrics": {} if codes else {"DCGM_FI_DEV_GPU_TEMP": 50},
            "events": events,
        }
    )


def alerts(outputs: list[Any]) -> list[bytes]:
    return [output.value for output in outputs if output.topic == ALERTS]


def test_a_fault_waits_for_its_company_across_pieces() -> None:
    messages = [message(T), message(T + 1, 48), message(T + 2, 94), message(T + 100)]
    whole = alerts(list(OfflineReplay().run(messages)))
    replay = OfflineReplay()
    pieces = alerts([output for value in messages for output in replay.feed((value,))])
    assert pieces == whole
    assert len(whole) > 0


def test_only_the_end_of_a_recording_releases_what_waits() -> None:
    messages = [message(T), message(T + 1, 48)]
    assert alerts(list(OfflineReplay().feed(messages))) == []
    assert len(alerts(list(OfflineReplay().run(messages)))) == 1
