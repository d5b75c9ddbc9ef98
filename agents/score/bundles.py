"""The side inputs that a sample uses, chosen by the sample's own time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from agents.ports import Inputs
from agents.score.step import Bundle, KnownAsset
from models.alerts.catalogue import load_catalogue
from models.alerts.rules_file import load_rules
from models.economics.prices import load_prices
from models.health.load_model import LoadModels
from models.health.profile import load_profile
from models.risk.online import prior_model
from schemas.side_input import Asset
from schemas.times import parse_time

PROFILE: Final = "profile"
RULES: Final = "rules"
PRICES: Final = "prices"
RISK_MODEL: Final = "risk_model"
LOAD_MODEL: Final = "load_model"
ASSET: Final = "asset"
DEFAULT_ID: Final = "default"

# What a partition uses until anything is published; version 0 tells that apart in the records.
_PACKAGED: Final[Mapping[str, Callable[[], Any]]] = {
    PROFILE: lambda: load_profile(None),
    RULES: lambda: load_rules(None),
    PRICES: lambda: load_prices(None),
    RISK_MODEL: prior_model,
}


class Bundles:
    """Looks the inputs up once a version, not once a sample."""

    __slots__ = ("_assets", "_bundle", "_catalogue", "_generation", "_inputs", "_packaged")

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._catalogue = load_catalogue()
        self._generation = -1
        self._bundle: Bundle | None = None
        self._packaged: dict[str, Any] = {}
        self._assets: dict[str, KnownAsset | None] = {}

    def at(self, time: float) -> Bundle:
        """Return the bundle for samples of ``time`` (epoch s)."""
        bundle = self._bundle
        generation = self._inputs.generation()
        if generation != self._generation:
            self._generation = generation
            self._assets.clear()
            bundle = None
        if bundle is not None and bundle.valid_from <= time < bundle.valid_until:
            return bundle
        until = self._inputs.next_change(time)
        if bundle is not None and until == bundle.valid_until:  # earlier, within the same stretch
            bundle.valid_from = min(bundle.valid_from, time)
            return bundle
        self._assets.clear()
        self._bundle = self._look_up(time, until)
        return self._bundle

    def asset(self, gpu_id: str, time: float) -> KnownAsset | None:
        """Return what the owner knows of a GPU, None where that is nothing."""
        if gpu_id not in self._assets:
            found = self._inputs.newest(ASSET, gpu_id, time)
            self._assets[gpu_id] = KnownAsset(found[1], deployed(found[1])) if found else None
        return self._assets[gpu_id]

    def versions(self) -> dict[str, int]:
        """Return the versions in use by kind."""
        return dict(self._bundle.versions) if self._bundle else {}

    def _look_up(self, time: float, until: float) -> Bundle:
        versions: dict[str, int] = {}

        def newest(kind: str) -> Any:
            found = self._inputs.newest(kind, DEFAULT_ID, time)
            if found is not None:
                versions[kind], payload = found
                return payload
            versions[kind] = 0
            if kind not in self._packaged:
                self._packaged[kind] = _PACKAGED[kind]()
            return self._packaged[kind]

        loads = self._inputs.newest(LOAD_MODEL, DEFAULT_ID, time)
        models: LoadModels | None = loads[1] if loads else None
        if loads:
            versions[LOAD_MODEL] = loads[0]
        return Bundle(
            profile=newest(PROFILE),
            rules=newest(RULES),
            prices=newest(PRICES),
            risk_model=newest(RISK_MODEL),
            catalogue=self._catalogue,
            load_models=models.functions() if models else {},
            versions=versions,
            valid_from=time,
            valid_until=until,
        )


def deployed(asset: Asset) -> float | None:
    """Return when the asset list says that the GPU went into service (epoch s); None: not told."""
    try:
        return parse_time(asset.deployed_date) if asset.deployed_date else None
    except ValueError:
        return None


class NoInputs:
    """Inputs of which nothing was published: the packaged ones are used (offline replay without --inputs)."""

    def newest(self, kind: str, id: str, event_time: float) -> tuple[int, Any] | None:
        """Return None: nothing was published."""
        return None

    def generation(self) -> int:
        """Return a constant: nothing is ever added."""
        return 0

    def next_change(self, event_time: float) -> float:
        """Return infinity."""
        return inf
