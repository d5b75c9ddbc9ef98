"""XIDs, SXids and lost GPUs in kernel log lines: pure parsing of text that a driver printed.

References
----------
Line formats: NVIDIA's XID documentation (docs.nvidia.com/deploy/xid-errors) and logs published with
leptonai/gpud and NVIDIA/NVSentinel. A GPU can fall off the bus without an XID (NVSentinel #155, #195).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from collectors.kernel_time import line_time, uptime
from schemas.pci import normalise_pci
from schemas.raw import HOST_PREFIX
from schemas.times import format_time

SOURCE: Final = "kernel_log"
SOURCE_NO_XID: Final = "log, no XID"
XID_LOST: Final = 79
MAX_LINE_CHARS: Final = 2000
# The driver often says 'fallen off the bus' beside XID 79: the same loss, told once.
_SAME_LOSS_SECONDS: Final = 5.0
_JOINED_LINES: Final = 3

_ADDRESS: Final = r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}(?:\.[0-7])?)?"
_XID: Final = re.compile(
    rf"(?<![A-Za-z])Xid \((?:PCI:)?(?P<pci>{_ADDRESS})(?: GPU-I:\d+)?(?: GPU-CI:\d+)?\): (?P<code>\d{{1,6}})(?!\d)"
)
_SXID: Final = re.compile(rf"SXid \((?:PCI:)?(?P<pci>{_ADDRESS})\): (?P<code>\d{{1,6}})(?!\d)")
_UUID: Final = re.compile(rf"NVRM: GPU at (?:PCI:)?(?P<pci>{_ADDRESS}): (?P<uuid>GPU-[0-9a-fA-F-]{{8,64}})")
_LOST: Final = re.compile(rf"NVRM: GPU (?:at )?(?:PCI:)?(?P<pci>{_ADDRESS}): GPU has fallen off the bus")
_LOST_BEGIN: Final = re.compile(rf"NVRM: The NVIDIA GPU (?P<pci>{_ADDRESS})")
_LOST_END: Final = re.compile(r"NVRM: fallen off the bus and is not responding")


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of a kernel log.

    ``type`` is ``xid`` or ``sxid`` (an NVSwitch's); ``time`` is epoch seconds, None where the line has no
    usable clock; ``pci_bus_id`` is normalised; ``source`` tells a loss that came without an XID.
    """

    type: str
    code: int
    pci_bus_id: str | None
    line: str
    time: float | None
    source: str = SOURCE


class KernelLog:
    """Reads lines in order and remembers what joins them: UUIDs by address, losses told over several lines.

    Parameters
    ----------
    near
        Epoch seconds about which the log was written; syslog lines carry no year.
    boot_time
        Epoch seconds of the boot, for lines with an uptime alone; None: such lines have no time.
    """

    def __init__(self, *, near: float, boot_time: float | None = None) -> None:
        self.uuids: dict[str, str] = {}
        self._near = near
        self._boot_time = boot_time
        self._lost_at: dict[str, float] = {}
        self._open_loss: tuple[str, str] | None = None
        self._open_lines = 0

    def read(self, line: str) -> LogEvent | None:
        """Return the event of one line, None for a line without one. Never raises.

        >>> KernelLog(near=0.0).read("[ 1.5] NVRM: Xid (PCI:0000:9B:00): 79, GPU has fallen off the bus.").code
        79
        """
        line = line.rstrip("\r\n")[:MAX_LINE_CHARS]
        named = _UUID.search(line)
        if named is not None:
            address = normalise_pci(named["pci"])
            if address is not None:
                self.uuids[address] = named["uuid"]
            return None
        for kind, pattern in (("xid", _XID), ("sxid", _SXID)):
            match = pattern.search(line)
            if match is not None:
                event = self._event(kind, int(match["code"]), match["pci"], line, SOURCE)
                if kind == "xid" and event.code == XID_LOST and event.pci_bus_id:
                    self._lost_at[event.pci_bus_id] = self._position(line)
                return event
        return self._loss(line)

    def _loss(self, line: str) -> LogEvent | None:
        match = _LOST.search(line)
        if match is not None:
            return self._lost(match["pci"], line, line)
        begin = _LOST_BEGIN.search(line)
        if begin is not None:
            self._open_loss, self._open_lines = (begin["pci"], line), 0
            return None
        if self._open_loss is None:
            return None
        self._open_lines += 1
        pci, first = self._open_loss
        if _LOST_END.search(line):
            self._open_loss = None
            return self._lost(pci, f"{first}\n{line}"[:MAX_LINE_CHARS], line)
        if self._open_lines >= _JOINED_LINES:
            self._open_loss = None
        return None

    def _lost(self, pci: str, text: str, line: str) -> LogEvent | None:
        event = self._event("xid", XID_LOST, pci, line, SOURCE_NO_XID)
        address = event.pci_bus_id or pci
        told = self._lost_at.get(address)
        now = self._position(line)
        self._lost_at[address] = now
        if told is not None and abs(now - told) <= _SAME_LOSS_SECONDS:
            return None
        return LogEvent(event.type, event.code, event.pci_bus_id, text, event.time, event.source)

    def _event(self, kind: str, code: int, pci: str, line: str, source: str) -> LogEvent:
        return LogEvent(kind, code, normalise_pci(pci), line, self._time(line), source)

    def _time(self, line: str) -> float | None:
        return line_time(line, near=self._near, boot_time=self._boot_time)

    def _position(self, line: str) -> float:
        """Return seconds that order lines of one log: its clock, else its uptime, else one same moment."""
        moment = self._time(line)
        if moment is not None:
            return moment
        return uptime(line) or 0.0


def read_log(lines: Iterable[str], *, near: float, boot_time: float | None = None) -> Iterator[LogEvent]:
    """Yield the events of ``lines``."""
    log = KernelLog(near=near, boot_time=boot_time)
    for line in lines:
        event = log.read(line)
        if event is not None:
            yield event


def event_message(
    event: LogEvent, *, host_id: str, near: float, uuids: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the raw message of an event: of its GPU where the address is known, else of its host.

    An event without a time of its own happened at ``near``.
    """
    gpu_id = uuids.get(event.pci_bus_id or "") if event.type == "xid" else None
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
