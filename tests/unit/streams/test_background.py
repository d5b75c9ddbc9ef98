"""A background task: whatever ends it while it is needed ends the process, with its reason."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

from streams.background import watched

ROOT = Path(__file__).parents[3]


async def _raise() -> None:
    raise ValueError("damaged")


async def _end() -> None:
    await asyncio.sleep(0)


async def _run_on() -> None:
    await asyncio.sleep(3600)


async def test_what_it_raises_is_the_reason() -> None:
    failures: list[BaseException] = []
    task = watched(_raise(), "follow", fail=failures.append, closing=lambda: False)
    await asyncio.wait([task])
    assert [str(error) for error in failures] == ["damaged"]


@pytest.mark.parametrize("closing", [False, True])
async def test_its_end_is_one_unless_its_owner_ends_it(closing: bool) -> None:
    failures: list[BaseException] = []
    ended = watched(_end(), "follow", fail=failures.append, closing=lambda: closing)
    cancelled = watched(_run_on(), "pace", fail=failures.append, closing=lambda: closing)
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait([ended, cancelled])
    await asyncio.sleep(0)
    told = sorted(str(error) for error in failures)
    assert told == ([] if closing else ["follow: ended while it was needed", "pace: cancelled while it was needed"])


# Who notices that a task which is not `watched` ends: by file, how many are started there.
_OWNED = {
    "streams/background.py": (1, "watched itself"),
    "streams/feeding/producer.py": (1, "send, offer and flush raise what ended it"),
    "streams/embedded/launch.py": (2, "awaited together"),
    "streams/embedded/stack.py": (1, "a child's watch, awaited by watch()"),
    "streams/cli/up.py": (1, "awaited"),
    "streams/roles/run.py": (3, "awaited together"),
}


def test_no_task_is_without_an_owner() -> None:
    """What a TaskGroup starts it owns, and Faust ends the process for what app.task starts."""
    found: dict[str, int] = {}
    for room in ("agents", "collectors", "streams"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                    continue
                owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
                if node.func.attr in ("create_task", "ensure_future") and owner in ("asyncio", "loop"):
                    name = str(path.relative_to(ROOT))
                    found[name] = found.get(name, 0) + 1
    assert found == {name: count for name, (count, _) in _OWNED.items()}
