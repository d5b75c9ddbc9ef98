"""Private names of Faust and aiokafka are used in streams/transport/ alone; ``make check`` sees to it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
_ROOM = ROOT / "streams" / "transport"
_LIBRARIES = {"faust", "mode", "aiokafka"}
_VIOLATION = '''\
"""Reach into a client."""


def reach(consumer: object) -> object:
    """Return it."""
    return consumer._client
'''


def checked(path: str, source: str) -> subprocess.CompletedProcess[str]:
    """Return what ruff, with the project's settings, says of ``source`` as the file ``path``."""
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename", path, "-"]
    return subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False)


def private_imports(source: str) -> list[str]:
    """Return the private names of the libraries that ``source`` imports (ruff has no stable rule for them).

    >>> private_imports("from faust._cython import conductor, _x")
    ['faust._cython', 'faust._cython.conductor', 'faust._cython._x']
    >>> private_imports("from __future__ import annotations; import aiokafka.client, os._x")
    []
    """
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] in _LIBRARIES and "._" in name]


@pytest.mark.parametrize(
    "path", ["streams/kafka/new.py", "streams/roles/new.py", "agents/new.py", "tests/chaos/new.py"]
)
def test_access_elsewhere_is_refused(path: str) -> None:
    found = checked(path, _VIOLATION)
    assert found.returncode == 1
    assert "SLF001" in found.stdout
    assert "_client" in found.stdout


def test_access_in_the_room_is_allowed() -> None:
    found = checked("streams/transport/new.py", _VIOLATION)
    assert (found.returncode, found.stderr) == (0, ""), found.stdout


def test_no_private_module_is_imported_elsewhere() -> None:
    files = [
        path
        for package in ("schemas", "models", "agents", "collectors", "streams", "tests")
        for path in (ROOT / package).rglob("*.py")
        if not path.is_relative_to(_ROOM)
    ]
    assert len(files) > 100
    found = {str(path.relative_to(ROOT)): private_imports(path.read_text("utf-8")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_private_import_is_found() -> None:
    assert private_imports("import aiokafka.record._crecords") == ["aiokafka.record._crecords"]
    assert private_imports("from faust.transport import _private") == ["faust.transport._private"]
