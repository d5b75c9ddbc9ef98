"""A background task has an owner: what it raises, or that it ended while it was needed, ends the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


def watched(
    work: Coroutine[Any, Any, None],
    name: str,
    *,
    fail: Callable[[BaseException], None],
    closing: Callable[[], bool],
) -> asyncio.Task[None]:
    """Start ``work`` as a task that nobody awaits.

    Parameters
    ----------
    fail
        Called with what ended the task: its error, or that it was cancelled or ended while it was needed.
    closing
        Whether its owner is ending it.
    """
    task = asyncio.create_task(work, name=name)

    def ended(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None and not closing():
            error = RuntimeError(f"{name}: {'cancelled' if task.cancelled() else 'ended'} while it was needed")
        if error is not None:
            fail(error)

    task.add_done_callback(ended)
    return task
