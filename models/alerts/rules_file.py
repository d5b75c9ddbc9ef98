"""Reading the numbers of the rules: from a file that a person can tune, or from a side input."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec

from models.alerts.rules_settings import Rules
from models.alerts.specs import BY_NAME


def load_rules(path: Path | None = None) -> Rules:
    """Read the rules file, by default the packaged one.

    Raises
    ------
    ValueError
        Not TOML, a number missing, of a wrong type, or unknown; a rule on trial that does not exist.

    >>> load_rules().throttle_minutes
    6
    """
    source = path if path is not None else files("models.alerts").joinpath("rules.toml")
    try:
        rules = msgspec.toml.decode(source.read_bytes(), type=Rules)
    except msgspec.DecodeError as error:
        raise ValueError(f"rules file {source}: {error}") from error
    unknown = sorted(set(rules.trial) - set(BY_NAME))
    if unknown:
        raise ValueError(f"rules file {source}: no rule is called {', '.join(unknown)}")
    return rules


def decode_rules(payload: bytes) -> Rules:
    """Return the rules of a side input's JSON payload.

    A rule on trial that this version does not know is of a later one, and no error.

    Raises
    ------
    ValueError
        As :func:`load_rules`.
    """
    try:
        return msgspec.json.decode(payload, type=Rules)
    except msgspec.DecodeError as error:
        raise ValueError(f"rules payload: {error}") from error
