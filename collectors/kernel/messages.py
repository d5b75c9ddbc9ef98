"""Whose the events of a log are, and when they happened: raw messages of a GPU, or of its host."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from collectors.damage import Damage
from collectors.kernel.envelope import exported, is_exported
from collectors.kernel.log import KernelLog, LogEvent, Name
from schemas.raw import HOST_PREFIX
from schemas.times import format_time

# By host and normalised PCI address: the GPUs that an exporter names.
Known = Mapping[tuple[str, str], str]


def log_messages(
    lines: Iterable[str],
    *,
    host_id: str,
    near: float,
    known: Known | None = None,
    damage: Damage | None = None,
    one_host: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield the raw messages of a whole log, in its order.

    Parameters
    ----------
    host_id
        Host of lines that name none.
    near
        Epoch seconds of the log's end: when its last line was written, for lines with an uptime alone, and the year
        of those without one.
    known
        GPUs that an exporter's labels name.
    one_host
        ``host_id`` also stands for the host that the lines name, where all name the same one.
    """
    log = KernelLog(near=near, damage=damage)
    found = iter(lines)
    first = next((line for line in found if line.strip()), "")
    events: list[LogEvent] = []
    if is_exported(first):
        for entry in exported(chain((first,), found), damage=damage):
            events += log.take(entry)
    else:
        for line in chain((first,), found):
            events += log.read(line)
        events += log.close()
    hosts = {event.host for event in events} | {name.host for name in log.names}
    stands_for = one_host and len(hosts - {None}) == 1
    names = _Names(log.names)
    for event in events:
        host = host_id if stands_for or event.host is None else event.host
        at = event.time if event.time is not None else _anchored(event, log.last_uptimes(event.host), near)
        uuid = names.of(event) or (known or {}).get((host, event.pci_bus_id or ""))
        yield event_message(replace(event, time=at), host_id=host, near=near, uuid=uuid)


class _Names:
    """Which GPU an address is, line by line."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._by_address: dict[tuple[str | None, str], list[Name]] = {}
        for name in names:
            self._by_address.setdefault((name.host, name.pci_bus_id), []).append(name)

    def of(self, event: LogEvent) -> str | None:
        """Return the GPU of ``event``.

        A name holds from its line to the next one of that address on that host; what came before the first name of a
        boot is of the board that this boot then named, and only without one of the board that was there before.
        """
        found = self._by_address.get((event.host, event.pci_bus_id or ""), [])
        index = bisect_right([name.number for name in found], event.number)
        before = found[index - 1] if index else None
        if before is not None and before.boot == event.boot:
            return before.uuid
        after = found[index] if index < len(found) else None
        if after is not None and after.boot == event.boot:
            return after.uuid
        return before.uuid if before is not None else None


def _anchored(event: LogEvent, last_uptimes: Mapping[int, float], near: float) -> float | None:
    """Return the time of an event with an uptime alone: the log's last line was written at ``near``.

    An earlier boot ended, at the latest, when the next one began.
    """
    if event.uptime is None:
        return None
    end = near
    for boot in sorted(last_uptimes, reverse=True):
        if boot == event.boot:
            return end - (last_uptimes[boot] - event.uptime)
        end -= last_uptimes[boot]
    return None


def event_message(
    event: LogEvent, *, host_id: str, near: float, uuid: str | None, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the raw message of an event: of the GPU ``uuid``, without one (and for an NVSwitch's) of its host.

    An event without a time of its own happened at ``near``.
    """
    gpu_id = uuid if event.type == "xid" else None
    timestamp = format_time(event.time if event.time is not None else near)
    message: dict[str, Any] = {
        "timestamp": timestamp,
        "gpu_id": gpu_id or f"{HOST_PREFIX}{host_id}",
        "host_id": host_id,
        "metrics": {},
        "events": [
            {
                "type": event.type,
                "code": event.code,
                "pci_bus_id": event.pci_bus_id,
                "line": event.line,
                "timestamp": timestamp,
            }
        ],
        "source": event.source,
        "schema_version": 1,
    }
    if labels:
        message["labels"] = dict(labels)
    return message
