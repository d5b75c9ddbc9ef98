"""What a data folder holds: whose telemetry, and the data of which versions of the embedded servers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from schemas.errors import ShutdownError
from streams.embedded.leftover import end_leftover

Kind = Literal["simulated", "real"]

_KIND_FILE: Final = "telemetry"
_VERSION_FILE: Final = "version"
_VERSIONED: Final = re.compile(r"kafka-(\d+(?:\.\d+)*)")
_WORDS: Final[dict[Kind, str]] = {"simulated": "a simulated fleet", "real": "real GPUs"}
_ADVICE: Final[dict[Kind, str]] = {
    "simulated": "set GPU_HEALTH_DATA_DIR to another folder for real GPUs",
    "real": "start with --no-simulate, or set GPU_HEALTH_DATA_DIR to another folder for a simulated fleet",
}


def claim(data_dir: Path, kind: Kind) -> None:
    """Keep a data folder for simulated or for real telemetry: mixed, the fleet that is away would page as missing.

    Raises
    ------
    ShutdownError
        The folder holds the other kind; the message says what to do.
    """
    marker = data_dir / _KIND_FILE
    held = _held(data_dir)
    if held is not None and held != kind:
        raise ShutdownError(f"{data_dir} holds the telemetry of {_WORDS[held]}: {_ADVICE[held]}")
    data_dir.mkdir(parents=True, exist_ok=True)
    marker.write_text(f"{kind}\n")


def _held(data_dir: Path) -> Kind | None:
    try:
        text = (data_dir / _KIND_FILE).read_text(errors="replace").strip()
    except FileNotFoundError:
        # Version 0.1.0 wrote no marker: what it simulated left a log.
        if (data_dir / "logs" / "simulate.log").exists():
            return "simulated"
        return "real" if (data_dir / "logs" / "score.log").exists() else None
    for kind in _WORDS:
        if text == kind:
            return kind
    raise ShutdownError(
        f"{data_dir / _KIND_FILE} says {text[:40]!r}, not simulated or real: write what the folder holds into it"
    )


def kafka_folder(data_dir: Path) -> Path:
    """Return the folder of the broker's data, whatever version wrote it.

    Earlier releases named it after their version, so that a later one began empty: the newest of those is moved to
    the name that all versions share. Kafka reads the log of an older version.
    """
    folder = data_dir / "kafka"
    if folder.exists() or not data_dir.is_dir():
        return folder
    found = [(version, path) for path in data_dir.iterdir() if path.is_dir() and (version := _version(path.name))]
    if found:
        version, newest = max(found)
        end_leftover(newest / "pid", newest)
        newest.rename(folder)
        note_version(folder, ".".join(map(str, version)))
    return folder


def refuse_newer(folder: Path, version: str) -> None:
    """Look whether a later version of the server has written ``folder``: an earlier one may not read it.

    Raises
    ------
    ShutdownError
        It has.
    """
    try:
        wrote = (folder / _VERSION_FILE).read_text(errors="replace").strip()
    except FileNotFoundError:
        return
    if _numbers(wrote) > _numbers(version):
        raise ShutdownError(
            f"{folder} was written by Kafka {wrote}, and this release runs {version}, which cannot read it: "
            "go back to the release that wrote it, or set GPU_HEALTH_DATA_DIR to another folder"
        )


def note_version(folder: Path, version: str) -> None:
    """Write which version of the server has written ``folder``."""
    (folder / _VERSION_FILE).write_text(f"{version}\n")


def refuse_other_postgres(data: Path, major: int) -> None:
    """Look whether another major version of PostgreSQL has made ``data``: no other one can read it.

    Raises
    ------
    ShutdownError
        It has; the message says how the rows are brought over.
    """
    try:
        made = (data / "PG_VERSION").read_text(errors="replace").strip()
    except FileNotFoundError:
        return
    if made != str(major):
        raise ShutdownError(
            f"{data} was made by PostgreSQL {made}, and this release runs {major}: bring the rows over with "
            f"pg_dump and pg_restore of PostgreSQL {major}, or move the folder away to begin with an empty database"
        )


def _version(name: str) -> tuple[int, ...]:
    match = _VERSIONED.fullmatch(name)
    return _numbers(match[1]) if match else ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
