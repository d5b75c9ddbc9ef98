"""What kinds of side input there are: the type of their payload, and the file that a first version is from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from agents.score.bundles import ASSET, LOAD_MODEL, PRICES, PROFILE, RISK_MODEL, RULES
from models.alerts.rules_file import load_rules
from models.alerts.rules_settings import Rules
from models.economics.prices import Prices, load_prices
from models.health.load_model import LoadModels
from models.health.profile import Profile, load_profile
from models.risk.online import decode_model, prior_model
from schemas.side_input import Asset
from streams.inputs.reading import Decode
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class InputKind:
    """``load`` makes the payload published at start; None: published by others only."""

    name: str
    decode: Decode
    load: Callable[[Settings], Any] | None = None


def _typed(payload: type[Any]) -> Decode:
    return msgspec.json.Decoder(payload).decode


KINDS: tuple[InputKind, ...] = (
    InputKind(PROFILE, _typed(Profile), lambda settings: load_profile(settings.score_profile)),
    InputKind(RULES, _typed(Rules), lambda settings: load_rules(settings.rules)),
    InputKind(PRICES, _typed(Prices), lambda settings: load_prices(settings.prices)),
    InputKind(RISK_MODEL, decode_model, lambda settings: prior_model()),
    InputKind(LOAD_MODEL, _typed(LoadModels)),
    InputKind(ASSET, _typed(Asset)),
)


def decoders() -> dict[str, Decode]:
    """Return the decoder of each kind, for :class:`streams.inputs.reading.InputsReader`."""
    return {kind.name: kind.decode for kind in KINDS}
