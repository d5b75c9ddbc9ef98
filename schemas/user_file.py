"""Files that a person gives: what is wrong with one is a sentence that names it, never a traceback."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


class UserFileError(ValueError):
    """A file or setting that a person gave cannot be used; the text is one sentence that names it."""


def read_text(path: Path | Traversable, what: str) -> str:
    """Return the text of a UTF-8 file; ``what`` is what it is for the person, such as ``rules file``.

    Raises
    ------
    UserFileError
        It cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserFileError(f"{what} {path} is not UTF-8 text: byte {error.start} cannot be read") from None
    except OSError as error:
        raise UserFileError(f"{what} {path} cannot be read: {error.strerror or type(error).__name__}") from None


def read_toml(path: Path | Traversable, type: type[T], what: str) -> T:
    """Return the struct that a TOML file holds.

    Raises
    ------
    UserFileError
        It cannot be read, is not TOML (the text names line and column), or not of ``type`` (it names the key).
    """
    text = read_text(path, what)
    try:
        return msgspec.toml.decode(text, type=type)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UserFileError(f"{what} {path}: {error}") from None


def read_json(path: Path, type: type[T], what: str) -> T:
    """Return the struct that a JSON file holds; raises as :func:`read_toml`."""
    text = read_text(path, what)
    try:
        return msgspec.json.decode(text, type=type)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise UserFileError(f"{what} {path}: {error}") from None
