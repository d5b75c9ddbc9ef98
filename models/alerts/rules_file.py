"""Reading the numbers of the rules: from a file that a person can tune, or from a side input."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import msgspec

from models.alerts.rules_settings import Rules
from models.alerts.specs import BY_NAME
from schemas.user_file import UserFileError, read_toml


def load_rules(path: Path | None = None) -> Rules:
    """Read the rules file, by default the packaged one.

    Raises
    ------
    UserFileError
        It cannot be read or is not TOML; a number is missing, of a wrong type, or unknown; a rule on trial does not
        exist.

    >>> load_rules().throttle_minutes
    6
    """
    source = path if path is not None else files("models.alerts").joinpath("rules.toml")
    rules = read_toml(source, Rules, "rules file")
    unknown = sorted(set(rules.trial) - set(BY_NAME))
    if unknown:
        raise UserFileError(f"rules file {source}: no rule is called {', '.join(unknown)}")
    return rules


def decode_rules(payload: bytes) -> Rules:
    """Return the rules of a side input's JSON payload.

    A rule on trial that this version does not know is of a later one, and no error.

    Raises
    ------
    ValueError
        A number is missing, of a wrong type, or unknown.
    """
    try:
        return msgspec.json.decode(payload, type=Rules)
    except msgspec.DecodeError as error:
        raise ValueError(f"rules payload: {error}") from error
