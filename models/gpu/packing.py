"""Packed state records: versioned, pinned by name, without pickle or import paths.

Three records a GPU: ``hot`` changes at each sample, ``evidence`` when something happened, ``window`` once an
event-hour. All numbers that a sample adds to are float64, so that a restored state goes on exactly where the
other one stood.

A hot record is its version, how many numbers each block of each part has, and the blocks as they lie in memory
(float64, little-endian as on every machine that GPUs are put into). A block only ever grows at its end, and a
window record names its columns: so a record with fewer of either is read as it is. What it lacks was not
observed. A new version is due for any change; one that only appends needs no migration.
"""

from __future__ import annotations

from array import array
from itertools import accumulate
from typing import Any, Final

import msgspec
import numpy as np

from models.alerts.alert_state import AlertState
from models.gpu import version_1
from models.gpu.columns import Buckets, empty_buckets
from models.gpu.counters import Counters
from models.gpu.evidence import Evidence
from models.gpu.hour import OpenHour
from models.gpu.measured import measured
from models.gpu.minute import OpenMinute
from models.gpu.published import Published
from models.gpu.remembered import Remembered
from models.gpu.shared import shared_labels
from models.gpu.state import GpuState
from schemas.signals import INDEX, SIGNALS

VERSION: Final = 2

# Parts of the hot record in their order, with the blocks of each; the last block, of fallen counters, varies.
BLOCKS: Final = (*GpuState.BLOCKS, *OpenMinute.BLOCKS, *OpenHour.BLOCKS, *Counters.BLOCKS)
_HEAD: Final = bytes((VERSION, *BLOCKS))
_FLOAT_BYTES: Final = 8


class StateVersionError(ValueError):
    """A state record was written by a newer version of the system."""


def pack_hot(state: GpuState) -> bytes:
    """Return the record of everything that a sample changes."""
    counters = state.counters
    fallen = bytes((2 * len(counters.fallen),))
    return b"".join((_HEAD, fallen, state.pack(), state.minute.pack(), state.hour.pack(), counters.pack()))


def unpack_hot(state: GpuState, record: bytes) -> None:
    """Put a hot record into ``state``.

    Raises
    ------
    StateVersionError
        A newer version wrote it.
    """
    if _version(record[0]) == 1:
        version_1.unpack_hot(state, record)
        return
    start = len(_HEAD) + 1
    numbers = array("d", record[start:])
    ends = list(accumulate(record[1:start]))
    blocks = [numbers[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    for part in (state, state.minute, state.hour):
        part.unpack(blocks[: len(part.BLOCKS)])
        del blocks[: len(part.BLOCKS)]
    state.counters.unpack(blocks)


def pack_evidence(state: GpuState) -> bytes:
    """Return the record of what happened."""
    lasting = {SIGNALS[slot].name: value for slot, value in enumerate(state.lasting) if measured(value)}
    heard = [state.heard_at, state.clock_ahead_seconds]
    return msgspec.msgpack.encode(
        {
            "version": VERSION,
            "host_id": state.host_id,
            "labels": state.labels,
            "lasting": lasting,
            "digests": state.digests,
            "evidence": {
                kind: [
                    item.first_at,
                    item.last_at,
                    item.count,
                    item.reset_seen,
                    item.loaded_mark,
                    item.history,
                ]
                for kind, item in state.evidence.items()
            },
            "alerts": [alert.to_plain() for alert in state.alerts.values()],
            "host_facts": state.host_facts,
            # One map under the name that version 1 gave it: each struct takes its own keys back.
            "said": msgspec.to_builtins(state.published) | msgspec.to_builtins(state.remembered),
            "pending_rows": [[hour, row.tobytes(), opened] for hour, row, opened in state.pending_rows],
        }
        | ({"heard": heard} if measured(state.heard_at) or state.clock_ahead_seconds else {})
    )


def unpack_evidence(state: GpuState, record: bytes) -> None:
    """Put an evidence record into ``state``."""
    content: dict[str, Any] = msgspec.msgpack.decode(record)
    _version(content["version"])
    state.host_id = content["host_id"]
    state.labels = shared_labels(content["labels"])
    state.learn({INDEX[name]: value for name, value in content["lasting"].items() if name in INDEX})
    state.digests = content["digests"]
    for kind, (first_at, last_at, count, reset_seen, clean, history) in content["evidence"].items():
        item = Evidence(first_at, history=history)
        item.last_at, item.count, item.reset_seen, item.loaded_mark = last_at, count, reset_seen, clean
        state.evidence[kind] = item
    state.published = msgspec.convert(content["said"], Published)
    state.remembered = msgspec.convert(content["said"], Remembered)
    state.pending_rows = [(hour, _widened(row), opened) for hour, row, opened in content["pending_rows"]]
    for packed in content["alerts"]:
        alert = AlertState.from_plain(packed)
        state.alerts[alert.key] = alert
    state.host_facts = content["host_facts"]
    if "heard" in content:
        state.heard_at, state.clock_ahead_seconds = content["heard"]


def _widened(row: bytes) -> Buckets:
    """Return a bucket row, shape (WIDTH,), also of a version with fewer columns: those were not observed then."""
    columns = np.frombuffer(row, dtype="<f4")
    whole: Buckets = empty_buckets(1)[0]
    whole[: len(columns)] = columns
    return whole


def pack_window(state: GpuState) -> bytes:
    """Return the record of the closed hours and days."""
    return bytes((VERSION,)) + state.windows.pack()


def unpack_window(state: GpuState, record: bytes) -> None:
    """Put a window record into ``state``; the rows that closed after it come from the evidence record.

    Raises
    ------
    StateVersionError
        A newer version wrote it.
    """
    if _version(record[0]) == 1:
        version_1.unpack_window(state.windows, record)
    else:
        state.windows.unpack(record, 1)


def finish(state: GpuState) -> None:
    """Bring a state whose records were all read to where it stood: replay pending rows, rebuild the totals."""
    windows = state.windows
    hour, day = windows.hour, windows.day
    if state.pending_rows:
        windows.hour = state.pending_rows[0][0]
        windows.day = windows.hour // 24
        for _, row, opened in state.pending_rows:
            windows.close_hour(row, opened)
    elif hour >= 0:
        windows.hour, windows.day = hour, day
        windows.rebuild()
    state.evidence_dirty = False


def _version(version: int) -> int:
    if version > VERSION:
        raise StateVersionError(f"state record of version {version}; this program reads up to {VERSION}")
    return version
