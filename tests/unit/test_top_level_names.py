"""The project is an application whose packages are top-level names: no other distribution may own one."""

from __future__ import annotations

from importlib.metadata import packages_distributions

import pytest

_ROOMS = ("schemas", "models", "agents", "streams", "collectors", "sql")


@pytest.mark.parametrize("room", _ROOMS)
def test_no_other_distribution_owns_the_name(room: str) -> None:
    owners = set(packages_distributions().get(room, ()))
    assert owners <= {"gpu-health-system"}, f"{owners} also installs a package named {room}"
