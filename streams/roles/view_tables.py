"""The Faust tables of role view: the latest records of the fleet in every worker, windows at their owner.

Last write wins and rates are low here; nothing is decided by these tables. All values are the records' own
JSON bytes: a decoded status of a GPU would take six times as much memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import faust
import msgspec
from faust.tables.globaltable import GlobalTable
from faust.tables.wrappers import WindowWrapper
from faust.types import EventT

from agents.view.windows import WINDOW_SECONDS, WINDOWS_KEPT_SECONDS
from schemas.times import parse_time
from streams.kafka.topics import TopicSpec
from streams.settings import Settings
from streams.transport.window_table import WindowTable

_GLOBAL_TABLES = ("status", "health", "risk", "advice")
_ALERT_TABLE = "alerts"
_WINDOW_TABLE = "windows"
# As for the state topics: an active segment of 1 GiB is never compacted, and a restart would read it all.
_CHANGELOG_CONFIG = {
    "segment.bytes": str(16 * 1024 * 1024),
    "min.cleanable.dirty.ratio": "0.1",
    "max.compaction.lag.ms": "600000",
}


class _Seen(msgspec.Struct):
    last_seen: str


_SEEN = msgspec.json.Decoder(_Seen)


def record_time(event: EventT[Any] | None = None) -> float:
    """Return the event time of a GpuStatus: windows are relative to it, not to Kafka's time of the record."""
    if event is None:
        raise RuntimeError("windows of role view are written within an agent only")
    return parse_time(_SEEN.decode(cast(bytes, event.value)).last_seen)


@dataclass(frozen=True, slots=True)
class ViewTables:
    """The tables of one worker; all but ``windows`` hold the whole fleet.

    Keys are gpu_ids (of ``alerts``: fingerprints) as bytes, of ``window_store`` (gpu_id, (start, end)).
    """

    status: GlobalTable
    health: GlobalTable
    risk: GlobalTable
    advice: GlobalTable
    alerts: GlobalTable
    windows: WindowWrapper
    window_store: WindowTable


def create_tables(app: faust.App, settings: Settings) -> ViewTables:
    """Declare the tables on ``app``; each has as many partitions as the topic it is written from."""
    latest = {
        name: _latest_table(app, name, 1 if name == _ALERT_TABLE else settings.partitions)
        for name in (*_GLOBAL_TABLES, _ALERT_TABLE)
    }
    store = WindowTable(
        app,
        name=_WINDOW_TABLE,
        partitions=settings.partitions,
        beacon=app.tables.beacon,
        default=bytes,
        value_type=bytes,
        help="15-minute windows of each GPU's scores",
    )
    tumbling = cast(WindowWrapper, store.tumbling(WINDOW_SECONDS, expires=WINDOWS_KEPT_SECONDS))
    windows = cast(WindowWrapper, tumbling.relative_to(record_time))
    app.tables.add(store)
    return ViewTables(**latest, windows=windows, window_store=store)


def _latest_table(app: faust.App, name: str, partitions: int) -> GlobalTable:
    table = app.GlobalTable(
        name,
        partitions=partitions,
        # With the default of 1,000 up to 999 changes a partition stayed unseen by the other workers.
        recovery_buffer_size=1,
        # Faust stores bytes raw, all else as JSON.
        key_type=bytes,
        value_type=bytes,
        help=f"Latest {name} of each key",
    )
    return cast(GlobalTable, table)


def changelog_specs(settings: Settings) -> tuple[TopicSpec, ...]:
    """Return the changelog topics of these tables, to be created before role view starts."""
    app_id = settings.group("view").removeprefix(settings.topic_prefix)
    names = [(name, settings.partitions) for name in _GLOBAL_TABLES] + [(_ALERT_TABLE, 1)]
    specs = [
        TopicSpec(f"{app_id}-{name}-changelog", partitions, "compact", config=dict(_CHANGELOG_CONFIG))
        for name, partitions in names
    ]
    windows = {
        **_CHANGELOG_CONFIG,
        "cleanup.policy": "compact,delete",
        "retention.ms": str(int(WINDOWS_KEPT_SECONDS * 1000)),
    }
    specs.append(TopicSpec(f"{app_id}-{_WINDOW_TABLE}-changelog", settings.partitions, "compact", config=windows))
    return tuple(specs)


def windows_of(
    store: Mapping[Any, bytes], ranges: Callable[[float], tuple[float, float]], gpu_id: str, now: float
) -> list[tuple[float, bytes]]:
    """Return (start, value) of each kept window of one GPU, oldest first."""
    count = int(WINDOWS_KEPT_SECONDS / WINDOW_SECONDS)
    found: list[tuple[float, bytes]] = []
    # One window ahead: a GPU's clock may be up to a minute before ours.
    for back in range(count, -2, -1):
        window = ranges(now - back * WINDOW_SECONDS)
        value = store.get((gpu_id, window))
        if value:
            found.append((window[0], value))
    return found
