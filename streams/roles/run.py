"""The roles of the system, each a process of its own with its own consumer group."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Final, cast

import faust

from schemas.errors import ShutdownError
from streams.kafka.outages import limit_repeats
from streams.roles.garbage import collect_less
from streams.settings import Settings
from streams.transport.app import HealthApp

log = logging.getLogger(__name__)

_FAILED: Final = 1
# What is left of a failed worker gets this long to leave its group, so that others take over at once.
_LEAVE_SECONDS: Final = 3.0
_STOP_SECONDS: Final = 30.0


def _lazy(role: str) -> Callable[[Settings], faust.App]:
    """Return the builder of ``role``; its module, and all that it needs, is imported when it is called."""

    def build(settings: Settings) -> faust.App:
        return cast(faust.App, import_module(f"streams.roles.{role}").build(settings))

    return build


ROLES: Final[dict[str, Callable[[Settings], faust.App]]] = {
    role: _lazy(role) for role in ("score", "view", "store", "notify")
}


def run(role: str, settings: Settings) -> int:
    """Run ``role`` until SIGTERM or SIGINT, or until it fails; return the exit status.

    Raises
    ------
    KeyError
        No such role.
    """
    return serve(lambda: ROLES[role](settings))


def serve(build: Callable[[], faust.App]) -> int:
    """Run the app that ``build`` makes, in an event loop of its own; return the exit status."""
    limit_repeats()
    try:
        return asyncio.run(_serve_or_exit(build))
    except ShutdownError as error:
        log.critical("%s", error)
        _exit_at_once()
    return _FAILED


async def _serve_or_exit(build: Callable[[], faust.App]) -> int:
    """Serve; where it failed, end before asyncio waits for the tasks that are left.

    They wait for threads that wait for a broker which is away, while another thread's heartbeats keep the
    partitions of this worker from everyone else.
    """
    status = await _serve(build)
    if status:
        _exit_at_once()
    return status


def _exit_at_once() -> None:
    logging.shutdown()
    os._exit(_FAILED)


async def _serve(build: Callable[[], faust.App]) -> int:
    loop = asyncio.get_running_loop()
    ordered = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ordered.set)
    app = build()
    collect_less()
    failing = app.failing if isinstance(app, HealthApp) else asyncio.Event()
    waits = {asyncio.ensure_future(one) for one in (ordered.wait(), failing.wait(), app.wait())}
    starting = asyncio.ensure_future(app.start())
    await asyncio.wait({starting, *waits}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done() and starting.exception() is None:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    failed = not ordered.is_set() or failing.is_set()
    if starting.done() and starting.exception() is not None:
        log.critical("The role did not start: %r", starting.exception())
        failed = True
    stopping = asyncio.ensure_future(app.stop())
    await asyncio.wait({stopping}, timeout=_LEAVE_SECONDS if failed else _STOP_SECONDS)
    for wait in waits:
        wait.cancel()
    failed = failed or failing.is_set() or not stopping.done() or stopping.exception() is not None
    return _FAILED if failed else 0
