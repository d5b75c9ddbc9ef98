"""A recorded file becomes raw messages: exporter text, JSON lines, kernel logs, 10 Hz CSV traces."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Literal, TextIO

import orjson

from collectors.buffer import Buffer
from collectors.damage import Damage
from collectors.dcgm import messages, parse_exposition, row_kinds
from collectors.kernel.envelope import is_exported, is_record
from collectors.kernel.messages import Known, log_messages
from collectors.schedule import Clock
from collectors.trace_csv import is_trace_header, trace_messages
from schemas.times import EARLIEST

Format = Literal["exposition", "json_lines", "kernel_log", "trace_csv", "empty"]

_SNIFFED_CHARS: Final = 64 * 1024
_CHUNK: Final = 1_000
_MAX_SCRAPE_BYTES: Final = 256 * 1024 * 1024
_HEADER: Final = re.compile(r"# (?:HELP|TYPE) [A-Za-z_:]")
_ROW: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*(?:\{| +\S+ *\Z)")
_KERNEL: Final = re.compile(r"NVRM:|S?Xid \(|kernel:|\A(?:<\d+>)?\[ *\d+\.\d+\]|\A\w+ *:\w+ *: |\A\d+,\d+,\d+,[^;]*;")


class UnknownRecording(ValueError):
    """The file is none of the formats that can be replayed; the text says which ones are."""


def sniff(head: str) -> Format | None:
    """Return the format of a file that begins with ``head``, None where it is none of them.

    >>> sniff('{"gpu_id": "GPU-1"}'), sniff('DCGM_FI_DEV_GPU_TEMP{gpu="0"} 65')
    ('json_lines', 'exposition')
    >>> sniff('{"_TRANSPORT": "kernel", "MESSAGE": "usb 1-1: new device"}')
    'kernel_log'
    """
    lines = [line for line in head.splitlines() if line.strip()]
    if not lines:
        return "empty"
    if lines[0].lstrip().startswith("{"):
        return "kernel_log" if is_record(lines[0]) else "json_lines"
    if is_exported(lines[0]):
        return "kernel_log"
    if is_trace_header(lines[0]):
        return "trace_csv"
    if any(_HEADER.match(line) for line in lines):
        return "exposition"
    if any(_KERNEL.search(line) for line in lines):
        return "kernel_log"
    if any(_ROW.match(line) for line in lines if not line.startswith("#")):
        return "exposition"
    return None


def read_recording(
    path: Path,
    *,
    host_id: str | None = None,
    at: float | None = None,
    damage: Damage | None = None,
    known: Known | None = None,
) -> Iterator[bytes]:
    """Yield the raw messages of a recorded file as JSON, in the file's order.

    Parameters
    ----------
    host_id
        Host of a scrape, a log or a trace, which carry none; default: the exporter's own host name, else
        the file's name. JSON lines keep their own, and so does a log that names several.
    at
        Epoch seconds of a scrape, and of the end of a log whose lines have no clock; default: the file's
        modification time.
    damage
        Takes the count and the reason of each line that could not be read.
    known
        GPUs by host and PCI address, as :func:`named_gpus` finds them: whose the XIDs of an address are.

    Raises
    ------
    UnknownRecording
        The format is not known.
    OSError
        The file cannot be read.
    """
    damage = damage if damage is not None else Damage()
    moment = at if at is not None else path.stat().st_mtime
    with open_text(path) as file:
        head = file.read(_SNIFFED_CHARS)
        file.seek(0)
        kind = sniff(head)
        if kind == "json_lines":
            yield from _json_lines(file)
        elif kind == "exposition":
            yield from _exposition(file.read(_MAX_SCRAPE_BYTES), path, host_id, moment, damage)
        elif kind == "kernel_log":
            for message in log_messages(
                file,
                host_id=host_id or path.stem,
                near=moment,
                known=known,
                damage=damage,
                one_host=host_id is not None,
            ):
                yield orjson.dumps(message)
        elif kind == "trace_csv":
            for message in trace_messages(file, name=path.stem, host_id=host_id or path.stem, damage=damage):
                yield orjson.dumps(message)
        elif kind is None:
            raise UnknownRecording(f"{path}: not exporter text, JSON lines, a kernel log or a 10 Hz CSV trace")


def named_gpus(paths: Sequence[Path], *, host_id: str | None = None) -> dict[tuple[str, str], str]:
    """Return the GPUs that the scrapes among ``paths`` name, by host and PCI address.

    Two that have one address are left out: whose it is cannot be told.

    Raises
    ------
    OSError
        A file cannot be read.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for path in paths:
        with open_text(path) as file:
            if sniff(file.read(_SNIFFED_CHARS)) != "exposition":
                continue
            file.seek(0)
            for value in _exposition(file.read(_MAX_SCRAPE_BYTES), path, host_id, EARLIEST, Damage()):
                message = orjson.loads(value)
                address = message["labels"].get("pci_bus_id")
                if address:
                    found.setdefault((message["host_id"], address), set()).add(message["gpu_id"])
    return {place: next(iter(gpus)) for place, gpus in found.items() if len(gpus) == 1}


def open_text(path: Path) -> TextIO:
    """Open a text file, also a gzip of one, and one of UTF-16 (by its mark); other bytes are replaced."""
    with path.open("rb") as file:
        begin = file.read(2)
    encoding = "utf-16" if begin in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if begin == b"\x1f\x8b":
        return gzip.open(path, "rt", encoding=encoding, errors="replace", newline="")
    return path.open(encoding=encoding, errors="replace", newline="")


class Recordings:
    """Gives recorded files, one after the other (a :class:`collectors.source.Source`).

    Parameters
    ----------
    key
        Makes the key of a message.
    read
        Gives the messages of one file: :func:`read_recording` with its options.
    """

    def __init__(
        self, paths: Sequence[Path], *, key: Callable[[bytes], bytes | None], read: Callable[[Path], Iterator[bytes]]
    ) -> None:
        self._paths = paths
        self._key = key
        self._read = read

    async def run(self, buffer: Buffer, *, clock: Clock, stop: asyncio.Event) -> bool:
        """Send every message of every file."""
        for path in self._paths:
            messages = self._read(path)
            while not stop.is_set() and (chunk := list(islice(messages, _CHUNK))):
                await buffer.send((self._key(value), value) for value in chunk)
        return True


def _json_lines(file: TextIO) -> Iterator[bytes]:
    """Yield each line as it is: what is wrong with one becomes a dead letter, as it would from a producer."""
    for line in file:
        text = line.strip()
        if text:
            yield text.encode("utf-8", "replace")


def _exposition(text: str, path: Path, host_id: str | None, at: float, damage: Damage) -> Iterator[bytes]:
    exposition = parse_exposition(text)
    for line in exposition.damaged:
        damage.add(line.reason, line.number, line.text)
    for kind, count in row_kinds(exposition).items():
        if kind not in ("gpu", "link"):
            damage.counts[f"row without a GPU: {kind}"] += count
    for message in messages(exposition, host_id=host_id or "", time=at, interval_seconds=None, source="recording"):
        if not host_id:
            message["host_id"] = message["labels"].get("exporter_hostname", path.stem)
        yield orjson.dumps(message)
