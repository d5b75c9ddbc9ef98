"""receivers.toml: who is sent notifications, where, and from which severity on; secrets come by environment."""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from schemas.errors import ShutdownError
from schemas.user_file import UserFileError, read_text
from streams.notify import receivers
from streams.notify.receivers.port import Kind, Receiver, Table


def kinds() -> tuple[Kind, ...]:
    """Return the kind that each module of this package declares, by module name.

    >>> [kind.name for kind in kinds()]
    ['webhook']
    """
    names = sorted(module.name for module in pkgutil.iter_modules(receivers.__path__, f"{receivers.__name__}."))
    declared = (getattr(importlib.import_module(name), "KIND", None) for name in names)
    return tuple(kind for kind in declared if isinstance(kind, Kind))


def load_receivers(path: Path | None, environment: Mapping[str, str]) -> tuple[Receiver, ...]:
    """Return the receivers of the file; none without a file.

    Raises
    ------
    ShutdownError
        The file, an address or a secret is unusable; the text names the repair.
    """
    if path is None:
        return ()
    try:
        listed = _listed(read_text(path, "receivers file"))
    except UserFileError as error:
        raise ShutdownError(str(error)) from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise ShutdownError(f"receivers file {path}: {error}") from error
    names = [one.name for one in listed]
    if len(set(names)) != len(names) or not all(names):
        raise ShutdownError(f"receivers file {path}: each receiver needs a name of its own, found {names}")
    return tuple(one.receiver(environment) for one in listed)


def _listed(text: str) -> list[Table]:
    known = kinds()
    # One struct for the whole file, so that an error names its place in it.
    file = msgspec.defstruct(
        "File",
        [(kind.name, list[kind.table], msgspec.field(default_factory=list)) for kind in known],  # type: ignore[name-defined]
        forbid_unknown_fields=True,
    )
    found = msgspec.convert(tomllib.loads(text), file)
    return [one for kind in known for one in getattr(found, kind.name)]
