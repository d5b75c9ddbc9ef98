"""Side inputs from files, for a replay without a broker."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any, Final

import msgspec

from agents.score.bundles import DEFAULT_ID, LOAD_MODEL, PRICES, PROFILE, RISK_MODEL, RULES
from models.alerts.rules_file import load_rules
from models.economics.prices import load_prices
from models.health.load_model import LoadModels
from models.health.profile import load_profile
from models.risk.online import decode_model

# File of a kind in the directory of `replay --offline --inputs`; all are effective from the beginning of time.
FILES: Final = {
    PROFILE: "profile.toml",
    RULES: "rules.toml",
    PRICES: "prices.toml",
    RISK_MODEL: "risk_model.json",
    LOAD_MODEL: "load_model.json",
}


class FileInputs:
    """Version 1 of every input that has a file in ``directory``; the packaged ones stand for the others.

    Raises
    ------
    ValueError
        A file cannot be used; the text says where and why.
    OSError
        A file cannot be read.
    """

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise ValueError(f"{directory} is not a directory")
        self._payloads: dict[str, Any] = {}
        for kind, name in FILES.items():
            path = directory / name
            if path.exists():
                self._payloads[kind] = _load(kind, path)

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


def _load(kind: str, path: Path) -> Any:
    if kind == PROFILE:
        return load_profile(path)
    if kind == RULES:
        return load_rules(path)
    if kind == PRICES:
        return load_prices(path)
    try:
        if kind == RISK_MODEL:
            return decode_model(path.read_bytes())
        return msgspec.json.decode(path.read_bytes(), type=LoadModels)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from error
