"""Every dependency is imported by the code that it is installed for, and has its row on the decision page."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGE = (ROOT / "docs" / "decisions" / "0006-dependencies.md").read_text("utf-8")
CODE = ("schemas", "models", "agents", "collectors", "streams")
# Chosen for the NVML collector, which comes next.
TO_COME = {"nvidia-ml-py"}


def names(requirements: list[str]) -> list[str]:
    """Return the names of requirements.

    >>> names(["aiokafka==0.14.0", "ruff>=0.15", "types-psutil"])
    ['aiokafka', 'ruff', 'types-psutil']
    """
    return [re.split(r"[=<>~!\[; ]", requirement, maxsplit=1)[0] for requirement in requirements]


def imported(*folders: str) -> set[str]:
    """Return the distributions whose packages are imported, or looked for by name, below ``folders``."""
    owners = packages_distributions()
    found: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                modules = [node.module or ""]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "find_spec":
                modules = [
                    one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
                ]
            for module in modules:
                found.update(owners.get(module.partition(".")[0], ()))
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


@pytest.mark.parametrize("name", names(PROJECT["project"]["dependencies"]))
def test_what_runs_needs_it(name: str) -> None:
    assert (name in imported(*CODE)) != (name in TO_COME)


@pytest.mark.parametrize("name", names(PROJECT["project"]["dependencies"]))
def test_the_decision_page_says_what_it_is_for(name: str) -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("|")]
    assert any(name in re.split(r"[ ,]+", row) for row in rows)
