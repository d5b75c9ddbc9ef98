"""Every kind of side input, declared once: its name, payload, file and default.

A new kind is one more entry of KINDS and a field of :class:`agents.score.bundles.Bundle` where the step reads it.
What a later version publishes under a kind that is not here is kept by the reader, counted, and told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from models.alerts.rules_file import decode_rules, load_rules
from models.economics.prices import decode_prices, load_prices
from models.health.load_model import LoadModels
from models.health.profile import decode_profile, load_profile
from models.risk.online import RiskModel, check, decode_model, prior_model
from schemas.side_input import Asset, Replaced
from schemas.times import parse_time
from schemas.user_file import read_json

# The id under which what holds for the whole fleet is published.
DEFAULT_ID: Final = "default"


@dataclass(frozen=True, slots=True)
class SideInputKind:
    """One kind of side input.

    Parameters
    ----------
    decode
        Makes the typed payload of published JSON; raises ValueError.
    setting
        The setting that names a file of it; empty: none does.
    file
        Its name in the folder of ``replay --offline --inputs``; empty: it has none.
    read
        Makes the payload of such a file; raises :class:`schemas.user_file.UserFileError`.
    default
        Makes the payload that holds until anything is published, and that is published at start where no file is
        set; None: without it the step does without.
    """

    name: str
    decode: Callable[[bytes], Any]
    setting: str = ""
    file: str = ""
    read: Callable[[Path], Any] | None = None
    default: Callable[[], Any] | None = None

    def load(self, path: Path | None) -> Any:
        """Return the payload of the file, the default without one (None where there is no default either)."""
        if path is not None and self.read is not None:
            return self.read(path)
        return None if self.default is None else self.default()


def _decode_replaced(value: bytes) -> Replaced:
    replaced = msgspec.json.decode(value, type=Replaced)
    parse_time(replaced.at)
    return replaced


def _read_model(path: Path) -> RiskModel:
    return check(read_json(path, RiskModel, "risk model"))


PROFILE: Final = SideInputKind(
    "profile", decode_profile, "score_profile", "profile.toml", load_profile, lambda: load_profile(None)
)
RULES: Final = SideInputKind("rules", decode_rules, "rules", "rules.toml", load_rules, load_rules)
PRICES: Final = SideInputKind("prices", decode_prices, "prices", "prices.toml", load_prices, load_prices)
RISK_MODEL: Final = SideInputKind(
    "risk_model", decode_model, file="risk_model.json", read=_read_model, default=prior_model
)
LOAD_MODEL: Final = SideInputKind(
    "load_model",
    msgspec.json.Decoder(LoadModels).decode,
    file="load_model.json",
    read=lambda path: read_json(path, LoadModels, "load model"),
)
ASSET: Final = SideInputKind("asset", msgspec.json.Decoder(Asset).decode)
REPLACED: Final = SideInputKind("replaced", _decode_replaced)

KINDS: Final[tuple[SideInputKind, ...]] = (PROFILE, RULES, PRICES, RISK_MODEL, LOAD_MODEL, ASSET, REPLACED)
