"""The recordings that tests read: those of the repository, and the larger ones beside it where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Final

RECORDINGS: Final = Path(__file__).parent / "recordings"
# Not part of the repository: several sources state no licence.
SHARED: Final = Path(__file__).resolve().parents[2] / "shared" / "data"

_SHARED_TRACES: Final = tuple(SHARED / "h100_10hz" / f"{name}_telemetry.csv" for name in ("b1", "t2"))


def scrapes() -> list[Path]:
    """Return every recorded scrape of an exporter."""
    return [*sorted((RECORDINGS / "dcgm").glob("*.txt")), *sorted((SHARED / "dcgm").glob("*.txt"))]


def traces() -> list[Path]:
    """Return every 10 Hz trace of eight healthy GPUs."""
    return [RECORDINGS / "trace" / "h100_x8_10hz.csv", *(path for path in _SHARED_TRACES if path.exists())]


def xid_lines() -> list[Path]:
    """Return every table of kernel lines: code, tier, source and line, apart by tabs; ``#`` begins a comment."""
    return [path / "xid" / "xid_lines.tsv" for path in (RECORDINGS, SHARED) if (path / "xid").exists()]


def rows(table: Path) -> list[list[str]]:
    """Return the rows of a table of kernel lines."""
    lines = table.read_text("utf-8").splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]
