"""The side inputs that a sample uses, chosen by the sample's own time."""

from __future__ import annotations

from math import inf
from typing import Any

from agents.ports import Inputs
from agents.score.side_inputs import (
    ASSET,
    DEFAULT_ID,
    LOAD_MODEL,
    PRICES,
    PROFILE,
    RISK_MODEL,
    RULES,
    SideInputKind,
)
from agents.score.step import Bundle, KnownAsset
from models.alerts.catalogue import load_catalogue
from models.health.load_model import LoadModels
from schemas.side_input import Asset
from schemas.times import parse_time


class Bundles:
    """Looks the inputs up once a version, not once a sample."""

    __slots__ = ("_assets", "_bundle", "_catalogue", "_defaults", "_generation", "_inputs")

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._catalogue = load_catalogue()
        self._generation = -1
        self._bundle: Bundle | None = None
        self._defaults: dict[str, Any] = {}
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
            found = self._inputs.newest(ASSET.name, gpu_id, time)
            self._assets[gpu_id] = KnownAsset(found[1], deployed(found[1])) if found else None
        return self._assets[gpu_id]

    def versions(self) -> dict[str, int]:
        """Return the versions in use by kind."""
        return dict(self._bundle.versions) if self._bundle else {}

    def _look_up(self, time: float, until: float) -> Bundle:
        versions: dict[str, int] = {}

        def newest(kind: SideInputKind) -> Any:
            found = self._inputs.newest(kind.name, DEFAULT_ID, time)
            if found is not None:
                versions[kind.name], payload = found
                return payload
            if kind.default is None:
                return None
            versions[kind.name] = 0  # nothing was published
            if kind.name not in self._defaults:
                self._defaults[kind.name] = kind.default()
            return self._defaults[kind.name]

        models: LoadModels | None = newest(LOAD_MODEL)
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
