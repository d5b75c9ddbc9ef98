"""Ends a process whose rebalance does not end.

Seen once in some hundred kills of a neighbour: a worker of role view that had heard of the rebalance stayed in
it for a minute, alive and serving what it knew, and took nothing new. Its supervisor starts it again; what it
knows is in the changelogs.
"""

from __future__ import annotations

from typing import Final, cast

from faust.tables.manager import TableManager

from agents.ports import Clock
from schemas.errors import ShutdownError
from streams.transport.app import HealthApp

_LOOK_EVERY_SECONDS: Final = 1.0
_LEAST_SECONDS: Final = 30.0
_SESSIONS: Final = 5.0


class RebalanceWatch:
    """Looks at the app's rebalance and at the records that its tables still have to restore.

    Parameters
    ----------
    session_timeout_seconds
        Of the consumer group: a rebalance may take one for each member that died.
    """

    def __init__(self, app: HealthApp, clock: Clock, session_timeout_seconds: float) -> None:
        self._app = app
        self._clock = clock
        self._limit = max(_LEAST_SECONDS, _SESSIONS * session_timeout_seconds)
        self._seen: tuple[int, int] | None = None
        self._since = 0.0

    async def run(self) -> None:
        """Look until the app stops."""
        while not self._app.should_stop:
            await self._app.sleep(_LOOK_EVERY_SECONDS)
            self.look()

    def look(self) -> None:
        """Fail the app where the same rebalance has stood still for too long."""
        if not self._app.rebalancing:
            self._seen = None
            return
        recovery = cast(TableManager, self._app.tables).recovery
        remaining = recovery.active_remaining_total() + recovery.standby_remaining_total()
        seen = (self._app.rebalancing_count, remaining)
        now = self._clock.monotonic()
        if seen != self._seen:
            self._seen, self._since = seen, now
        elif now - self._since > self._limit:
            self._app.fail(ShutdownError(f"the rebalance has stood still for {self._limit:.0f} s"))
