"""Tests replace public names alone: what a test must replace is a parameter or a public name of the code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
# Of monkeypatch, unittest.mock and the built-ins: each takes the name as a text, which ruff's SLF001 does not see.
_REPLACING = {"setattr", "delattr", "patch", "object", "multiple", "setitem", "delitem"}
_OURS = {"schemas", "models", "agents", "collectors", "streams", "tests"}


def private(text: str) -> bool:
    """Tell whether the last part of a dotted name is private.

    >>> private("streams.db._own"), private("_LIMIT"), private("__call__"), private("a._b.c"), private("a b._c")
    (True, True, False, False, False)
    """
    if not all(part.isidentifier() for part in text.split(".")):
        return False
    last = text.rpartition(".")[2]
    return last.startswith("_") and not last.endswith("__")


def replaced(source: str) -> list[str]:
    """Return the private names that ``source`` replaces by their text, or imports from our packages."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _REPLACING:
                texts = [one.value for one in node.args[:2] if isinstance(one, ast.Constant)]
                found += [text for text in texts if isinstance(text, str) and private(text)]
                found += [one.arg for one in node.keywords if one.arg is not None and private(one.arg)]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _OURS:
            found += [f"{node.module}.{alias.name}" for alias in node.names if private(alias.name)]
    return found


def test_no_test_replaces_a_private_name() -> None:
    files = sorted(TESTS.rglob("*.py"))
    assert len(files) > 100
    found = {str(path.relative_to(TESTS)): replaced(path.read_text("utf-8")) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("monkeypatch.setattr(producer, '_PAUSE', 0.1)", ["_PAUSE"]),
        ("monkeypatch.setattr('streams.embedded.place._own', None)", ["streams.embedded.place._own"]),
        ("setattr(writer, '_dsn', dsn)", ["_dsn"]),
        ("with patch.object(table, '_producer'): ...", ["_producer"]),
        ("mock.patch.multiple(table, _producer=None)", ["_producer"]),
        ("from streams.db.writer import _DEAD_LETTERS", ["streams.db.writer._DEAD_LETTERS"]),
        ("monkeypatch.setattr(Decompressor, '__call__', watched)", []),
        ("monkeypatch.setattr(module, 'HotTable', fake)", []),
        ("monkeypatch.setitem(headers, 'a _b', '_c')", []),
    ],
)
def test_what_counts_as_replacing(source: str, names: list[str]) -> None:
    assert replaced(source) == names
