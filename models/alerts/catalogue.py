"""The project's XID catalogue: what a code means, what to do, and whether it may wake a person."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal, cast

from schemas.alert import CauseClass, Severity

XidClass = Literal["hardware", "driver", "recovery", "application", "cleanup", "power", "other", "unused", "unknown"]
MayPage = Literal["yes", "no", "fatal", "registers", "repeat", "recovery"]

# Actions that only a reset or a restart completes.
RESET_ACTIONS: Final = frozenset(
    ("RESET_GPU", "RESTART_BM", "WORKFLOW_XID_48", "WORKFLOW_NVLINK_ERR", "WORKFLOW_NVLINK5_ERR")
)


@dataclass(frozen=True, slots=True)
class XidEntry:
    """One XID code; ``may_page`` is explained in the head of the catalogue file."""

    code: int
    mnemonic: str
    meaning: str
    xid_class: XidClass
    cause: CauseClass
    immediate: str
    investigatory: str
    severity: Severity
    may_page: MayPage
    applies: str

    @property
    def needs_reset(self) -> bool:
        """Whether the fault stands until the GPU is reset or its host restarted."""
        return self.immediate in RESET_ACTIONS


class Catalogue:
    """XID entries by code; a code that nobody has described yet is unknown, a warning, and never dropped.

    >>> load_catalogue().entry(79).immediate
    'RESTART_BM'
    >>> load_catalogue().entry(4711).severity
    'warning'
    """

    __slots__ = ("_entries",)

    def __init__(self, entries: Mapping[int, XidEntry]) -> None:
        self._entries = dict(entries)

    def entry(self, code: int) -> XidEntry:
        """Return the entry of ``code``."""
        return self._entries.get(code) or XidEntry(
            code, "UNKNOWN", "unknown", "unknown", "driver", "", "CONTACT_SUPPORT", "warning", "no", ""
        )

    def codes(self) -> tuple[int, ...]:
        """Return every code that is described."""
        return tuple(self._entries)


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read the catalogue file, by default the packaged one.

    Raises
    ------
    ValueError
        A row lacks a column or has a code that is no number.
    """
    source = path if path is not None else files("models.alerts").joinpath("xid_catalogue.csv")
    lines = [line for line in source.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    entries: dict[int, XidEntry] = {}
    for row in csv.DictReader(lines, strict=True):
        if None in row or None in row.values():
            raise ValueError(f"XID catalogue: {row} has too few or too many columns")
        code = int(row["code"])
        entries[code] = XidEntry(
            code,
            row["mnemonic"],
            row["meaning"],
            cast(XidClass, row["class"]),
            cast(CauseClass, row["cause"]),
            row["immediate"],
            row["investigatory"],
            cast(Severity, row["severity"]),
            cast(MayPage, row["may_page"]),
            row["applies"],
        )
    return Catalogue(entries)
