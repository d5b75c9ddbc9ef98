"""What the text of an XID's line adds to its code: place, registers, fatality, recovery action."""

from __future__ import annotations

import re
from typing import Final

_PLACE: Final = re.compile(r"\(GPC (\d+), TPC (\d+)")
_NVLINK: Final = re.compile(r"on link (-?\d+)\s*\(((?:0x[0-9a-fA-F]+(?:,\s*)?)+)\)")
_RECOVERY: Final = re.compile(r"to 0x([0-9a-fA-F]{1,8})\b")

# XID 74, words 1, 3, 4, 5: bits that are to be ignored or follow another fault (NVIDIA's NVLink workflow,
# docs.nvidia.com/deploy/xid-errors). Any other bit is a fault of this link.
_HARMLESS_BITS: Final = {
    1: (0, 1, 20, 23, 30),
    3: (),
    4: (16, 17, 18),
    5: (20, 23, 26, 29),
}
_HARMLESS_MASKS: Final = {word: sum(1 << bit for bit in bits) for word, bits in _HARMLESS_BITS.items()}


def place(line: str) -> str | None:
    """Return ``gpc:tpc`` of an XID 13 line; None where it names no place.

    >>> place("Graphics SM Warp Exception on (GPC 9, TPC 1, SM 1): Out Of Range Address")
    '9:1'
    """
    match = _PLACE.search(line)
    return f"{match[1]}:{match[2]}" if match else None


def nvlink_registers_harmless(line: str) -> bool:
    """Tell whether an XID 74 line has registers, some set, and all of them to be ignored or sympathetic.

    Words are numbered from 1 as NVIDIA's table does. A line without registers, or with none set, excludes
    nothing: False.

    >>> nvlink_registers_harmless("fatal error detected on link 3(0x100000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)")
    True
    >>> nvlink_registers_harmless("fatal error detected on link 14(0x0, 0x0, 0x10000, 0x0, 0x0, 0x0, 0x0)")
    False
    """
    match = _NVLINK.search(line)
    if match is None:
        return False
    words = [int(text, 16) for text in re.findall(r"0x[0-9a-fA-F]+", match[2])]
    seen = {word: words[word - 1] for word in _HARMLESS_MASKS if word <= len(words)}
    return any(seen.values()) and not any(bits & ~_HARMLESS_MASKS[word] for word, bits in seen.items())


def fatal(line: str) -> bool | None:
    """Return whether an XID 144-150 line says Fatal or Nonfatal; None where it says neither.

    >>> fatal("NETIR_BER_EVENT Nonfatal XC0 i0 Link 03 (0x00086226 0x00000001)")
    False
    """
    if re.search(r"\bNonfatal\b", line, re.IGNORECASE):
        return False
    return True if re.search(r"\bFatal\b", line, re.IGNORECASE) else None


def recovery_action(line: str) -> int | None:
    """Return the new recovery action of an XID 154 line: the number, since its words differ by driver.

    >>> recovery_action("GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)")
    4
    """
    match = _RECOVERY.search(line)
    return int(match[1], 16) if match else None
