"""One spelling of a PCI address, so that an exporter's label and a kernel log line can be joined."""

from __future__ import annotations

import re
from typing import Final

_FULL: Final = re.compile(r"(?:pci:)?([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-7])?\Z")
# Drivers of before 2015 print bus:device, the bus as four digits, and no domain.
_BUS_DEVICE: Final = re.compile(r"(?:pci:)?00([0-9a-f]{2}):([0-9a-f]{2})(?:\.[0-7])?\Z")


def normalise_pci(text: str) -> str | None:
    """Return ``dddd:bb:dd`` in lower case without the function; None where ``text`` is no PCI address.

    >>> normalise_pci("00000000:A8:00.0"), normalise_pci("PCI:0000:9b:00"), normalise_pci("0001:00")
    ('0000:a8:00', '0000:9b:00', '0000:01:00')
    """
    lower = text.strip().lower()
    match = _FULL.match(lower)
    if match is not None:
        domain = int(match[1], 16)
        return f"{domain:04x}:{match[2]}:{match[3]}"
    short = _BUS_DEVICE.match(lower)
    return f"0000:{short[1]}:{short[2]}" if short else None
