"""Messages that senders get wrong: what is refused, with its reason, and what costs a value or a text only."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from schemas.dead_letter import Reason
from schemas.times import format_time

_DEEP = b"[" * 200_000


def message(gpu_id: str, at: float | str, **fields: Any) -> bytes:
    """Return a message of ``gpu_id`` with two values; ``fields`` replace or add to it."""
    time = at if isinstance(at, str) else format_time(at)
    body = {
        "timestamp": time,
        "gpu_id": gpu_id,
        "host_id": "node-1",
        "metrics": {"temp_gpu": 61, "power_draw": 300.0},
    }
    return json.dumps({**body, **fields}).encode()


def refused(now: float) -> list[tuple[bytes | None, Reason]]:
    """Return messages of which each must end as a dead letter, with its reason."""
    good = message("GPU-0", now)
    return [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (good[:-7], Reason.NOT_JSON),
        (b"\xff\xfe\x00\x01", Reason.NOT_JSON),
        (_DEEP, Reason.NOT_JSON),
        (good.replace(b"300.0", b"9" * 5000), Reason.NOT_JSON),
        (b'"text"', Reason.NOT_AN_OBJECT),
        (b"NaN", Reason.NOT_AN_OBJECT),
        (json.dumps([1, 2]).encode(), Reason.NOT_AN_OBJECT),
        (b"{}", Reason.NO_GPU_ID),
        (message("", now), Reason.NO_GPU_ID),
        (good.replace(b'"GPU-0"', b"7"), Reason.NO_GPU_ID),
        (message("GPU-\x00", now), Reason.BAD_GPU_ID),
        (message("GPU-\x1b[31m", now), Reason.BAD_GPU_ID),
        (message(" GPU-0", now), Reason.BAD_GPU_ID),
        (message("G" * 10_000, now), Reason.BAD_GPU_ID),
        (message("GPU-0", now, timestamp=None), Reason.NO_TIME),
        (message("GPU-0", now, timestamp=["now"]), Reason.NO_TIME),
        (message("GPU-0", now, timestamp=10**400), Reason.NO_TIME),
        (message("GPU-0", "yesterday"), Reason.BAD_TIME),
        (message("GPU-0", "1970-01-01T00:00:00Z"), Reason.BAD_TIME),
        (message("GPU-0", "2005-06-01T00:00:00Z"), Reason.BAD_TIME),
        (message("GPU-0", "2999-01-01T00:00:00Z"), Reason.BAD_TIME),
        (message("GPU-0", now, timestamp=1e300), Reason.BAD_TIME),
        (message("GPU-0", now + 3600.0), Reason.CLOCK_AHEAD),
        (message("GPU-0", now, metrics=[1]), Reason.NO_METRICS),
        (message("GPU-0", now, metrics="none"), Reason.NO_METRICS),
    ]


def accepted(gpu_id: str, now: float) -> list[bytes]:
    """Return messages of one GPU that are scored, a second apart, whatever else is wrong with them."""
    xid = {"type": "xid", "code": 10**30, "line": "\ud800" * 5000, "pci_bus_id": "p" * 5000, "timestamp": 7e9}
    bodies: list[dict[str, Any]] = [
        {"metrics": {"temp_gpu": float("nan"), "power_draw": float("inf"), "util_gpu": 3}},
        {
            "metrics": {
                "temp_gpu": 10**400,
                "power_draw": True,
                "util_gpu": [1],
                "clock_gpu": {},
                "temp_memory": "hot",
            }
        },
        {"metrics": {f"NO_SUCH_NAME_{number}": number for number in range(3000)}},
        {"metrics": {"\ud800": 1, "\x00": 2, "<script>": 3, "temp_gpu": 60}},
        {"interval_seconds": 1e308, "schema_version": 10**40, "source": ["x"], "host_id": 5},
        {"labels": {"model": "<script>alert(1)</script>", "slot": "\x1b[31m\x00", "\udfff": "\ud800"}},
        {"labels": {"model": "m" * 10_000, "serial": "s" * 10_000, **{f"l{number}": "v" for number in range(500)}}},
        {"labels": ["model"], "events": {"type": "xid"}},
        {"host_id": "h" * 10_000, "source": "s" * 10_000},
        {"events": [xid, {"type": 7}, 3, {"type": "\ud800", "code": "79"}, {"type": "xid", "code": 1e308}]},
        {"events": [{"type": "note", "line": str(number)} for number in range(3000)]},
    ]
    messages = [message(gpu_id, now + number, **body) for number, body in enumerate(bodies)]
    # Not printable by json.dumps: a number that no float holds.
    messages.append(message(gpu_id, now + len(messages)).replace(b"300.0", b"1e400"))
    return messages


def large(gpu_id: str, at: float, size: int) -> bytes:
    """Return a message that does not compress; its labels are most of it."""
    return message(gpu_id, at, labels={"model": "H100", "note": random.Random(size).randbytes(size // 2).hex()})


def noise(count: int, seed: int) -> Iterator[bytes]:
    """Yield random byte strings that are not empty; none is a message."""
    generator = random.Random(seed)
    for _ in range(count):
        yield generator.randbytes(generator.randrange(1, 120))
