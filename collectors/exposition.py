"""A parser of Prometheus text as GPU exporters really print it: it takes damage and never raises.

dcgm-exporter writes label values through a text template without escaping them, older collectors lost
commas and quotes, and values may be missing or be words. A strict parser loses the whole scrape at the
first such line; this one loses at most that line and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_TEXT_CHARS: Final = 200
# A raw newline in a pod label cuts a line in two; more pieces than this are damage of another kind.
MAX_CONTINUATIONS: Final = 8

_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\Z")
_ROW_START: Final = re.compile(r"[ \t]*([A-Za-z_:][A-Za-z0-9_:]*)[ \t]*(\{|[ \t]|\Z)")
# A name of any characters comes quoted (prometheus/common, UTF-8 names).
_LABEL: Final = re.compile(r'[\s,]*(?:([A-Za-z_][A-Za-z0-9_]*)|"([^"\\\n]+)")\s*=\s*("?)')
_QUOTED_ROW: Final = re.compile(r'[ \t]*\{\s*"([A-Za-z_:][A-Za-z0-9_:.]*)"\s*(?=[,}])')
# A quote closes a value only where the block ends or another label begins: quotes inside came unescaped.
_CLOSING: Final = re.compile(
    r'"(?=\s*\Z|\s*,\s*\Z)'
    r'|(?:(?<!\\)|(?<=\\\\))"(?=[\s,]*[A-Za-z_][A-Za-z0-9_]*\s*=\s*"|\s*,\s*"[^"\\\n]+"\s*=\s*")'
)
_ESCAPE: Final = re.compile(r'\\(["\\n])')
_LOST_QUOTE: Final = re.compile(r',\s*([A-Za-z_][A-Za-z0-9_]*)\s*="')
_UNQUOTED_END: Final = re.compile(r'"?\s*(?:,|\Z)')
_TIMESTAMP: Final = re.compile(r"(\S+)[ \t]+-?\d+\Z")


@dataclass(frozen=True, slots=True)
class Row:
    """One sample line; a value that is no finite number stays the text that was printed."""

    name: str
    labels: Mapping[str, str]
    value: float | str


@dataclass(frozen=True, slots=True)
class DamagedLine:
    """A line that gave no sample: its number (from 1), the reason and the start of its text."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Exposition:
    """What one scrape said."""

    rows: tuple[Row, ...]
    damaged: tuple[DamagedLine, ...]


def parse_exposition(text: str) -> Exposition:
    """Return the samples of a scrape and the lines that could not be read. Never raises.

    >>> parsed = parse_exposition('DCGM_FI_DEV_GPU_TEMP{gpu="0",pod="a"b,c"} 65')
    >>> parsed.rows[0].labels["pod"], parsed.rows[0].value
    ('a"b,c', 65.0)
    """
    rows: list[Row] = []
    damaged: list[DamagedLine] = []
    for number, line in _logical_lines(text):
        quoted = _QUOTED_ROW.match(line)
        if quoted is not None:
            end = line.rfind("}")
            labels = parse_labels(line[quoted.end() : end])
            rows.append(Row(quoted[1], labels, _value(line[end + 1 :])))
            continue
        match = _ROW_START.match(line)
        if match is None:
            damaged.append(DamagedLine(number, "no metric name", line[:MAX_TEXT_CHARS]))
            continue
        name = match[1]
        if match[2] != "{":
            rest, labels = line[match.end() :], {}
        else:
            end = line.rfind("}")
            if end < match.end():
                damaged.append(DamagedLine(number, "labels without an end", line[:MAX_TEXT_CHARS]))
                continue
            labels = parse_labels(line[match.end() : end])
            rest = line[end + 1 :]
        rows.append(Row(name, labels, _value(rest)))
    return Exposition(tuple(rows), tuple(damaged))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of sample lines, pieces of a line cut by a raw newline put together again."""
    lines = text.split("\n")
    position = 0
    while position < len(lines):
        line = lines[position].rstrip("\r")
        number = position + 1
        position += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if "{" in line and "}" not in line:
            pieces = [line]
            while position < len(lines) and len(pieces) <= MAX_CONTINUATIONS:
                following = lines[position]
                if following.startswith("#") or re.match(r"[A-Za-z_:][A-Za-z0-9_:]*\{", following):
                    break
                pieces.append(following.rstrip("\r"))
                position += 1
                if "}" in following:
                    break
            line = "\n".join(pieces)
        yield number, line


def parse_labels(block: str) -> dict[str, str]:
    """Return the labels between the braces; the first of two equal names wins.

    The exporter prints the GPU's identity first, so a hostile pod label cannot replace it.

    >>> parse_labels('gpu="0", UUID="GPU-1"device="nvidia0",err_msg="Preemptive, Channel"')
    {'gpu': '0', 'UUID': 'GPU-1', 'device': 'nvidia0', 'err_msg': 'Preemptive, Channel'}
    """
    labels: dict[str, str] = {}
    position = 0
    while True:
        match = _LABEL.match(block, position)
        if match is None:
            return labels
        name, quoted = match[1] or match[2], match[3]
        start = match.end()
        if not quoted:  # the opening quote was lost
            end = _UNQUOTED_END.search(block, start)
            stop, position = (end.start(), end.end()) if end else (len(block), len(block))
            labels.setdefault(name, block[start:stop].strip())
            if stop == len(block):
                return labels
            continue
        closing = _CLOSING.search(block, start)
        stop = closing.start() if closing else len(block)
        lost = _LOST_QUOTE.search(block, start, stop)
        if lost is not None and '"' not in block[start : lost.start()] and lost.end() <= stop:
            # The closing quote was lost: what follows the comma is the next label.
            labels.setdefault(name, block[start : lost.start()])
            position = lost.start()
            continue
        labels.setdefault(name, _unescape(block[start:stop]))
        if closing is None:
            return labels
        position = closing.end()


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text


def _value(rest: str) -> float | str:
    """Return a finite number, else the text: JSON has no NaN, and what a text means is decided downstream."""
    text = rest.strip()
    if not _NUMBER.match(text):
        timed = _TIMESTAMP.match(text)
        if timed is None or not _NUMBER.match(timed[1]):
            return text[:MAX_TEXT_CHARS]
        text = timed[1]
    number = float(text)
    return number if abs(number) != float("inf") else text[:MAX_TEXT_CHARS]
