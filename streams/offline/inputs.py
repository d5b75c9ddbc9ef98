"""Side inputs from files, and those that roles publish, for a replay without a broker."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

from agents.ports import Inputs, Output
from agents.score.side_inputs import DEFAULT_ID, KINDS
from schemas.user_file import UserFileError
from streams.inputs.files import decoders
from streams.inputs.reading import InputsTable


class LearnedInputs:
    """What roles publish to gpu-inputs during a replay, before what ``packaged`` has."""

    def __init__(self, packaged: Inputs) -> None:
        self._packaged = packaged
        self._learned = InputsTable(decoders())

    def take(self, output: Output) -> None:
        """Take one record for gpu-inputs."""
        self._learned.take(output.key, output.value)

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        """Return what was learned of ``id``, else what is packaged."""
        return self._learned.newest(kind, id, event_time) or self._packaged.newest(kind, id, event_time)

    def generation(self) -> int:
        """Return a number that grows with each record taken."""
        return self._packaged.generation() + self._learned.generation()

    def next_change(self, event_time: float) -> float:
        """Return the earliest time of effect later than ``event_time``."""
        return min(self._packaged.next_change(event_time), self._learned.next_change(event_time))


class FileInputs:
    """Version 1 of every input that has a file in ``directory``; the packaged ones stand for the others.

    All are effective from the beginning of time.

    Raises
    ------
    UserFileError
        The directory or a file cannot be used; the text says where and why.
    """

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise UserFileError(f"{directory} is not a directory")
        self._payloads: dict[str, Any] = {}
        for kind in KINDS:
            path = directory / kind.file
            if kind.file and path.exists():
                self._payloads[kind.name] = kind.load(path)

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        """Return the file's payload as version 1."""
        payload = self._payloads.get(kind) if id == DEFAULT_ID else None
        return None if payload is None else (1, payload)

    def generation(self) -> int:
        """Return a constant: files are read once."""
        return 0

    def next_change(self, event_time: float) -> float:
        """Return infinity: nothing changes within a replay."""
        return inf
