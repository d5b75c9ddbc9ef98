"""XIDs, SXids and lost GPUs in the kernel's log, and the names that the driver gives to addresses.

References
----------
Line formats: NVIDIA's XID documentation (docs.nvidia.com/deploy/xid-errors) and logs published with
leptonai/gpud and NVIDIA/NVSentinel. A GPU can fall off the bus without an XID (NVSentinel #155, #195). Lines of PCIe
errors: Documentation/PCI/pcieaer-howto of Linux.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from collectors.damage import Damage
from collectors.kernel.envelope import MAX_LINE_CHARS, Entry, clean, unwrap
from collectors.kernel.times import uptime
from schemas.pci import normalise_pci

SOURCE: Final = "kernel_log"
SOURCE_NO_XID: Final = "log, no XID"
XID_LOST: Final = 79
NOT_KERNEL: Final = "an XID that the kernel did not write: forged, or relayed under another name"
# The driver often says 'fallen off the bus' beside XID 79: the same loss, told once.
_SAME_LOSS_SECONDS: Final = 5.0
_JOINED_LINES: Final = 3
# Uptimes of one boot may be a little out of order (they are taken on several cores); a fall beyond this is a boot.
_UPTIME_FALL_SECONDS: Final = 60.0
# A fatal error of the port above and the loss of the GPU are one event (102 ms apart in a published log).
_PORT_SECONDS: Final = 0.2
_PORT_HISTORY_SECONDS: Final = 600.0
_PORT_LINES: Final = 16

_ADDRESS: Final = r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}(?:\.[0-7])?)?"
_XID: Final = re.compile(
    rf"(?<![A-Za-z])Xid \((?:PCI:)?(?P<pci>{_ADDRESS})(?: GPU-I:\d+)?(?: GPU-CI:\d+)?\): (?P<code>\d{{1,6}})(?!\d)"
)
_SXID: Final = re.compile(rf"SXid \((?:PCI:)?(?P<pci>{_ADDRESS})\): (?P<code>\d{{1,6}})(?!\d)")
_UUID: Final = re.compile(rf"NVRM: GPU at (?:PCI:)?(?P<pci>{_ADDRESS}): (?P<uuid>GPU-[0-9a-fA-F-]{{8,64}})(?![\w-])")
_LOST: Final = re.compile(rf"NVRM: GPU (?:at )?(?:PCI:)?(?P<pci>{_ADDRESS}): GPU has fallen off the bus")
_LOST_BEGIN: Final = re.compile(rf"NVRM: The NVIDIA GPU (?P<pci>{_ADDRESS})")
_LOST_END: Final = re.compile(r"NVRM: fallen off the bus and is not responding")
_BOOT: Final = re.compile(r"(?:^|[\s:\]])Linux version \d")
_PORT: Final = re.compile(rf"(?P<port>{_ADDRESS}): (?:AER: |PCIe Bus Error: |   *\[ *\d+\] )")
_FATAL: Final = re.compile(
    r"AER: Uncorrected \(Fatal\)|AER: (?:Multiple )?Uncorrectable \(Fatal\)|severity=Uncorrect\w+ \(Fatal\)|SDES"
)
# An XID 154 that a terminal or a syslog cut: its second action is on the next line.
_ACTION: Final = re.compile(r"recovery action changed from ")
_ACTION_WHOLE: Final = re.compile(r" to 0x[0-9a-fA-F]+ \(")
# What a line must have to be looked at: after a loss the driver prints assertions at 500 lines a second.
_OURS: Final = re.compile(
    r"Xid|NVRM: (?:GPU|The NVIDIA|\(PCI ID|fallen)|Linux version|AER|PCIe Bus Err|pcieport"
    r'|"MESSAGE" ?: ?(?:\[|null)'
)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of a kernel log.

    ``type`` is ``xid`` or ``sxid`` (an NVSwitch's); ``time`` is epoch seconds, None where the line has no usable
    clock, and ``uptime`` then orders it; ``pci_bus_id`` is normalised; ``host`` is the one that the line names, and
    ``boot`` counts that host's boots within the log; ``source`` tells a loss that came without an XID.
    """

    type: str
    code: int
    pci_bus_id: str | None
    line: str
    time: float | None
    source: str = SOURCE
    host: str | None = None
    boot: int = 0
    uptime: float | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """From line ``number`` on the GPU at ``pci_bus_id`` of ``host`` is ``uuid``."""

    host: str | None
    pci_bus_id: str
    uuid: str
    boot: int
    number: int


@dataclass(slots=True)
class _Host:
    """What joins the lines of one host."""

    boot: int = 0
    uptime: float | None = None
    last_uptimes: dict[int, float] = field(default_factory=dict)
    lost_at: dict[str, float] = field(default_factory=dict)
    open_loss: tuple[str, Entry] | None = None
    open_lines: int = 0
    port_lines: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=_PORT_LINES))


class KernelLog:
    """Reads lines in order and remembers what joins them: names by address, losses told over several lines.

    Parameters
    ----------
    near
        Epoch seconds about which the log was written; syslog lines carry no year.
    boot_time
        Epoch seconds of the boot, for lines with an uptime alone; None: such lines have no time.
    damage
        Takes the count of lines that are no kernel's.

    Attributes
    ----------
    names
        Every name that the driver gave, in order.
    """

    def __init__(self, *, near: float, boot_time: float | None = None, damage: Damage | None = None) -> None:
        self.names: list[Name] = []
        self._near = near
        self._boot_time = boot_time
        self._damage = damage if damage is not None else Damage()
        self._hosts: dict[str | None, _Host] = {}
        self._cut: LogEvent | None = None
        self._number = 0

    def last_uptimes(self, host: str | None) -> dict[int, float]:
        """Return the last uptime (s) of each boot of ``host``."""
        return self._hosts[host].last_uptimes if host in self._hosts else {}

    def read(self, line: str) -> list[LogEvent]:
        """Return the events of one line, which may be a record of several lines. Never raises.

        >>> KernelLog(near=0.0).read("[ 1.5] NVRM: Xid (PCI:0000:9B:00): 79, GPU has fallen off the bus.")[0].code
        79
        """
        self._number += 1
        if self._cut is not None:
            cut, self._cut = self._cut, None
            rest = clean(line.rstrip("\r\n"))
            if rest[:1] in (" ", "\t") and "Xid" not in rest:
                return [replace(cut, line=f"{cut.line} {rest.strip()}"[:MAX_LINE_CHARS])]
            return [cut, *self._read(line)]
        return self._read(line)

    def close(self) -> list[LogEvent]:
        """Return what waited for its next line."""
        cut, self._cut = self._cut, None
        return [cut] if cut is not None else []

    def _read(self, line: str) -> list[LogEvent]:
        if not _OURS.search(line):
            self._note_uptime(None, uptime(line))
            open_losses = [host for host in self._hosts.values() if host.open_loss is not None]
            for host in open_losses:
                self._count_open(host)
            return []
        events: list[LogEvent] = []
        for entry in unwrap(line.rstrip("\r\n"), self._number, near=self._near, damage=self._damage):
            events += self.take(entry)
        if events and _ACTION.search(events[-1].line) and not _ACTION_WHOLE.search(events[-1].line):
            self._cut = events.pop()
        return events

    def take(self, entry: Entry) -> list[LogEvent]:
        """Return the events of an entry (at most one)."""
        text = entry.text
        host = self._hosts.get(entry.host)
        if host is None:
            host = self._hosts[entry.host] = _Host()
        if _BOOT.search(text) and entry.kernel is not False:
            self._begin_boot(host)
        self._note_uptime(host, entry.uptime)
        named = _UUID.search(text)
        if named is not None:
            address = normalise_pci(named["pci"])
            if address is not None and entry.kernel is not False:
                self.names.append(Name(entry.host, address, named["uuid"], host.boot, entry.number))
            return []
        event = self._event_of(entry, host)
        if event is not None and entry.kernel is False:
            self._damage.add(NOT_KERNEL, entry.number, entry.line)
            return []
        return [event] if event is not None else []

    def _event_of(self, entry: Entry, host: _Host) -> LogEvent | None:
        for kind, pattern in (("xid", _XID), ("sxid", _SXID)):
            match = pattern.search(entry.text)
            if match is not None:
                event = self._event(kind, int(match["code"]), match["pci"], entry, host)
                if kind == "xid" and event.code == XID_LOST and event.pci_bus_id and entry.kernel is not False:
                    host.lost_at[event.pci_bus_id] = self._position(entry)
                    return self._with_port(event, entry, host)
                return event
        port = _PORT.search(entry.text)
        if port is not None:
            host.port_lines.append((self._position(entry), port["port"], entry.line))
            return None
        return self._loss(entry, host)

    def _loss(self, entry: Entry, host: _Host) -> LogEvent | None:
        match = _LOST.search(entry.text)
        if match is not None:
            return self._lost(match["pci"], entry.line, entry, host)
        begin = _LOST_BEGIN.search(entry.text)
        if begin is not None:
            host.open_loss, host.open_lines = (begin["pci"], entry), 0
            return None
        if host.open_loss is None:
            return None
        pci, first = host.open_loss
        if _LOST_END.search(entry.text):
            host.open_loss = None
            return self._lost(pci, f"{first.line}\n{entry.line}"[:MAX_LINE_CHARS], entry, host)
        self._count_open(host)
        return None

    def _count_open(self, host: _Host) -> None:
        host.open_lines += 1
        if host.open_lines >= _JOINED_LINES:
            host.open_loss = None

    def _lost(self, pci: str, text: str, entry: Entry, host: _Host) -> LogEvent | None:
        event = replace(self._event("xid", XID_LOST, pci, entry, host), line=text, source=SOURCE_NO_XID)
        address = event.pci_bus_id or pci
        told = host.lost_at.get(address)
        now = self._position(entry)
        host.lost_at[address] = now
        if told is not None and abs(now - told) <= _SAME_LOSS_SECONDS:
            return None
        return self._with_port(event, entry, host)

    def _with_port(self, event: LogEvent, entry: Entry, host: _Host) -> LogEvent:
        """Join the errors of the port above the GPU to its loss, where a fatal one came right before it."""
        now = self._position(entry)
        fatal = {
            port for at, port, line in host.port_lines if 0.0 <= now - at <= _PORT_SECONDS and _FATAL.search(line)
        }
        lines = [
            line for at, port, line in host.port_lines if port in fatal and 0.0 <= now - at <= _PORT_HISTORY_SECONDS
        ]
        return replace(event, line="\n".join([event.line, *lines])[:MAX_LINE_CHARS]) if lines else event

    def _event(self, kind: str, code: int, pci: str, entry: Entry, host: _Host) -> LogEvent:
        at, boot_time = entry.time, self._boot_time
        if at is None and boot_time is not None and entry.uptime is not None:
            at = boot_time + entry.uptime
        return LogEvent(
            kind,
            code,
            normalise_pci(pci),
            entry.line,
            at,
            SOURCE,
            entry.host,
            host.boot,
            entry.uptime,
            entry.number,
        )

    def _note_uptime(self, host: _Host | None, seconds: float | None) -> None:
        if seconds is None:
            return
        if host is None:
            host = self._hosts.setdefault(None, _Host())
        if host.uptime is not None and seconds < host.uptime - _UPTIME_FALL_SECONDS:
            self._begin_boot(host)
        host.uptime = seconds
        host.last_uptimes[host.boot] = max(seconds, host.last_uptimes.get(host.boot, seconds))

    def _begin_boot(self, host: _Host) -> None:
        host.boot += 1
        host.uptime = None
        host.open_loss = None
        host.port_lines.clear()
        host.lost_at.clear()

    def _position(self, entry: Entry) -> float:
        """Return seconds that order lines of one log: its uptime, else its clock, else one same moment."""
        if entry.uptime is not None:
            return entry.uptime
        return entry.time or 0.0


def read_log(lines: Iterable[str], *, near: float, boot_time: float | None = None) -> Iterator[LogEvent]:
    """Yield the events of ``lines``."""
    log = KernelLog(near=near, boot_time=boot_time)
    for line in lines:
        yield from log.read(line)
    yield from log.close()
