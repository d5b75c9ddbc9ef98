"""The side inputs that come from files: those that the settings name, else the packaged ones."""

from __future__ import annotations

from typing import Any

from agents.score.side_inputs import DEFAULT_ID, KINDS
from streams.inputs.reading import Decode
from streams.settings import Settings

__all__ = ["DEFAULT_ID", "decoders", "load_files"]


def load_files(settings: Settings) -> dict[str, Any]:
    """Return the payload of each kind that has a default, by name.

    Raises
    ------
    UserFileError
        A file cannot be used.
    """
    kinds = [kind for kind in KINDS if kind.default is not None]
    return {kind.name: kind.load(getattr(settings, kind.setting) if kind.setting else None) for kind in kinds}


def decoders() -> dict[str, Decode]:
    """Return the decoder of each kind, for :class:`streams.inputs.reading.InputsReader`."""
    return {kind.name: kind.decode for kind in KINDS}
